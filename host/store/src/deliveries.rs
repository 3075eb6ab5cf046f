//! One row for each webhook and event, and the log of the requests made for it.

mod claim;
mod record;

pub use claim::{Claim, Lane, Parcel, claim, next_due};
pub use record::{End, Outcome, record};

use overture_domain::{
    DeliveryId, EventId, Timestamp, WebhookId, WorkspaceId,
    webhooks::{Delivery, DeliveryState, DeliveryTry},
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
