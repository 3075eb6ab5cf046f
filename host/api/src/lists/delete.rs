use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::{Env, lists};

use crate::{Answer, Caller, Deleted, Error, PathId, error::ErrorEnvelope};

/// Deletes a list. Its prospects stay, and so do the campaigns that they are in.
#[utoipa::path(
    delete, path = "/lists/{id}", tag = "Lists", params(("id" = String, Path)),
    responses(
        (status = 200, body = Answer<Deleted>),
        (status = 404, body = ErrorEnvelope),
        (status = 409, description = "An import writes into it", body = ErrorEnvelope)
    )
)]
pub(super) async fn delete(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::List>,
) -> Result<Answer<Deleted>, Error> {
    let ws = caller.allow("prospects:write")?;
    lists::delete(&env, ws, id).await?;
    Ok(Answer::new(Deleted { id: id.to_string() }))
}
