use axum::extract::State;
use overture_domain::prospects::ProspectStatus;
use overture_engine::Env;
use overture_store::prospects;
use serde::Deserialize;
use utoipa::IntoParams;

use super::ProspectOut;
use crate::{Caller, Error, Page, PageParams, Params, error::ErrorEnvelope};

/// What to list; empty parameters don't filter.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Rows a page, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<i64>,
    /// `next_cursor` of the page before; leave out for the first.
    cursor: Option<String>,
    /// This address, in any case.
    email: Option<String>,
    /// active, bounced, unsubscribed, suppressed, invalid or do_not_contact.
    status: Option<String>,
    list_id: Option<String>,
    /// Part of any field, also of custom ones; from 3 characters on.
    #[param(min_length = 3)]
    search: Option<String>,
}

/// Prospects, oldest first.
#[utoipa::path(
    get, path = "/prospects", tag = "Prospects", params(Filter),
    responses((status = 200, body = Page<ProspectOut>), (status = 400, body = ErrorEnvelope))
)]
pub(super) async fn list(
    State(env): State<Env>,
    caller: Caller,
    Params(params): Params<Filter>,
) -> Result<Page<ProspectOut>, Error> {
    let ws = caller.allow("prospects:read")?;
    let page = PageParams {
        limit: params.limit,
        cursor: params.cursor,
    };
    let limit = page.limit()?;
    let status = params
        .status
        .map(|text| text.parse::<ProspectStatus>())
        .transpose();
    let list_id = params.list_id.map(|text| text.parse()).transpose();
    if params
        .search
        .as_ref()
        .is_some_and(|text| text.chars().count() < 3)
    {
        return Err(Error::field(
            "search",
            "too_short",
            "search for at least 3 characters",
        ));
    }
    let filter = prospects::Filter {
        email: params.email,
        status: status.map_err(|error| Error::field("status", "invalid", error.to_string()))?,
        list_id: list_id.map_err(|error: overture_domain::id::ParseIdError| {
            Error::field("listId", "invalid", error.to_string())
        })?,
        search: params.search,
    };
    let rows = prospects::list(&mut env.db.reader(), ws, &filter, page.after()?, limit + 1).await?;
    Ok(Page::new(
        rows,
        limit,
        |row| row.id.to_string(),
        ProspectOut::from,
    ))
}
