//! `/alerts`

mod acknowledge;
mod list;

use overture_domain::{Timestamp, alerts::Alert};
use serde::Serialize;
use utoipa::ToSchema;

endpoints! {
    list::list;
    acknowledge::acknowledge;
}

/// Something that an admin must see to. It is open until its cause is gone, and closes by itself;
/// there is at most one open alert for a code and subject.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AlertOut {
    #[schema(example = "alt_01kjq5t3k8e9v8z2m4n6p7r8s9")]
    id: String,
    /// counter_drift, counter_without_event, webhook_dead_letters, plugin_failing,
    /// mailbox_disconnected, mail_host_unreachable, campaign_cooldown, mailbox_unhealthy,
    /// bounce_shield, few_replies or steps_forgotten.
    #[schema(example = "mailbox_disconnected")]
    code: String,
    /// warning or critical.
    severity: String,
    /// What it is about: an id, a host and port, a plugin.
    #[schema(example = "acc_01kjq5t3k8e9v8z2m4n6p7r8s9")]
    subject: String,
    #[schema(example = "ada@example.com is disconnected: the server refused the sign-in")]
    message: String,
    /// What to do.
    fix: String,
    /// How many things it is about, or how often, when it was last seen.
    count: i64,
    /// It concerns the whole instance; only an instance admin's key sees it.
    instance: bool,
    #[schema(value_type = String, format = DateTime)]
    first_seen_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    last_seen_at: Timestamp,
    /// Who sees to it.
    acknowledged_by: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    acknowledged_at: Option<Timestamp>,
    /// Since when its cause is gone; null while it is open.
    #[schema(value_type = Option<String>, format = DateTime)]
    closed_at: Option<Timestamp>,
}

impl From<Alert> for AlertOut {
    fn from(alert: Alert) -> Self {
        Self {
            id: alert.id.to_string(),
            code: alert.code.to_string(),
            severity: alert.severity.to_string(),
            subject: alert.subject,
            message: alert.message,
            fix: alert.fix,
            count: alert.count,
            instance: alert.workspace_id.is_none(),
            first_seen_at: alert.first_seen_at,
            last_seen_at: alert.last_seen_at,
            acknowledged_by: alert.acknowledged_by,
            acknowledged_at: alert.acknowledged_at,
            closed_at: alert.closed_at,
        }
    }
}
