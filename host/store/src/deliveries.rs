//! One row for each webhook and event, and the log of the requests made for it.

use std::collections::BTreeMap;

use overture_domain::{
    DeliveryId, EventId, HostId, Timestamp, WebhookId, WorkspaceId,
    events::Event,
    webhooks::{Delivery, DeliveryState, DeliveryTry, Webhook},
};
use serde_json::{Value, json};

use crate::{
    Read, Record, Result, Row, Tx,
    query::{query, sql},
};

impl Record for Delivery {
    const TABLE: &'static str = "deliveries";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            workspace_id: row.id("workspace_id")?,
            webhook_id: row.id("webhook_id")?,
            event_id: row.id("event_id")?,
            state: row.parsed("state")?,
            tries: row.int("tries")?,
            tries_before: row.int("tries_before")?,
            next_try_at: row.time("next_try_at")?,
            held_reason: row.opt_text("held_reason")?,
            created_at: row.time("created_at")?,
            finished_at: row.opt_time("finished_at")?,
        })
    }
}

impl Record for DeliveryTry {
    const TABLE: &'static str = "delivery_tries";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            delivery_id: row.id("delivery_id")?,
            number: row.int("number")?,
            at: row.time("at")?,
            duration_ms: row.int("duration_ms")?,
            request_body: row.text("request_body")?,
            status: row.opt_int("status")?,
            response_body: row.text("response_body")?,
            error: row.opt_text("error")?,
        })
    }
}

/// An event that a webhook is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDelivery {
    pub id: DeliveryId,
    pub workspace_id: WorkspaceId,
    pub webhook_id: WebhookId,
    pub event_id: EventId,
}

/// Writes deliveries that are due at once. There is one for each webhook and event: a second one
/// is left out. How many were written.
pub async fn insert(tx: &mut Tx, deliveries: &[NewDelivery], now: Timestamp) -> Result<u64> {
    let rows: Vec<_> = deliveries
        .iter()
        .map(|new| {
            json!({
                "id": new.id,
                "workspace_id": new.workspace_id,
                "webhook_id": new.webhook_id,
                "event_id": new.event_id,
            })
        })
        .collect();
    query(sql!(
        "INSERT INTO deliveries (id, workspace_id, webhook_id, event_id, state, next_try_at, created_at)
         SELECT r.value->>'id', r.value->>'workspace_id', r.value->>'webhook_id', r.value->>'event_id', 'pending',
                CAST($2 AS BIGINT), CAST($2 AS BIGINT)
         FROM {rows $1} WHERE TRUE
         ON CONFLICT DO NOTHING"
    ))
    .bind_json(&rows)
    .bind(now)
    .execute(tx)
    .await
}

/// Which endpoints a claim is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Those whose last answer was a success, and new ones.
    Healthy,
    /// Those whose last answer was a failure: one request at a time.
    Struggling,
}

/// What may be claimed.
#[derive(Clone, Debug)]
pub struct Claim<'a> {
    pub host: HostId,
    pub now: Timestamp,
    /// The real moment, from which the lease counts.
    pub leased_at: Timestamp,
    pub lane: Lane,
    /// Requests at a time to one healthy endpoint.
    pub per_webhook: i64,
    /// Requests under way, by endpoint.
    pub under_way: &'a BTreeMap<WebhookId, i64>,
    /// At most so many.
    pub limit: i64,
}

/// A claimed delivery with all that it takes to make its request.
#[derive(Clone, Debug, PartialEq)]
pub struct Parcel {
    pub delivery: Delivery,
    pub webhook: Webhook,
    pub event: Event,
    pub workspace_name: String,
}

/// Leases due deliveries of active endpoints to a host, in one statement: the first of each
/// endpoint before the second of any, so that a long queue delays nobody else's (API-8).
pub async fn claim(tx: &mut Tx, claim: &Claim<'_>) -> Result<Vec<Parcel>> {
    let rows = query(sql!(
        "WITH picked AS MATERIALIZED (
             SELECT d.id
             FROM webhooks w
             CROSS JOIN {each SELECT x.id FROM deliveries x WHERE x.webhook_id = w.id AND x.state = 'pending' AND x.next_try_at <= $1 ORDER BY x.next_try_at, x.id LIMIT $2}
             JOIN deliveries d ON d.id = e.value
             LEFT JOIN (SELECT r.value->>'id' AS id, CAST(r.value->>'n' AS BIGINT) AS n FROM {rows $3}) busy ON busy.id = w.id
             WHERE w.active AND w.deleted_at IS NULL AND (w.rest_until IS NULL OR w.rest_until <= $1)
               AND (w.failures_in_a_row > 0) = $4
               AND e.key + COALESCE(busy.n, 0) < $2
             ORDER BY e.key + COALESCE(busy.n, 0), d.next_try_at, d.id
             LIMIT $5)
         UPDATE deliveries SET state = 'delivering', host_id = $6, leased_at = $7
         WHERE id IN (SELECT id FROM picked)
         RETURNING id"
    ))
    .bind(claim.now)
    .bind(match claim.lane {
        Lane::Healthy => claim.per_webhook,
        Lane::Struggling => 1,
    })
    .bind(busy(claim.under_way))
    .bind(claim.lane == Lane::Struggling)
    .bind(claim.limit)
    .bind(claim.host)
    .bind(claim.leased_at)
    .rows(tx)
    .await?;
    let ids = rows
        .iter()
        .map(|row| Ok(json!({"id": row.text("id")?})))
        .collect::<Result<Vec<_>>>()?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    parcels(tx, ids).await
}

fn busy(under_way: &BTreeMap<WebhookId, i64>) -> Value {
    under_way
        .iter()
        .map(|(id, n)| json!({"id": id, "n": n}))
        .collect()
}

async fn parcels(tx: &mut Tx, ids: Vec<Value>) -> Result<Vec<Parcel>> {
    let deliveries: Vec<Delivery> = query(sql!(
        "SELECT id, workspace_id, webhook_id, event_id, state, tries, tries_before, next_try_at, held_reason, created_at, finished_at
         FROM deliveries WHERE id IN (SELECT r.value->>'id' FROM {rows $1}) ORDER BY next_try_at, id"
    ))
    .bind(Value::Array(ids.clone()))
    .all(tx)
    .await?;
    let webhooks: Vec<Webhook> = query(sql!(
        "SELECT id, workspace_id, url, url_host, formatter, settings, events, secret, old_secret, old_secret_until, active, disabled_reason, last_success_at, last_failure_at, failures_in_a_row, last_good_at, rest_until, created_at, updated_at
         FROM webhooks WHERE id IN (SELECT d.webhook_id FROM {rows $1} JOIN deliveries d ON d.id = r.value->>'id')"
    ))
    .bind(Value::Array(ids.clone()))
    .all(tx)
    .await?;
    let events: Vec<Event> = query(sql!(
        "SELECT id, workspace_id, kind, channel, campaign_id, enrollment_id, prospect_id, account_id, occurred_at, dedup_key, data
         FROM events WHERE id IN (SELECT d.event_id FROM {rows $1} JOIN deliveries d ON d.id = r.value->>'id')"
    ))
    .bind(Value::Array(ids.clone()))
    .all(tx)
    .await?;
    let names = query(sql!(
        "SELECT id, name FROM workspaces WHERE id IN (SELECT d.workspace_id FROM {rows $1} JOIN deliveries d ON d.id = r.value->>'id')"
    ))
    .bind(Value::Array(ids))
    .rows(tx)
    .await?
    .iter()
    .map(|row| Ok((row.id("id")?, row.text("name")?)))
    .collect::<Result<BTreeMap<WorkspaceId, String>>>()?;
    let webhooks: BTreeMap<_, _> = webhooks.into_iter().map(|w| (w.id, w)).collect();
    let events: BTreeMap<_, _> = events.into_iter().map(|e| (e.id, e)).collect();
    Ok(deliveries
        .into_iter()
        .filter_map(|delivery| {
            Some(Parcel {
                webhook: webhooks.get(&delivery.webhook_id)?.clone(),
                event: events.get(&delivery.event_id)?.clone(),
                workspace_name: names.get(&delivery.workspace_id)?.clone(),
                delivery,
            })
        })
        .collect())
}

/// When the next delivery of an endpoint with free room is due; endpoints at their limit are left
/// out, and struggling ones when `lanes` has no room for them.
pub async fn next_due(
    on: &mut impl Read,
    lanes: &[Lane],
    per_webhook: i64,
    under_way: &BTreeMap<WebhookId, i64>,
) -> Result<Option<Timestamp>> {
    let rows = query(sql!(
        "SELECT MIN(CASE WHEN w.rest_until > w.due_at THEN w.rest_until ELSE w.due_at END) AS due_at
         FROM (SELECT id, rest_until, failures_in_a_row > 0 AS struggling,
                      (SELECT MIN(d.next_try_at) FROM deliveries d WHERE d.webhook_id = webhooks.id AND d.state = 'pending') AS due_at
               FROM webhooks WHERE active AND deleted_at IS NULL) w
         LEFT JOIN (SELECT r.value->>'id' AS id, CAST(r.value->>'n' AS BIGINT) AS n FROM {rows $1}) busy ON busy.id = w.id
         WHERE COALESCE(busy.n, 0) < CASE WHEN w.struggling THEN 1 ELSE $2 END
           AND ((w.struggling AND $3) OR (NOT w.struggling AND $4))"
    ))
    .bind(busy(under_way))
    .bind(per_webhook)
    .bind(lanes.contains(&Lane::Struggling))
    .bind(lanes.contains(&Lane::Healthy))
    .rows(on)
    .await?;
    rows.first().map_or(Ok(None), |row| row.opt_time("due_at"))
}

/// How one turn of a delivery ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub delivery_id: DeliveryId,
    pub webhook_id: WebhookId,
    pub workspace_id: WorkspaceId,
    pub at: Timestamp,
    pub end: End,
    /// The request and its answer; `None` where none was made.
    pub request: Option<DeliveryTry>,
    /// The endpoint asked for no further request before this moment.
    pub rest_until: Option<Timestamp>,
}

/// What becomes of the delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The endpoint took it.
    Delivered,
    /// The request failed; the next one is due then.
    RetryAt(Timestamp),
    /// The last request of its ladder failed (API-8).
    Dead,
    /// No request could be made, through no fault of the endpoint (SAFE-2): tried again then,
    /// and the ladder stays where it is.
    Held { until: Timestamp, reason: String },
}

/// Records how deliveries went that the host holds, and the health of their endpoints. An outcome
/// whose lease was taken away meanwhile changes nothing of its delivery.
pub async fn record(tx: &mut Tx, host: HostId, outcomes: &[Outcome]) -> Result<()> {
    let tries: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| Some((outcome, outcome.request.as_ref()?)))
        .map(|(outcome, request)| {
            json!({
                "delivery_id": outcome.delivery_id,
                "workspace_id": outcome.workspace_id,
                "number": request.number,
                "at": request.at.as_micros(),
                "duration_ms": request.duration_ms,
                "request_body": request.request_body,
                "status": request.status,
                "response_body": request.response_body,
                "error": request.error,
            })
        })
        .collect();
    query(sql!(
        "INSERT INTO delivery_tries (delivery_id, workspace_id, number, at, duration_ms, request_body, status, response_body, error)
         SELECT r.value->>'delivery_id', r.value->>'workspace_id', CAST(r.value->>'number' AS BIGINT), CAST(r.value->>'at' AS BIGINT),
                CAST(r.value->>'duration_ms' AS BIGINT), r.value->>'request_body', CAST(r.value->>'status' AS BIGINT),
                r.value->>'response_body', r.value->>'error'
         FROM {rows $1} WHERE TRUE
         ON CONFLICT DO NOTHING"
    ))
    .bind_json(&tries)
    .execute(tx)
    .await?;
    let ends: Vec<_> = outcomes.iter().map(end_row).collect();
    query(sql!(
        "UPDATE deliveries SET state = r.value->>'state',
             tries = tries + CAST(r.value->>'requests' AS BIGINT),
             next_try_at = COALESCE(CAST(r.value->>'next_try_at' AS BIGINT), next_try_at),
             held_reason = r.value->>'held_reason',
             finished_at = CAST(r.value->>'finished_at' AS BIGINT),
             host_id = NULL, leased_at = NULL
         FROM {rows $1}
         WHERE deliveries.id = r.value->>'id' AND deliveries.state = 'delivering' AND deliveries.host_id = $2"
    ))
    .bind_json(&ends)
    .bind(host)
    .execute(tx)
    .await?;
    record_health(tx, outcomes).await
}

fn end_row(outcome: &Outcome) -> Value {
    let (state, next_try_at, held_reason, finished_at) = match &outcome.end {
        End::Delivered => (DeliveryState::Delivered, None, None, Some(outcome.at)),
        End::RetryAt(at) => (DeliveryState::Pending, Some(*at), None, None),
        End::Dead => (DeliveryState::Dead, None, None, Some(outcome.at)),
        End::Held { until, reason } => (DeliveryState::Pending, Some(*until), Some(reason), None),
    };
    json!({
        "id": outcome.delivery_id,
        "state": state,
        "requests": i64::from(outcome.request.is_some()),
        "next_try_at": next_try_at.map(Timestamp::as_micros),
        "held_reason": held_reason,
        "finished_at": finished_at.map(Timestamp::as_micros),
    })
}

/// Adds up the answers of each endpoint, in their order.
async fn record_health(tx: &mut Tx, outcomes: &[Outcome]) -> Result<()> {
    #[derive(Default)]
    struct Health {
        success: Option<Timestamp>,
        failure: Option<Timestamp>,
        failures: i64,
        rest_until: Option<Timestamp>,
    }
    let mut endpoints = BTreeMap::<WebhookId, Health>::new();
    for outcome in outcomes {
        let health = match outcome.end {
            End::Held { .. } => continue,
            _ => endpoints.entry(outcome.webhook_id).or_default(),
        };
        if outcome.end == End::Delivered {
            *health = Health {
                success: Some(outcome.at),
                failure: health.failure,
                ..Health::default()
            };
        } else {
            health.failure = Some(outcome.at);
            health.failures += 1;
            health.rest_until = health.rest_until.max(outcome.rest_until);
        }
    }
    let rows: Vec<_> = endpoints
        .iter()
        .map(|(id, health)| {
            json!({
                "id": id,
                "success": health.success.map(Timestamp::as_micros),
                "failure": health.failure.map(Timestamp::as_micros),
                "failures": health.failures,
                "rest_until": health.rest_until.map(Timestamp::as_micros),
            })
        })
        .collect();
    query(sql!(
        "UPDATE webhooks SET
             last_success_at = COALESCE(CAST(r.value->>'success' AS BIGINT), last_success_at),
             last_good_at = COALESCE(CAST(r.value->>'success' AS BIGINT), last_good_at),
             last_failure_at = COALESCE(CAST(r.value->>'failure' AS BIGINT), last_failure_at),
             failures_in_a_row = CAST(r.value->>'failures' AS BIGINT) + CASE WHEN r.value->>'success' IS NULL THEN failures_in_a_row ELSE 0 END,
             rest_until = CAST(r.value->>'rest_until' AS BIGINT)
         FROM {rows $1} WHERE webhooks.id = r.value->>'id'"
    ))
    .bind_json(&rows)
    .execute(tx)
    .await?;
    Ok(())
}

/// One delivery.
pub async fn find(on: &mut impl Read, ws: WorkspaceId, id: DeliveryId) -> Result<Option<Delivery>> {
    query(sql!(
        "SELECT id, workspace_id, webhook_id, event_id, state, tries, tries_before, next_try_at, held_reason, created_at, finished_at
         FROM deliveries WHERE workspace_id = $1 AND id = $2"
    ))
    .bind(ws)
    .bind(id)
    .optional(on)
    .await
}

/// A page of a webhook's deliveries, newest first, before `before`.
pub async fn list(
    on: &mut impl Read,
    ws: WorkspaceId,
    webhook: WebhookId,
    state: Option<DeliveryState>,
    before: Option<DeliveryId>,
    limit: i64,
) -> Result<Vec<Delivery>> {
    let mut page = query(sql!(
        "SELECT id, workspace_id, webhook_id, event_id, state, tries, tries_before, next_try_at, held_reason, created_at, finished_at
         FROM deliveries WHERE workspace_id = $1 AND webhook_id = $2"
    ))
    .bind(ws)
    .bind(webhook);
    if let Some(state) = state {
        page = page.push_bind(" AND state = ", state.name());
    }
    if let Some(before) = before {
        page = page.push_bind(" AND id < ", before);
    }
    page.push_bind(" ORDER BY id DESC LIMIT ", limit)
        .all(on)
        .await
}

/// The requests made for a delivery, first to last.
pub async fn list_tries(
    on: &mut impl Read,
    ws: WorkspaceId,
    delivery: DeliveryId,
) -> Result<Vec<DeliveryTry>> {
    query(sql!(
        "SELECT delivery_id, number, at, duration_ms, request_body, status, response_body, error
         FROM delivery_tries WHERE workspace_id = $1 AND delivery_id = $2 ORDER BY number"
    ))
    .bind(ws)
    .bind(delivery)
    .all(on)
    .await
}

/// Makes deliveries of a webhook due at once: those of `ids`, or all dead letters. What had ended
/// gets a whole ladder anew; what is under way is left alone. How many.
pub async fn replay(
    tx: &mut Tx,
    ws: WorkspaceId,
    webhook: WebhookId,
    ids: Option<&[DeliveryId]>,
    now: Timestamp,
) -> Result<u64> {
    let replay = query(sql!(
        "UPDATE deliveries SET tries_before = CASE WHEN state = 'pending' THEN tries_before ELSE tries END,
             state = 'pending', next_try_at = $3, held_reason = NULL, finished_at = NULL
         WHERE workspace_id = $1 AND webhook_id = $2"
    ))
    .bind(ws)
    .bind(webhook)
    .bind(now);
    match ids {
        None => replay.push(" AND state = 'dead'"),
        Some(ids) => replay
            .push(" AND state <> 'delivering'")
            .push_bind(
                " AND id IN (SELECT r.value->>'id' FROM {rows ",
                ids.iter().map(|id| json!({"id": id})).collect::<Value>(),
            )
            .push("})"),
    }
    .execute(tx)
    .await
}

/// Makes held deliveries of a webhook due at once: what held them may be repaired.
pub async fn retry_held(
    tx: &mut Tx,
    ws: WorkspaceId,
    webhook: WebhookId,
    now: Timestamp,
) -> Result<u64> {
    query(sql!(
        "UPDATE deliveries SET next_try_at = $3
         WHERE workspace_id = $1 AND webhook_id = $2 AND state = 'pending' AND held_reason IS NOT NULL AND next_try_at > $3"
    ))
    .bind(ws)
    .bind(webhook)
    .bind(now)
    .execute(tx)
    .await
}

/// Clears the log of up to `limit` deliveries that ended before `before` (API-9). Gives up as many
/// that have waited since then, because their endpoint was paused or nothing could format them.
/// How many in all.
pub async fn clear(tx: &mut Tx, before: Timestamp, now: Timestamp, limit: i64) -> Result<u64> {
    query(sql!(
        "DELETE FROM delivery_tries WHERE delivery_id IN (SELECT id FROM deliveries WHERE finished_at < $1 ORDER BY finished_at, id LIMIT $2)"
    ))
    .bind(before)
    .bind(limit)
    .execute(tx)
    .await?;
    let cleared = query(sql!(
        "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE finished_at < $1 ORDER BY finished_at, id LIMIT $2)"
    ))
    .bind(before)
    .bind(limit)
    .execute(tx)
    .await?;
    let given_up = query(sql!(
        "UPDATE deliveries SET state = 'dead', held_reason = COALESCE(held_reason, 'the webhook was paused for 30 days'), finished_at = $2
         WHERE id IN (SELECT id FROM deliveries
                      WHERE state = 'pending' AND (next_try_at < $1 OR (held_reason IS NOT NULL AND created_at < $1)) ORDER BY id LIMIT $3)"
    ))
    .bind(before)
    .bind(now)
    .bind(limit)
    .execute(tx)
    .await?;
    Ok(cleared + given_up)
}
