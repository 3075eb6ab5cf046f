use axum::extract::State;
use overture_domain::{id::kinds, webhooks::DeliveryState};
use overture_engine::{Env, webhooks};
use serde::Deserialize;
use utoipa::IntoParams;

use super::DeliveryOut;
use crate::{Caller, Error, Page, PageParams, Params, PathId, error::ErrorEnvelope};

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
    /// pending, delivering, delivered or dead.
    state: Option<String>,
}

/// A webhook's deliveries of the last 30 days, newest first.
#[utoipa::path(
    get, path = "/webhooks/{id}/deliveries", tag = "Webhooks", params(("id" = String, Path), Filter),
    responses((status = 200, body = Page<DeliveryOut>), (status = 404, body = ErrorEnvelope))
)]
pub(super) async fn deliveries(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Webhook>,
    Params(params): Params<Filter>,
) -> Result<Page<DeliveryOut>, Error> {
    let ws = caller.allow("webhooks:read")?;
    let page = PageParams {
        limit: params.limit,
        cursor: params.cursor,
    };
    let limit = page.limit()?;
    let state = params
        .state
        .map(|text| text.parse::<DeliveryState>())
        .transpose();
    let state = state.map_err(|error| Error::field("state", "invalid", error.to_string()))?;
    let rows = webhooks::list_deliveries(&env, ws, id, state, page.after()?, limit + 1).await?;
    Ok(Page::new(
        rows,
        limit,
        |row| row.id.to_string(),
        DeliveryOut::from,
    ))
}
