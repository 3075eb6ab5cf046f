//! Answers 6 MB.

use overture_plugin::formatter::{Context, Event, FormatError, Formatter, Output};

struct HugeOutput;

overture_plugin::formatter!(HugeOutput);

impl Formatter for HugeOutput {
    fn format(_: Event, _: Context) -> Result<Output, FormatError> {
        Ok(Output::text(vec![b'x'; 6_000_000]))
    }
}
