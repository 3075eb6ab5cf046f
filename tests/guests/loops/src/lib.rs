//! Never comes back.

use std::hint::black_box;

use overture_plugin::formatter::{Context, Event, FormatError, Formatter, Output};

struct Loops;

overture_plugin::formatter!(Loops);

impl Formatter for Loops {
    fn format(event: Event, _: Context) -> Result<Output, FormatError> {
        let mut rounds = event.data.len() as u64;
        while black_box(rounds) != u64::MAX {
            rounds = rounds.wrapping_add(1) & 0xffff;
        }
        Ok(Output::text(event.data))
    }
}
