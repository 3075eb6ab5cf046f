use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::{Env, webhooks};

use crate::{Answer, Caller, Deleted, Error, PathId, error::ErrorEnvelope};

/// Deletes a webhook; what waits for it is not delivered any more.
#[utoipa::path(
    delete, path = "/webhooks/{id}", tag = "Webhooks", params(("id" = String, Path)),
    responses((status = 200, body = Answer<Deleted>), (status = 404, body = ErrorEnvelope))
)]
pub(super) async fn delete(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Webhook>,
) -> Result<Answer<Deleted>, Error> {
    let ws = caller.allow("webhooks:write")?;
    webhooks::delete(&env, ws, id).await?;
    Ok(Answer::new(Deleted { id: id.to_string() }))
}
