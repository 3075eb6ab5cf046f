use axum::extract::State;
use overture_domain::events::EventKind;
use overture_engine::Env;
use overture_store::events;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Cursor, EventOut};
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
    /// `reply.received` and the like.
    r#type: Option<String>,
    campaign_id: Option<String>,
    prospect_id: Option<String>,
}

/// Events, oldest first.
#[utoipa::path(
    get, path = "/events", tag = "Events", params(Filter),
    responses((status = 200, body = Page<EventOut>), (status = 400, body = ErrorEnvelope))
)]
pub(super) async fn list(
    State(env): State<Env>,
    caller: Caller,
    Params(params): Params<Filter>,
) -> Result<Page<EventOut>, Error> {
    let ws = caller.allow("campaigns:read")?;
    let page = PageParams {
        limit: params.limit,
        cursor: params.cursor,
    };
    let limit = page.limit()?;
    let after = page.after::<Cursor>()?.unwrap_or_default();
    let filter = events::Filter {
        kind: parsed::<EventKind>("type", params.r#type)?,
        campaign_id: parsed("campaignId", params.campaign_id)?,
        prospect_id: parsed("prospectId", params.prospect_id)?,
    };
    let rows = events::list(&mut env.db.reader(), ws, &filter, after.0, limit + 1).await?;
    Ok(Page::new(
        rows,
        limit,
        |row| Cursor(row.position).to_string(),
        EventOut::from,
    ))
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
    field: &str,
    text: Option<String>,
) -> Result<Option<T>, Error> {
    text.map(|text| text.parse())
        .transpose()
        .map_err(|error: T::Err| Error::field(field, "invalid", error.to_string()))
}
