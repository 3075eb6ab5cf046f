use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::{Env, webhooks};

use super::WebhookOut;
use crate::{Answer, Caller, Error, PathId, error::ErrorEnvelope};

/// One webhook.
#[utoipa::path(
    get, path = "/webhooks/{id}", tag = "Webhooks", params(("id" = String, Path)),
    responses((status = 200, body = Answer<WebhookOut>), (status = 404, body = ErrorEnvelope))
)]
pub(super) async fn get(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Webhook>,
) -> Result<Answer<WebhookOut>, Error> {
    let ws = caller.allow("webhooks:read")?;
    Ok(Answer::new(webhooks::find(&env, ws, id).await?.into()))
}
