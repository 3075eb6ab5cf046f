use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::{Env, filters};

use super::SavedFilterOut;
use crate::{Answer, Caller, Error, PathId, error::ErrorEnvelope};

/// One saved filter.
#[utoipa::path(
    get, path = "/filters/{id}", tag = "Filters", params(("id" = String, Path)),
    responses((status = 200, body = Answer<SavedFilterOut>), (status = 404, body = ErrorEnvelope))
)]
pub(super) async fn get(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Filter>,
) -> Result<Answer<SavedFilterOut>, Error> {
    let ws = caller.allow("prospects:read")?;
    Ok(Answer::new(filters::get(&env, ws, id).await?.into()))
}
