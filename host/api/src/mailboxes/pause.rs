use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::{Env, mailboxes::status};

use super::MailboxOut;
use crate::{Answer, Caller, Error, PathId, error::ErrorEnvelope};

/// Pauses a mailbox: nothing goes out from it until it is resumed.
#[utoipa::path(
    post, path = "/mailboxes/{id}/pause", tag = "Mailboxes", params(("id" = String, Path)),
    responses(
        (status = 200, body = Answer<MailboxOut>),
        (status = 400, body = ErrorEnvelope),
        (status = 404, body = ErrorEnvelope)
    )
)]
pub(super) async fn pause(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Account>,
) -> Result<Answer<MailboxOut>, Error> {
    let ws = caller.allow("mailboxes:write")?;
    Ok(Answer::new(
        status::pause(&env, ws, id, &caller.actor()).await?.into(),
    ))
}
