use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::{
    Env,
    sends::{self, About},
};

use super::WhyOut;
use crate::{Answer, Caller, Error, PathId, error::ErrorEnvelope};

/// Why nothing leaves from a mailbox now: the answer for whoever comes next there.
#[utoipa::path(
    get, path = "/mailboxes/{id}/why", operation_id = "why_mailbox", tag = "Mailboxes", params(("id" = String, Path)),
    responses((status = 200, body = Answer<WhyOut>), (status = 404, body = ErrorEnvelope))
)]
pub(super) async fn mailbox(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Account>,
) -> Result<Answer<WhyOut>, Error> {
    let ws = caller.allow("mailboxes:read")?;
    let answer = sends::why(&env, ws, About::Mailbox(id)).await?;
    Ok(Answer::new(answer.into()))
}
