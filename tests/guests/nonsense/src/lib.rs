//! Answers what is no webhook: what exactly, its settings say.

use overture_plugin::{
    Header,
    formatter::{Context, Event, FormatError, Formatter, Output},
};

struct Nonsense;

overture_plugin::formatter!(Nonsense);

impl Formatter for Nonsense {
    fn format(_: Event, context: Context) -> Result<Output, FormatError> {
        let header = |name: &str, value: &str| Header {
            name: name.into(),
            value: value.into(),
        };
        let fine = Output::text("fine");
        Ok(match context.settings.as_str() {
            "broken-json" => Output::json("{\"text\": "),
            "no-content-type" => Output {
                content_type: String::new(),
                ..fine
            },
            "second-header" => Output {
                headers: vec![header("x-kind", "a\r\nx-forged: yes")],
                ..fine
            },
            "many-headers" => Output {
                headers: vec![header("x-kind", "a"); 1_000],
                ..fine
            },
            other => {
                return Err(FormatError::InvalidSettings(format!(
                    "no such nonsense: {other}"
                )));
            }
        })
    }
}
