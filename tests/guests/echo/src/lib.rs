//! The smallest formatter: what a call costs by itself.

use overture_plugin::formatter::{Context, Event, FormatError, Formatter, Output};

struct Echo;

overture_plugin::formatter!(Echo);

impl Formatter for Echo {
    fn format(event: Event, _: Context) -> Result<Output, FormatError> {
        Ok(Output::text(event.data))
    }
}
