//! Says in one line what happened.

use overture_plugin::formatter::{Context, Event, FormatError, Formatter, Output};
use serde::Deserialize;

struct MyFormatter;

overture_plugin::formatter!(MyFormatter);

/// The settings of plugin.toml.
#[derive(Deserialize)]
#[serde(default)]
struct Settings {
    greeting: String,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            greeting: "News:".into(),
        }
    }
}

impl Formatter for MyFormatter {
    fn format(event: Event, context: Context) -> Result<Output, FormatError> {
        let settings: Settings = context.settings()?;
        let line = format!(
            "{} {} in {}",
            settings.greeting, event.kind, context.workspace_name
        );
        Ok(Output::json(
            serde_json::json!({ "text": line }).to_string(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_happened() {
        let event = Event {
            id: "evt_1".into(),
            kind: "reply.received".into(),
            occurred_at: 0,
            workspace_id: "wsp_1".into(),
            data: "{}".into(),
        };
        let context = Context {
            settings: r#"{"greeting":"Hey:"}"#.into(),
            public_url: "https://overture.example.com".into(),
            workspace_name: "Example".into(),
        };
        let output = MyFormatter::format(event, context).unwrap();
        assert_eq!(output.body, br#"{"text":"Hey: reply.received in Example"}"#);
    }
}
