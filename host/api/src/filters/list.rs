use axum::extract::State;
use overture_domain::{filters::SavedFilter, id::kinds};
use overture_engine::Env;
use overture_store::filters::{self, Sort};

use super::SavedFilterOut;
use crate::{
    Caller, Error, Page, Params,
    error::ErrorEnvelope,
    page::{self, list_params},
};

list_params! {
    /// What to list.
    pub(super) struct ListParams, sort: "`createdAt` or `name`" {}
}

/// Saved filters, oldest first.
#[utoipa::path(
    get, path = "/filters", tag = "Filters", params(ListParams),
    responses((status = 200, body = Page<SavedFilterOut>), (status = 400, body = ErrorEnvelope))
)]
pub(super) async fn list(
    State(env): State<Env>,
    caller: Caller,
    Params(params): Params<ListParams>,
) -> Result<Page<SavedFilterOut>, Error> {
    let ws = caller.allow("prospects:read")?;
    let slice = params.page().slice::<Sort, kinds::Filter>()?;
    let rows = filters::list(&mut env.db.reader(), ws, &slice).await?;
    let cursor = |row: &SavedFilter| page::cursor(&slice, row.id, |_| row.name.clone());
    Ok(Page::new(
        rows,
        slice.limit - 1,
        cursor,
        SavedFilterOut::from,
    ))
}
