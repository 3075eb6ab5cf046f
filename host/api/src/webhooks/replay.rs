use axum::extract::State;
use overture_domain::{DeliveryId, id::kinds};
use overture_engine::{
    Env,
    webhooks::{self, Replay},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Answer, Body, Caller, Error, PathId, error::ErrorEnvelope};

/// What to deliver again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct ReplayBody {
    /// These; left out: every dead letter.
    #[schema(value_type = Option<Vec<String>>)]
    delivery_ids: Option<Vec<DeliveryId>>,
}

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReplayedOut {
    replayed_count: u64,
}

/// Delivers again: the named deliveries, or every dead letter.
#[utoipa::path(
    post, path = "/webhooks/{id}/replay", tag = "Webhooks", params(("id" = String, Path)), request_body = ReplayBody,
    responses((status = 200, body = Answer<ReplayedOut>), (status = 404, body = ErrorEnvelope))
)]
pub(super) async fn replay(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Webhook>,
    Body(body): Body<ReplayBody>,
) -> Result<Answer<ReplayedOut>, Error> {
    let ws = caller.allow("webhooks:write")?;
    let what = body.delivery_ids.map_or(Replay::Dead, Replay::Deliveries);
    let replayed_count = webhooks::replay(&env, ws, id, what).await?;
    Ok(Answer::new(ReplayedOut { replayed_count }))
}
