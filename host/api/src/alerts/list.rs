use axum::extract::State;
use overture_engine::Env;
use overture_store::alerts;
use serde::Deserialize;
use utoipa::IntoParams;

use super::AlertOut;
use crate::{Caller, Error, Page, PageParams, Params, error::ErrorEnvelope};

/// What to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Rows a page, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<i64>,
    /// `next_cursor` of the page before; leave out for the first.
    cursor: Option<String>,
    /// open, closed or all.
    #[param(default = "open")]
    state: Option<String>,
}

/// What an admin must see to, oldest first; open alerts unless `state` says otherwise.
#[utoipa::path(
    get, path = "/alerts", tag = "Alerts", params(Filter),
    responses((status = 200, body = Page<AlertOut>), (status = 400, body = ErrorEnvelope))
)]
pub(super) async fn list(
    State(env): State<Env>,
    caller: Caller,
    Params(params): Params<Filter>,
) -> Result<Page<AlertOut>, Error> {
    let ws = caller.allow("alerts:read")?;
    let page = PageParams {
        limit: params.limit,
        cursor: params.cursor,
    };
    let limit = page.limit()?;
    let open = match params.state.as_deref() {
        None | Some("open") => Some(true),
        Some("closed") => Some(false),
        Some("all") => None,
        Some(_) => {
            let message = "`state` is one of open, closed, all";
            return Err(Error::field("state", "invalid", message));
        }
    };
    let filter = alerts::Filter {
        open,
        of_instance: caller.is_instance_admin(),
    };
    let rows = alerts::list(&mut env.db.reader(), ws, filter, page.after()?, limit + 1).await?;
    Ok(Page::new(
        rows,
        limit,
        |row| row.id.to_string(),
        AlertOut::from,
    ))
}
