use axum::extract::State;
use overture_domain::{id::kinds, prospects::List};
use overture_engine::Env;
use overture_store::lists::{self, Sort};

use super::ListOut;
use crate::{
    Caller, Error, Page, Params,
    error::ErrorEnvelope,
    page::{self, list_params},
};

list_params! {
    /// What to list.
    pub(super) struct Filter, sort: "`createdAt` or `name`" {}
}

/// Lists, oldest first.
#[utoipa::path(
    get, path = "/lists", tag = "Lists", params(Filter),
    responses((status = 200, body = Page<ListOut>), (status = 400, body = ErrorEnvelope))
)]
pub(super) async fn list(
    State(env): State<Env>,
    caller: Caller,
    Params(params): Params<Filter>,
) -> Result<Page<ListOut>, Error> {
    let ws = caller.allow("prospects:read")?;
    let slice = params.page().slice::<Sort, kinds::List>()?;
    let rows = lists::list(&mut env.db.reader(), ws, &slice).await?;
    let cursor = |row: &List| page::cursor(&slice, row.id, |_| row.name.clone());
    Ok(Page::new(rows, slice.limit - 1, cursor, ListOut::from))
}
