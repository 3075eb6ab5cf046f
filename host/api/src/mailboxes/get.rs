use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::{Env, mailboxes};

use super::MailboxOut;
use crate::{Answer, Caller, Error, PathId, error::ErrorEnvelope};

/// One mailbox.
#[utoipa::path(
    get, path = "/mailboxes/{id}", tag = "Mailboxes", params(("id" = String, Path)),
    responses((status = 200, body = Answer<MailboxOut>), (status = 404, body = ErrorEnvelope))
)]
pub(super) async fn get(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Account>,
) -> Result<Answer<MailboxOut>, Error> {
    let ws = caller.allow("mailboxes:read")?;
    Ok(Answer::new(mailboxes::get(&env, ws, id).await?.into()))
}
