use axum::extract::State;
use overture_engine::{Env, mailboxes};

use super::MailboxOut;
use crate::{Caller, Error, Page, PageParams, Params};

/// Mailboxes, oldest first.
#[utoipa::path(get, path = "/mailboxes", tag = "Mailboxes", params(PageParams), responses((status = 200, body = Page<MailboxOut>)))]
pub(super) async fn list(
    State(env): State<Env>,
    caller: Caller,
    Params(params): Params<PageParams>,
) -> Result<Page<MailboxOut>, Error> {
    let ws = caller.allow("mailboxes:read")?;
    let limit = params.limit()?;
    let rows = mailboxes::list(&env, ws, params.after()?, limit + 1).await?;
    Ok(Page::new(
        rows,
        limit,
        |row| row.id.to_string(),
        MailboxOut::from,
    ))
}
