use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::{Env, lists};

use super::ListOut;
use crate::{Answer, Caller, Error, PathId, error::ErrorEnvelope};

/// One list.
#[utoipa::path(
    get, path = "/lists/{id}", tag = "Lists", params(("id" = String, Path)),
    responses((status = 200, body = Answer<ListOut>), (status = 404, body = ErrorEnvelope))
)]
pub(super) async fn get(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::List>,
) -> Result<Answer<ListOut>, Error> {
    let ws = caller.allow("prospects:read")?;
    Ok(Answer::new(lists::get(&env, ws, id).await?.into()))
}
