//! Writes 20,000 lines of 10 KB, then answers as if nothing had been.

use overture_plugin::formatter::{Context, Event, FormatError, Formatter, Output};

struct FloodsLog;

overture_plugin::formatter!(FloodsLog);

impl Formatter for FloodsLog {
    fn format(event: Event, _: Context) -> Result<Output, FormatError> {
        let line = "all work and no play ".repeat(500);
        for number in 0..20_000 {
            overture_plugin::info!("{number} {line}");
        }
        Ok(Output::text(event.data))
    }
}
