//! Deliveries on their way, and the one place where their outcomes are recorded.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use overture_domain::{
    Timestamp, WebhookId, WorkspaceId,
    events::{Event, EventKind},
    webhooks::DISABLE_AFTER,
};
use overture_store::{
    Tx,
    deliveries::{self, End, Lane, Outcome},
    events, webhooks as store,
};
use serde_json::json;

use crate::{Env, Result};

/// How many deliveries are on their way, to whom, and those that came back and wait to be
/// recorded. Part of [`Env`]; begins as its default.
#[derive(Debug, Default)]
pub struct Couriers {
    out: Mutex<Out>,
    back: Mutex<Vec<Outcome>>,
    /// Held while a batch is recorded: what comes back meanwhile is the next one.
    recording: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Out {
    by_webhook: BTreeMap<WebhookId, i64>,
    struggling: usize,
    /// When the log is next cleared.
    next_sweep: Timestamp,
}

/// A delivery that is out; it counts until this is dropped.
pub(super) struct Place {
    env: Env,
    webhook: WebhookId,
    lane: Lane,
}

impl Couriers {
    /// Requests under way, by endpoint.
    pub(super) fn by_webhook(&self) -> BTreeMap<WebhookId, i64> {
        self.out().by_webhook.clone()
    }

    /// Requests under way in all, and those of them to struggling endpoints.
    pub(super) fn count(&self) -> (usize, usize) {
        let out = self.out();
        let all = out.by_webhook.values().sum::<i64>();
        (usize::try_from(all).unwrap_or(0), out.struggling)
    }

    /// Notes that a delivery goes out.
    pub(super) fn leave(env: &Env, webhook: WebhookId, lane: Lane) -> Place {
        let mut out = env.couriers.out();
        *out.by_webhook.entry(webhook).or_default() += 1;
        out.struggling += usize::from(lane == Lane::Struggling);
        Place {
            env: env.clone(),
            webhook,
            lane,
        }
    }

    /// Whether the log is to be cleared now; then not again before `next`.
    pub(super) fn is_time_to_sweep(&self, now: Timestamp, next: Timestamp) -> bool {
        let mut out = self.out();
        let due = now >= out.next_sweep;
        if due {
            out.next_sweep = next;
        }
        due
    }

    /// When the log is next cleared.
    pub(super) fn next_sweep(&self) -> Timestamp {
        self.out().next_sweep
    }

    /// A delivery came back: it is recorded together with those that came back meanwhile.
    pub(super) fn come_back(&self, outcome: Outcome) {
        self.back().push(outcome);
    }

    fn out(&self) -> MutexGuard<'_, Out> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn back(&self) -> MutexGuard<'_, Vec<Outcome>> {
        self.back.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut out = self.env.couriers.out();
        if let Some(n) = out.by_webhook.get_mut(&self.webhook) {
            *n -= 1;
            if *n == 0 {
                out.by_webhook.remove(&self.webhook);
            }
        }
        out.struggling -= usize::from(self.lane == Lane::Struggling);
    }
}

/// Records all that came back, in one transaction. What can't be recorded is kept for the next
/// time.
pub(super) async fn record(env: &Env) -> Result<()> {
    let couriers = &env.couriers;
    let _recording = couriers.recording.lock().await;
    let outcomes = std::mem::take(&mut *couriers.back());
    if outcomes.is_empty() {
        return Ok(());
    }
    let recorded = in_one_transaction(env, &outcomes).await;
    if recorded.is_err() {
        couriers.back().extend(outcomes);
    }
    recorded
}

async fn in_one_transaction(env: &Env, outcomes: &[Outcome]) -> Result<()> {
    let mut tx = env.db.begin().await?;
    deliveries::record(&mut tx, env.host, outcomes).await?;
    let dead: Vec<_> = outcomes
        .iter()
        .filter(|outcome| outcome.end == End::Dead)
        .map(|outcome| tell_of_dead_letter(env, outcome))
        .collect();
    events::insert(&mut tx, &dead).await?;
    for outcome in outcomes {
        let status = outcome.request.as_ref().and_then(|request| request.status);
        if status == Some(410) {
            let reason = "the endpoint answered 410 Gone: it wants no more requests";
            disable(
                env,
                &mut tx,
                outcome.workspace_id,
                outcome.webhook_id,
                reason,
            )
            .await?;
        }
    }
    if outcomes.iter().any(|outcome| outcome.end != End::Delivered) {
        disable_hopeless(env, &mut tx).await?;
    }
    tx.commit().await?;
    outcomes.iter().for_each(count);
    Ok(())
}

fn count(outcome: &Outcome) {
    let end = match outcome.end {
        End::Delivered => "delivered",
        End::RetryAt(_) => "retried",
        End::Dead => "dead",
        End::Held { .. } => "held",
    };
    metrics::counter!("overture_webhook_deliveries_total", "outcome" => end).increment(1);
    if let Some(request) = &outcome.request {
        metrics::histogram!("overture_webhook_request_seconds")
            .record(request.duration_ms as f64 / 1_000.0);
    }
}

/// Switches off the endpoints that have not answered well for 8 days and let a delivery die
/// (API-8).
pub(super) async fn disable_hopeless(env: &Env, tx: &mut Tx) -> Result<()> {
    for webhook in store::list_hopeless(tx, env.now() - DISABLE_AFTER).await? {
        let reason = format!(
            "no request has succeeded since {}, and a delivery has failed for good",
            webhook.last_good_at
        );
        disable(env, tx, webhook.workspace_id, webhook.id, &reason).await?;
    }
    Ok(())
}

async fn disable(
    env: &Env,
    tx: &mut Tx,
    ws: WorkspaceId,
    webhook: WebhookId,
    reason: &str,
) -> Result<()> {
    if store::disable(tx, ws, webhook, reason, env.now()).await? {
        tracing::warn!(webhook.id = %webhook, "webhook is disabled: {reason}");
        let data = json!({"webhookId": webhook, "reason": reason, "disabledAt": env.now()});
        let notice = notice(env, ws, EventKind::WebhookDisabled, env.now(), data);
        events::insert(tx, &[notice]).await?;
    }
    Ok(())
}

fn tell_of_dead_letter(env: &Env, outcome: &Outcome) -> Event {
    let request = outcome.request.as_ref();
    let error = request.and_then(|request| request.error.as_deref());
    tracing::warn!(
        webhook.id = %outcome.webhook_id,
        delivery.id = %outcome.delivery_id,
        "a delivery failed for good: {}",
        error.unwrap_or("no request was made"),
    );
    let data = json!({
        "webhookId": outcome.webhook_id,
        "deliveryId": outcome.delivery_id,
        "tries": request.map(|request| request.number),
        "error": error,
        "failedAt": outcome.at,
    });
    let kind = EventKind::WebhookDeliveryFailed;
    notice(env, outcome.workspace_id, kind, outcome.at, data)
}

/// What the owner is told (WS-8); no webhook is told of it.
fn notice(
    env: &Env,
    ws: WorkspaceId,
    kind: EventKind,
    at: Timestamp,
    data: serde_json::Value,
) -> Event {
    Event {
        id: env.id(),
        workspace_id: ws,
        kind,
        channel: None,
        campaign_id: None,
        enrollment_id: None,
        prospect_id: None,
        account_id: None,
        occurred_at: at,
        dedup_key: None,
        data,
    }
}
