use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::{Env, mailboxes};

use crate::{Answer, Caller, Deleted, Error, PathId, error::ErrorEnvelope};

/// Deletes a mailbox. People under way in campaigns keep their place and go on from another mailbox.
#[utoipa::path(
    delete, path = "/mailboxes/{id}", tag = "Mailboxes", params(("id" = String, Path)),
    responses((status = 200, body = Answer<Deleted>), (status = 404, body = ErrorEnvelope))
)]
pub(super) async fn delete(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Account>,
) -> Result<Answer<Deleted>, Error> {
    let ws = caller.allow("mailboxes:write")?;
    mailboxes::delete(&env, ws, id, &caller.actor()).await?;
    Ok(Answer::new(Deleted { id: id.to_string() }))
}
