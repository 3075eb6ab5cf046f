use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::{Env, campaigns};

use super::CampaignDetailsOut;
use crate::{Answer, Caller, Error, PathId, error::ErrorEnvelope};

/// One campaign with its steps and mailboxes.
#[utoipa::path(
    get, path = "/campaigns/{id}", tag = "Campaigns", params(("id" = String, Path)),
    responses((status = 200, body = Answer<CampaignDetailsOut>), (status = 404, body = ErrorEnvelope))
)]
pub(super) async fn get(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Campaign>,
) -> Result<Answer<CampaignDetailsOut>, Error> {
    let ws = caller.allow("campaigns:read")?;
    Ok(Answer::new(campaigns::get(&env, ws, id).await?.into()))
}
