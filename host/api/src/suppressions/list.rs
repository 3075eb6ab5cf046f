use axum::extract::State;
use overture_domain::prospects::SuppressionKind;
use overture_engine::Env;
use overture_store::suppressions;
use serde::Deserialize;
use utoipa::IntoParams;

use super::SuppressionOut;
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
    /// email or domain.
    r#type: Option<String>,
}

/// Suppressions, oldest first.
#[utoipa::path(
    get, path = "/suppressions", tag = "Suppressions", params(Filter),
    responses((status = 200, body = Page<SuppressionOut>), (status = 400, body = ErrorEnvelope))
)]
pub(super) async fn list(
    State(env): State<Env>,
    caller: Caller,
    Params(params): Params<Filter>,
) -> Result<Page<SuppressionOut>, Error> {
    let ws = caller.allow("suppressions:read")?;
    let page = PageParams {
        limit: params.limit,
        cursor: params.cursor,
    };
    let limit = page.limit()?;
    let kind = params
        .r#type
        .map(|text| text.parse::<SuppressionKind>())
        .transpose();
    let kind = kind.map_err(|error| Error::field("type", "invalid", error.to_string()))?;
    let rows = suppressions::list(&mut env.db.reader(), ws, kind, page.after()?, limit + 1).await?;
    Ok(Page::new(
        rows,
        limit,
        |row| row.id.to_string(),
        SuppressionOut::from,
    ))
}
