//! `/webhooks`

mod create;
mod delete;
mod deliveries;
mod get;
mod list;
mod replay;
mod rotate_secret;
mod test;
mod tries;
mod update;

use overture_domain::{
    Timestamp,
    webhooks::{Delivery, Webhook},
};
use serde::Serialize;
use utoipa::ToSchema;

endpoints! {
    list::list, create::create;
    get::get, update::update, delete::delete;
    test::test;
    rotate_secret::rotate_secret;
    deliveries::deliveries;
    tries::tries;
    replay::replay;
}

/// A receiver of events. URL and secret are credentials and not part of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WebhookOut {
    #[schema(example = "whk_01kjq5t3k8e9v8z2m4n6p7r8s9")]
    id: String,
    /// The host of its URL.
    host: String,
    /// The plugin that makes the body.
    formatter: String,
    #[schema(value_type = Object)]
    settings: serde_json::Value,
    events: Vec<String>,
    is_active: bool,
    disabled_reason: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_success_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_failure_at: Option<Timestamp>,
    failures_in_a_row: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<Webhook> for WebhookOut {
    fn from(webhook: Webhook) -> Self {
        Self {
            id: webhook.id.to_string(),
            host: webhook.url_host,
            formatter: webhook.formatter,
            settings: webhook.settings,
            events: webhook.events,
            is_active: webhook.active,
            disabled_reason: webhook.disabled_reason,
            last_success_at: webhook.last_success_at,
            last_failure_at: webhook.last_failure_at,
            failures_in_a_row: webhook.failures_in_a_row,
            created_at: webhook.created_at,
        }
    }
}

/// One event for one webhook.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DeliveryOut {
    #[schema(example = "dlv_01kjq5t3k8e9v8z2m4n6p7r8s9")]
    id: String,
    event_id: String,
    /// pending, delivering, delivered or dead.
    state: String,
    /// Requests made so far.
    tries: i64,
    /// When the next request is due, while it is pending.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_try_at: Option<Timestamp>,
    /// Why no request could be made, through no fault of the receiver: the formatter is missing or
    /// fails.
    held_reason: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
}

impl From<Delivery> for DeliveryOut {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id.to_string(),
            event_id: delivery.event_id.to_string(),
            state: delivery.state.to_string(),
            tries: delivery.tries,
            next_try_at: delivery
                .finished_at
                .is_none()
                .then_some(delivery.next_try_at),
            held_reason: delivery.held_reason,
            created_at: delivery.created_at,
            finished_at: delivery.finished_at,
        }
    }
}
