//! The event as JSON, for any receiver (API-6). The host signs it (API-7).

use overture_plugin::{
    formatter::{Context, Event, FormatError, Formatter, Output},
    time::rfc3339,
};
use serde::Serialize;
use serde_json::value::RawValue;

struct Generic;

overture_plugin::formatter!(Generic);

/// The body, its fields in this order. `type` and `event` are the same, as are the two times:
/// receivers of both spellings exist.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    r#type: &'a str,
    event: &'a str,
    id: &'a str,
    timestamp: &'a str,
    occurred_at: &'a str,
    workspace_id: &'a str,
    data: &'a RawValue,
}

impl Formatter for Generic {
    fn format(event: Event, _: Context) -> Result<Output, FormatError> {
        let broken = |e: serde_json::Error| FormatError::InvalidEvent(e.to_string());
        let data: &RawValue = serde_json::from_str(&event.data).map_err(broken)?;
        if !data.get().starts_with('{') {
            return Err(FormatError::InvalidEvent("data is no JSON object".into()));
        }
        let at = rfc3339(event.occurred_at);
        let body = Body {
            r#type: &event.kind,
            event: &event.kind,
            id: &event.id,
            timestamp: &at,
            occurred_at: &at,
            workspace_id: &event.workspace_id,
            data,
        };
        Ok(Output::json(serde_json::to_vec(&body).map_err(broken)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(data: &str) -> Result<String, FormatError> {
        let event = Event {
            id: "evt_01j0".into(),
            kind: "email.clicked".into(),
            occurred_at: 1_773_045_000_123,
            workspace_id: "wsp_01j0".into(),
            data: data.into(),
        };
        let context = Context {
            settings: "{}".into(),
            public_url: "https://overture.example.com".into(),
            workspace_name: "Example".into(),
        };
        let output = Generic::format(event, context)?;
        assert_eq!(output.content_type, "application/json");
        Ok(String::from_utf8(output.body).unwrap())
    }

    /// API-6
    #[test]
    fn has_every_field_in_both_spellings() {
        let body = format(r#"{"url":"https://example.com/?a=1&b=ü","stepIndex":0}"#).unwrap();
        assert_eq!(
            body,
            r#"{"type":"email.clicked","event":"email.clicked","id":"evt_01j0","timestamp":"2026-03-09T08:30:00.123Z","occurredAt":"2026-03-09T08:30:00.123Z","workspaceId":"wsp_01j0","data":{"url":"https://example.com/?a=1&b=ü","stepIndex":0}}"#
        );
    }

    #[test]
    fn refuses_data_that_is_no_object() {
        for data in ["", "{", "[]", "7"] {
            assert!(
                matches!(format(data), Err(FormatError::InvalidEvent(_))),
                "{data}"
            );
        }
    }
}
