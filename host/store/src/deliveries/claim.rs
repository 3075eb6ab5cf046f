//! Which deliveries go out now, and when the next ones do.

use std::collections::BTreeMap;

use overture_domain::{
    HostId, Timestamp, WebhookId, WorkspaceId,
    events::Event,
    webhooks::{Delivery, Webhook},
};
use serde_json::{Value, json};

use crate::{
    Read, Result, Tx,
    query::{query, sql},
};

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
