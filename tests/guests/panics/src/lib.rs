//! Panics on each call.

use overture_plugin::formatter::{Context, Event, FormatError, Formatter, Output};

struct Panics;

overture_plugin::formatter!(Panics);

impl Formatter for Panics {
    fn format(event: Event, _: Context) -> Result<Output, FormatError> {
        let missing: Option<&str> = event.data.strip_prefix("never there");
        Ok(Output::text(missing.expect("this plugin always panics")))
    }
}
