use axum::extract::State;
use overture_domain::campaigns::CampaignStatus;
use overture_engine::{Env, campaigns};
use serde::Deserialize;
use utoipa::IntoParams;

use super::CampaignOut;
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
    status: Option<String>,
}

/// Campaigns, oldest first.
#[utoipa::path(
    get, path = "/campaigns", tag = "Campaigns", params(Filter),
    responses((status = 200, body = Page<CampaignOut>), (status = 400, body = ErrorEnvelope))
)]
pub(super) async fn list(
    State(env): State<Env>,
    caller: Caller,
    Params(params): Params<Filter>,
) -> Result<Page<CampaignOut>, Error> {
    let ws = caller.allow("campaigns:read")?;
    let page = PageParams {
        limit: params.limit,
        cursor: params.cursor,
    };
    let limit = page.limit()?;
    let status = params
        .status
        .map(|text| text.parse::<CampaignStatus>())
        .transpose();
    let status = status.map_err(|error| Error::field("status", "invalid", error.to_string()))?;
    let rows = campaigns::list(&env, ws, status, page.after()?, limit + 1).await?;
    Ok(Page::new(
        rows,
        limit,
        |row| row.id.to_string(),
        CampaignOut::from,
    ))
}
