//! Calls itself without end. Logs every thousandth level.

use overture_plugin::formatter::{Context, Event, FormatError, Formatter, Output};

struct Recurses;

overture_plugin::formatter!(Recurses);

impl Formatter for Recurses {
    fn format(event: Event, _: Context) -> Result<Output, FormatError> {
        Ok(Output::text(deeper(event.data.len() as u64, 1).to_string()))
    }
}

/// What is done after the call keeps a compiler from making a loop of it.
#[expect(unconditional_recursion, reason = "that is what this guest is for")]
#[inline(never)]
fn deeper(seed: u64, level: u64) -> u64 {
    if level.is_multiple_of(1_000) {
        tell(level);
    }
    deeper(seed ^ level, level + 1).rotate_left(3) ^ seed
}

#[inline(never)]
fn tell(level: u64) {
    overture_plugin::info!("level {level}");
}
