use axum::extract::State;
use overture_engine::Env;
use overture_store::evidence;

use super::AmbiguousSendOut;
use crate::{Caller, Error, Page, PageParams, Params, error::ErrorEnvelope};

/// Mails of which nobody knows whether they went out, oldest first. Each holds its enrollment
/// (`ambiguous_send`) until evidence or a person decides.
#[utoipa::path(
    get, path = "/sends/ambiguous", tag = "Sends", params(PageParams),
    responses((status = 200, body = Page<AmbiguousSendOut>), (status = 400, body = ErrorEnvelope))
)]
pub(super) async fn ambiguous(
    State(env): State<Env>,
    caller: Caller,
    Params(page): Params<PageParams>,
) -> Result<Page<AmbiguousSendOut>, Error> {
    let ws = caller.allow("campaigns:read")?;
    let limit = page.limit()?;
    let rows = evidence::list(&mut env.db.reader(), ws, page.after()?, limit + 1).await?;
    Ok(Page::new(
        rows,
        limit,
        |row| row.action.id.to_string(),
        AmbiguousSendOut::from,
    ))
}
