use axum::extract::State;
use overture_domain::prospects::{SuppressionKind, SuppressionSource};
use overture_engine::{
    Env,
    suppressions::{self, Suppress},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Answer, Body, Caller, Error, error::ErrorEnvelope};

/// Whom never to write to again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SuppressBody {
    #[schema(max_items = 1000)]
    emails: Vec<String>,
    #[serde(default)]
    reason: String,
}

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SuppressedOut {
    suppressed_count: usize,
}

/// Suppresses addresses: nothing is sent to them any more, in no campaign. Suppressing one again
/// changes nothing.
#[utoipa::path(
    post, path = "/prospects/suppress", tag = "Suppressions", request_body = SuppressBody,
    responses((status = 200, body = Answer<SuppressedOut>), (status = 400, body = ErrorEnvelope))
)]
pub(super) async fn create(
    State(env): State<Env>,
    caller: Caller,
    Body(body): Body<SuppressBody>,
) -> Result<Answer<SuppressedOut>, Error> {
    let ws = caller.allow("suppressions:write")?;
    if body.emails.is_empty() || body.emails.len() > 1_000 {
        return Err(Error::field(
            "emails",
            "invalid",
            "1 to 1,000 addresses a request",
        ));
    }
    let what = Suppress {
        kind: SuppressionKind::Email,
        values: body.emails,
        source: SuppressionSource::Manual,
        reason: body.reason,
    };
    suppressions::create(&env, ws, &what).await?;
    Ok(Answer::new(SuppressedOut {
        suppressed_count: what.values.len(),
    }))
}
