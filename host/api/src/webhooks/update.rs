use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::{
    Env, Secret,
    webhooks::{self, WebhookPatch},
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::WebhookOut;
use crate::{Answer, Body, Caller, Error, PathId, error::ErrorEnvelope};

/// What to change; a field that is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WebhookPatchBody {
    #[schema(value_type = Option<String>)]
    url: Option<Secret>,
    events: Option<Vec<String>>,
    formatter: Option<String>,
    #[schema(value_type = Option<Object>)]
    settings: Option<serde_json::Value>,
    /// False pauses it: deliveries wait. True sends what has waited.
    is_active: Option<bool>,
}

/// Changes, pauses or resumes a webhook.
#[utoipa::path(
    patch, path = "/webhooks/{id}", tag = "Webhooks", params(("id" = String, Path)), request_body = WebhookPatchBody,
    responses(
        (status = 200, body = Answer<WebhookOut>),
        (status = 400, body = ErrorEnvelope),
        (status = 404, body = ErrorEnvelope)
    )
)]
pub(super) async fn update(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Webhook>,
    Body(body): Body<WebhookPatchBody>,
) -> Result<Answer<WebhookOut>, Error> {
    let ws = caller.allow("webhooks:write")?;
    let patch = WebhookPatch {
        url: body.url,
        events: body.events,
        formatter: body.formatter,
        settings: body.settings,
        active: body.is_active,
    };
    Ok(Answer::new(
        webhooks::update(&env, ws, id, patch).await?.into(),
    ))
}
