use axum::extract::State;
use overture_domain::ActionId;
use overture_engine::{Env, sends};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Answer, Body, Caller, Error, error::ErrorEnvelope};

/// Sends that one request decides.
const MAX: usize = 1_000;

/// What became of ambiguous sends.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ResolveBody {
    /// 1 to 1,000, of `/sends/ambiguous`.
    #[schema(value_type = Vec<String>)]
    ids: Vec<ActionId>,
    outcome: OutcomeIn,
}

/// Whether mails went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum OutcomeIn {
    /// They did: the sequences go on.
    Sent,
    /// They did not: they are sent again, with the same Message-ID.
    NotSent,
}

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResolvedOut {
    resolved: usize,
    /// Of these nothing was to be decided: unknown, or decided meanwhile.
    not_ambiguous: Vec<String>,
}

/// Decides ambiguous sends for good; who did is kept. Be sure: what is called not sent goes out
/// again.
#[utoipa::path(
    post, path = "/sends/resolve", tag = "Sends", request_body = ResolveBody,
    responses((status = 200, body = Answer<ResolvedOut>), (status = 400, body = ErrorEnvelope))
)]
pub(super) async fn resolve(
    State(env): State<Env>,
    caller: Caller,
    Body(body): Body<ResolveBody>,
) -> Result<Answer<ResolvedOut>, Error> {
    let ws = caller.allow("enrollments:write")?;
    if body.ids.is_empty() || body.ids.len() > MAX {
        let message = format!("name 1 to {MAX} sends; GET /sends/ambiguous lists them");
        return Err(Error::field("ids", "out_of_range", message));
    }
    let went_out = body.outcome == OutcomeIn::Sent;
    let resolved = sends::resolve(&env, ws, &body.ids, went_out, &caller.actor()).await?;
    let others = body.ids.iter().filter(|id| !resolved.contains(id));
    Ok(Answer::new(ResolvedOut {
        resolved: resolved.len(),
        not_ambiguous: others.map(ToString::to_string).collect(),
    }))
}
