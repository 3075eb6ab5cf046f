use axum::extract::State;
use overture_engine::{
    Env, Secret,
    webhooks::{self, WebhookIn},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::WebhookOut;
use crate::{Answer, Body, Caller, Created, Error, error::ErrorEnvelope};

/// A webhook to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WebhookBody {
    /// https, or http where the instance allows it.
    #[schema(value_type = String, example = "https://example.com/hooks")]
    url: Secret,
    /// Names of events, or `*`.
    #[schema(example = json!(["reply.received", "email.bounced"]))]
    events: Vec<String>,
    /// A formatter plugin; chosen by the URL's host where it is left out.
    formatter: Option<String>,
    /// The formatter's settings.
    #[schema(value_type = Option<Object>)]
    settings: Option<serde_json::Value>,
}

/// The webhook and its secret, which is shown once.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreatedWebhook {
    #[serde(flatten)]
    webhook: WebhookOut,
    /// Verifies both signatures: `webhook-signature` with its decoded bytes, `X-Warmy-Signature`
    /// with its text.
    #[schema(example = "whsec_…")]
    secret: String,
}

/// Makes a webhook. The secret is in this answer and nowhere else.
#[utoipa::path(
    post, path = "/webhooks", tag = "Webhooks", request_body = WebhookBody,
    responses((status = 201, body = Answer<CreatedWebhook>), (status = 400, body = ErrorEnvelope))
)]
pub(super) async fn create(
    State(env): State<Env>,
    caller: Caller,
    Body(body): Body<WebhookBody>,
) -> Result<Created<CreatedWebhook>, Error> {
    let ws = caller.allow("webhooks:write")?;
    let new = WebhookIn {
        url: body.url,
        events: body.events,
        formatter: body.formatter,
        settings: body.settings,
    };
    let (webhook, secret) = webhooks::create(&env, ws, new).await?;
    Ok(Created(CreatedWebhook {
        webhook: webhook.into(),
        secret: secret.expose().to_owned(),
    }))
}
