use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::{Env, campaigns};

use super::CampaignOut;
use crate::{Answer, Caller, Error, PathId, error::ErrorEnvelope};

/// Starts a campaign. When it can't, the answer lists every cause. A start date ahead makes it scheduled.
#[utoipa::path(
    post, path = "/campaigns/{id}/start", tag = "Campaigns", params(("id" = String, Path)),
    responses(
        (status = 200, body = Answer<CampaignOut>),
        (status = 400, body = ErrorEnvelope),
        (status = 404, body = ErrorEnvelope)
    )
)]
pub(super) async fn start(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Campaign>,
) -> Result<Answer<CampaignOut>, Error> {
    let ws = caller.allow("campaigns:write")?;
    Ok(Answer::new(
        campaigns::start(&env, ws, id, &caller.actor())
            .await?
            .into(),
    ))
}
