use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::{
    Env,
    sends::{self, About},
};

use super::WhyOut;
use crate::{Answer, Caller, Error, PathId, error::ErrorEnvelope};

/// Why a campaign sends nothing now: the answer for whoever in it comes next.
#[utoipa::path(
    get, path = "/campaigns/{id}/why", operation_id = "why_campaign", tag = "Campaigns", params(("id" = String, Path)),
    responses((status = 200, body = Answer<WhyOut>), (status = 404, body = ErrorEnvelope))
)]
pub(super) async fn campaign(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Campaign>,
) -> Result<Answer<WhyOut>, Error> {
    let ws = caller.allow("campaigns:read")?;
    let answer = sends::why(&env, ws, About::Campaign(id)).await?;
    Ok(Answer::new(answer.into()))
}
