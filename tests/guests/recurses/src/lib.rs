//! Calls itself without end. Logs every thousandth level.

use std::hint::black_box;

use overture_plugin::formatter::{Context, Event, FormatError, Formatter, Output};

struct Recurses;

overture_plugin::formatter!(Recurses);

impl Formatter for Recurses {
    fn format(event: Event, _: Context) -> Result<Output, FormatError> {
        Ok(Output::text(deeper(event.data.len() as u64, 1).to_string()))
    }
}

/// The sum is taken after the call, so that no compiler makes a loop of it.
#[expect(unconditional_recursion, reason = "that is what this guest is for")]
#[inline(never)]
fn deeper(seed: u64, level: u64) -> u64 {
    if level.is_multiple_of(1_000) {
        overture_plugin::info!("level {level}");
    }
    black_box(seed) + deeper(black_box(seed ^ level), level + 1)
}
