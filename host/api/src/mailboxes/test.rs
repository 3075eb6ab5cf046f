use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::{Env, mailboxes};
use serde::Serialize;
use utoipa::ToSchema;

use super::LegOut;
use crate::{Answer, Caller, Error, PathId, error::ErrorEnvelope};

/// How a test went.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TestedOut {
    /// Every leg works.
    ok: bool,
    legs: Vec<LegOut>,
}

/// Tests a mailbox's connections for real. Each leg that doesn't work says how far it came, a
/// stable code, the server's own words and the fix.
#[utoipa::path(
    post, path = "/mailboxes/{id}/test", tag = "Mailboxes", params(("id" = String, Path)),
    responses((status = 200, body = Answer<TestedOut>), (status = 404, body = ErrorEnvelope))
)]
pub(super) async fn test(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Account>,
) -> Result<Answer<TestedOut>, Error> {
    let ws = caller.allow("mailboxes:write")?;
    let legs = mailboxes::test(&env, ws, id, &caller.actor()).await?;
    let ok = legs.iter().all(|leg| leg.problem.is_none());
    Ok(Answer::new(TestedOut {
        ok,
        legs: legs.into_iter().map(LegOut::from).collect(),
    }))
}
