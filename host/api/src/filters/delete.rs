use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::{Env, filters};

use crate::{Answer, Caller, Deleted, Error, PathId, error::ErrorEnvelope};

/// Forgets a saved filter. Nobody whom it shows is touched.
#[utoipa::path(
    delete, path = "/filters/{id}", tag = "Filters", params(("id" = String, Path)),
    responses((status = 200, body = Answer<Deleted>), (status = 404, body = ErrorEnvelope))
)]
pub(super) async fn delete(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Filter>,
) -> Result<Answer<Deleted>, Error> {
    let ws = caller.allow("prospects:write")?;
    filters::delete(&env, ws, id).await?;
    Ok(Answer::new(Deleted { id: id.to_string() }))
}
