use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::{Env, webhooks};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Answer, Caller, Error, PathId, error::ErrorEnvelope};

/// The new secret, shown once.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SecretOut {
    secret: String,
}

/// Makes a new secret. For 24 hours requests are signed with both.
#[utoipa::path(
    post, path = "/webhooks/{id}/rotate-secret", tag = "Webhooks", params(("id" = String, Path)),
    responses((status = 200, body = Answer<SecretOut>), (status = 404, body = ErrorEnvelope))
)]
pub(super) async fn rotate_secret(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Webhook>,
) -> Result<Answer<SecretOut>, Error> {
    let ws = caller.allow("webhooks:write")?;
    let secret = webhooks::rotate_secret(&env, ws, id).await?;
    Ok(Answer::new(SecretOut {
        secret: secret.expose().to_owned(),
    }))
}
