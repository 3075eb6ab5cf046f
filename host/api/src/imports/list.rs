use axum::extract::State;
use overture_engine::Env;
use overture_store::imports;

use super::ImportOut;
use crate::{Caller, Error, Page, PageParams, Params};

/// Imports, newest first.
#[utoipa::path(get, path = "/imports", tag = "Imports", params(PageParams), responses((status = 200, body = Page<ImportOut>)))]
pub(super) async fn list(
    State(env): State<Env>,
    caller: Caller,
    Params(params): Params<PageParams>,
) -> Result<Page<ImportOut>, Error> {
    let ws = caller.allow("prospects:read")?;
    let limit = params.limit()?;
    let rows = imports::list(&mut env.db.reader(), ws, params.after()?, limit + 1).await?;
    Ok(Page::new(
        rows,
        limit,
        |row| row.id.to_string(),
        ImportOut::from,
    ))
}
