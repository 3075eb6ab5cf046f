use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::{Env, campaigns};

use super::CampaignOut;
use crate::{Answer, Caller, Error, PathId, error::ErrorEnvelope};

/// Pauses a campaign: nothing of it is sent any more, everybody keeps their place.
#[utoipa::path(
    post, path = "/campaigns/{id}/pause", tag = "Campaigns", params(("id" = String, Path)),
    responses(
        (status = 200, body = Answer<CampaignOut>),
        (status = 400, body = ErrorEnvelope),
        (status = 404, body = ErrorEnvelope)
    )
)]
pub(super) async fn pause(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Campaign>,
) -> Result<Answer<CampaignOut>, Error> {
    let ws = caller.allow("campaigns:write")?;
    Ok(Answer::new(
        campaigns::pause(&env, ws, id, &caller.actor())
            .await?
            .into(),
    ))
}
