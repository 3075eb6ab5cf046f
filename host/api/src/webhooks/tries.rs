use axum::extract::{Path, State};
use overture_domain::{Timestamp, webhooks::DeliveryTry};
use overture_engine::{Env, webhooks};
use serde::Serialize;
use utoipa::ToSchema;

use super::DeliveryOut;
use crate::{Answer, Caller, Error, error::ErrorEnvelope};

/// A delivery with each request and its answer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeliveryDetailsOut {
    #[serde(flatten)]
    delivery: DeliveryOut,
    log: Vec<TryOut>,
}

/// One request and its answer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TryOut {
    /// From 1.
    number: i64,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    duration_ms: i64,
    request_body: String,
    status: Option<i64>,
    response_body: String,
    error: Option<String>,
}

impl From<DeliveryTry> for TryOut {
    fn from(one: DeliveryTry) -> Self {
        Self {
            number: one.number,
            at: one.at,
            duration_ms: one.duration_ms,
            request_body: one.request_body,
            status: one.status,
            response_body: one.response_body,
            error: one.error,
        }
    }
}

/// One delivery with each request and its answer.
#[utoipa::path(
    get, path = "/webhooks/{id}/deliveries/{deliveryId}", tag = "Webhooks",
    params(("id" = String, Path), ("deliveryId" = String, Path)),
    responses((status = 200, body = Answer<DeliveryDetailsOut>), (status = 404, body = ErrorEnvelope))
)]
pub(super) async fn tries(
    State(env): State<Env>,
    caller: Caller,
    Path((webhook, delivery)): Path<(String, String)>,
) -> Result<Answer<DeliveryDetailsOut>, Error> {
    let ws = caller.allow("webhooks:read")?;
    let unknown = || overture_engine::Error::NotFound("delivery");
    let webhook = webhook.parse().map_err(|_| unknown())?;
    let delivery = delivery.parse().map_err(|_| unknown())?;
    let (delivery, tries) = webhooks::find_delivery(&env, ws, webhook, delivery).await?;
    Ok(Answer::new(DeliveryDetailsOut {
        delivery: delivery.into(),
        log: tries.into_iter().map(TryOut::from).collect(),
    }))
}
