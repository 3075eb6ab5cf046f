//! `/events`: everything that happened in a workspace, as a list and as a stream.

mod list;
mod stream;

use overture_domain::{Timestamp, events::EventPosition};
use overture_store::events::Placed;
use serde::Serialize;
use utoipa::ToSchema;

endpoints! {
    list::list;
    stream::stream;
}

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventOut {
    #[schema(example = "evt_01kjq5t3k8e9v8z2m4n6p7r8s9")]
    id: String,
    #[schema(example = "reply.received")]
    r#type: String,
    #[schema(value_type = String, format = DateTime)]
    occurred_at: Timestamp,
    campaign_id: Option<String>,
    enrollment_id: Option<String>,
    prospect_id: Option<String>,
    /// The event's own fields.
    #[schema(value_type = Object)]
    data: serde_json::Value,
}

impl From<Placed> for EventOut {
    fn from(placed: Placed) -> Self {
        let event = placed.event;
        Self {
            id: event.id.to_string(),
            r#type: event.kind.to_string(),
            occurred_at: event.occurred_at,
            campaign_id: event.campaign_id.map(|id| id.to_string()),
            enrollment_id: event.enrollment_id.map(|id| id.to_string()),
            prospect_id: event.prospect_id.map(|id| id.to_string()),
            data: event.data,
        }
    }
}

/// A place in the order of events, as a cursor.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor(EventPosition);

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.0.tx, self.0.seq)
    }
}

impl std::str::FromStr for Cursor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (tx, seq) = text.split_once('-')?;
            Some(EventPosition {
                tx: tx.parse().ok()?,
                seq: seq.parse().ok()?,
            })
        };
        parse().map(Self).ok_or("no cursor of events")
    }
}
