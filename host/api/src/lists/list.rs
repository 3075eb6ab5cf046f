use axum::extract::State;
use overture_engine::Env;
use overture_store::lists;

use super::ListOut;
use crate::{Caller, Error, Page, PageParams, Params};

/// Lists, oldest first.
#[utoipa::path(get, path = "/lists", tag = "Lists", params(PageParams), responses((status = 200, body = Page<ListOut>)))]
pub(super) async fn list(
    State(env): State<Env>,
    caller: Caller,
    Params(params): Params<PageParams>,
) -> Result<Page<ListOut>, Error> {
    let ws = caller.allow("prospects:read")?;
    let limit = params.limit()?;
    let rows = lists::list(&mut env.db.reader(), ws, params.after()?, limit + 1).await?;
    Ok(Page::new(
        rows,
        limit,
        |row| row.id.to_string(),
        ListOut::from,
    ))
}
