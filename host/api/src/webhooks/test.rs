use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::{Env, webhooks};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Answer, Caller, Error, PathId, error::ErrorEnvelope};

/// The event that was made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TestEventOut {
    /// Its delivery shows how it went.
    event_id: String,
}

/// Sends `webhook.test` to this webhook.
#[utoipa::path(
    post, path = "/webhooks/{id}/test", tag = "Webhooks", params(("id" = String, Path)),
    responses(
        (status = 200, body = Answer<TestEventOut>),
        (status = 404, body = ErrorEnvelope),
        (status = 409, description = "It is paused", body = ErrorEnvelope)
    )
)]
pub(super) async fn test(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Webhook>,
) -> Result<Answer<TestEventOut>, Error> {
    let ws = caller.allow("webhooks:write")?;
    let event_id = webhooks::test(&env, ws, id).await?.to_string();
    Ok(Answer::new(TestEventOut { event_id }))
}
