//! How deliveries went, and the health of their endpoints.

use std::collections::BTreeMap;

use overture_domain::{
    DeliveryId, HostId, Timestamp, WebhookId, WorkspaceId,
    webhooks::{DeliveryState, DeliveryTry},
};
use serde_json::{Value, json};

use crate::{
    Result, Tx,
    query::{query, sql},
};

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
