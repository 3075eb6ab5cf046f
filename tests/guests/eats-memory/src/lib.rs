//! Takes memory, a megabyte at a time, and writes to every page of it. Says how many it got.

use overture_plugin::formatter::{Context, Event, FormatError, Formatter, Output};

struct EatsMemory;

overture_plugin::formatter!(EatsMemory);

const MEGABYTE: usize = 1 << 20;

impl Formatter for EatsMemory {
    fn format(_: Event, _: Context) -> Result<Output, FormatError> {
        let mut eaten: Vec<Vec<u8>> = Vec::new();
        loop {
            let mut piece = Vec::new();
            if piece.try_reserve_exact(MEGABYTE).is_err() {
                return Ok(Output::text(eaten.len().to_string()));
            }
            piece.resize(MEGABYTE, 7);
            eaten.push(piece);
        }
    }
}
