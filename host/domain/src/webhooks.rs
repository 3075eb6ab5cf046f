//! Who is told of events, and how each telling went.

use crate::{DeliveryId, EventId, Timestamp, WebhookId, WorkspaceId, names};

/// A receiver of events (API-6). URL and secrets are sealed.
#[derive(Clone, Debug, PartialEq)]
pub struct Webhook {
    pub id: WebhookId,
    pub workspace_id: WorkspaceId,
    /// Sealed: the URL of a chat is its credential.
    pub url: String,
    pub url_host: String,
    /// The id of the formatter plugin (API-9).
    pub formatter: String,
    pub settings: serde_json::Value,
    /// Names of events, or `*`.
    pub events: Vec<String>,
    /// Sealed.
    pub secret: String,
    /// Sealed; signs beside the new one until `old_secret_until` (API-7).
    pub old_secret: Option<String>,
    pub old_secret_until: Option<Timestamp>,
    pub active: bool,
    pub disabled_reason: Option<String>,
    pub last_success_at: Option<Timestamp>,
    pub last_failure_at: Option<Timestamp>,
    pub failures_in_a_row: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

names! {
    DeliveryState {
        Pending = "pending",
        Delivering = "delivering",
        Delivered = "delivered",
        /// The ladder is used up (API-8); replay brings it back.
        Dead = "dead",
    }
}

/// One event for one webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub id: DeliveryId,
    pub workspace_id: WorkspaceId,
    pub webhook_id: WebhookId,
    pub event_id: EventId,
    pub state: DeliveryState,
    /// Requests made so far.
    pub tries: i64,
    pub next_try_at: Timestamp,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

/// One request and its answer (API-9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryTry {
    pub delivery_id: DeliveryId,
    /// From 1.
    pub number: i64,
    pub at: Timestamp,
    pub duration_ms: i64,
    pub request_body: String,
    pub status: Option<i64>,
    pub response_body: String,
    pub error: Option<String>,
}
