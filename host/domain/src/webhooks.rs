//! Who is told of events, how each telling went, and when it is tried again.

use std::time::Duration;

use crate::{DeliveryId, EventId, Timestamp, WebhookId, WorkspaceId, events::EventKind, names};

/// The waits between the requests of one delivery (API-8): eleven requests in all, the last one
/// 166 h after the first.
pub const LADDER: [Duration; 10] = [
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(15),
    Duration::from_hours(1),
    Duration::from_hours(3),
    Duration::from_hours(6),
    Duration::from_hours(12),
    Duration::from_hours(24),
    Duration::from_hours(48),
    Duration::from_hours(72),
];

/// An endpoint without a success for so long, and with a dead letter, is disabled (API-8).
pub const DISABLE_AFTER: Duration = Duration::from_hours(8 * 24);

/// How long the secret before a rotation still signs beside the new one (API-7).
pub const OLD_SECRET_SIGNS: Duration = Duration::from_hours(24);

/// How long deliveries and their log are kept (API-9).
pub const LOG_KEPT: Duration = Duration::from_hours(30 * 24);

/// How long to wait after the `requests`-th request of a delivery failed, counted from its
/// beginning or its last replay; `None` when that was the last one (API-8).
///
/// `chance` in `[0, 1)` makes it up to a tenth longer, never shorter, so that endpoints which come
/// back are not met by everything at once. What the endpoint asked for (`Retry-After`) lengthens
/// it, up to the ladder's longest wait.
pub fn wait_after_failure(
    requests: i64,
    chance: f64,
    asked_for: Option<Duration>,
) -> Option<Duration> {
    let step = usize::try_from(requests.max(1) - 1).ok()?;
    let wait = LADDER.get(step)?.mul_f64(1.0 + chance / 10.0);
    Some(wait.max(asked_for.map_or(Duration::ZERO, longest_rest)))
}

/// What an endpoint asked for, up to the ladder's longest wait (API-8).
pub fn longest_rest(asked_for: Duration) -> Duration {
    asked_for.min(LADDER[LADDER.len() - 1])
}

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
    /// Whether requests are made. While they are not, deliveries wait.
    pub active: bool,
    /// Why the product itself switched it off (API-8).
    pub disabled_reason: Option<String>,
    pub last_success_at: Option<Timestamp>,
    pub last_failure_at: Option<Timestamp>,
    pub failures_in_a_row: i64,
    /// The last success, resumption or creation: [`DISABLE_AFTER`] counts from here.
    pub last_good_at: Timestamp,
    /// Asked for by the endpoint (`Retry-After`): no request before.
    pub rest_until: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Whether a webhook with these `events` is told of `kind` (API-6). The product's own events and
/// those of other webhooks' tests are for nobody.
pub fn subscribes(events: &[String], kind: EventKind) -> bool {
    kind.is_public()
        && kind != EventKind::WebhookTest
        && events.iter().any(|name| name == "*" || name == kind.name())
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
    /// Of these, before the last replay: the ladder counts from there.
    pub tries_before: i64,
    pub next_try_at: Timestamp,
    /// Why no request could be made, through no fault of the endpoint (SAFE-2).
    pub held_reason: Option<String>,
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
    /// The answer's status; `None` when no answer came.
    pub status: Option<i64>,
    pub response_body: String,
    /// Why it counts as a failure; `None` for a success.
    pub error: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    // API-8
    #[test]
    fn the_ladder_has_ten_waits_and_ends_after_166_hours() {
        let waits: Vec<_> = (1..=11).map(|n| wait_after_failure(n, 0.0, None)).collect();
        assert_eq!(waits[..10], LADDER.map(Some));
        assert_eq!(waits[10], None);
        assert_eq!(LADDER.iter().sum::<Duration>().as_secs() / 3600, 166);
    }

    // API-8: with all jitter the last request still comes before the endpoint may be disabled.
    #[test]
    fn jitter_lengthens_by_up_to_a_tenth() {
        let wait = wait_after_failure(1, 0.999, None).unwrap();
        assert!(
            wait > LADDER[0] && wait <= LADDER[0].mul_f64(1.1),
            "{wait:?}"
        );
        assert!(LADDER.iter().sum::<Duration>().mul_f64(1.1) < DISABLE_AFTER);
    }

    // API-8
    #[test]
    fn retry_after_lengthens_within_bounds() {
        let wait = |asked| wait_after_failure(1, 0.0, Some(Duration::from_secs(asked)));
        assert_eq!(wait(5), Some(LADDER[0]));
        assert_eq!(wait(600), Some(Duration::from_secs(600)));
        assert_eq!(wait(u64::MAX), Some(LADDER[9]));
    }

    // API-6
    #[test]
    fn a_star_is_every_public_event_but_other_webhooks_tests() {
        let all = ["*".to_owned()];
        assert!(subscribes(&all, EventKind::EmailSent));
        assert!(!subscribes(&all, EventKind::WebhookTest));
        assert!(!subscribes(&all, EventKind::EnrollmentCreated));
        assert!(!subscribes(
            &["email.sent".to_owned()],
            EventKind::EmailOpened
        ));
    }
}
