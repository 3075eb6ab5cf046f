use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::Env;
use overture_store::{ByAge, alerts};

use super::AlertOut;
use crate::{Caller, Error, Page, Params, error::ErrorEnvelope, page::list_params};

list_params! {
    /// What to list.
    pub(super) struct Filter, sort: "`createdAt`" {
        /// open, closed or all.
        #[param(default = "open")]
        state: Option<String>,
    }
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
    let slice = params.page().slice::<ByAge, kinds::Alert>()?;
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
    let rows = alerts::list(&mut env.db.reader(), ws, filter, &slice).await?;
    Ok(Page::new(
        rows,
        slice.limit - 1,
        |row| row.id.to_string(),
        AlertOut::from,
    ))
}
