use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::Env;
use overture_store::{ByAge, suppressions};

use super::SuppressionOut;
use crate::{Caller, Error, Page, Params, error::ErrorEnvelope, input::parsed, page::list_params};

list_params! {
    /// What to list; empty parameters don't filter.
    pub(super) struct Filter, sort: "`createdAt`" {
        /// email or domain.
        r#type: Option<String>,
    }
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
    let slice = params.page().slice::<ByAge, kinds::Suppression>()?;
    let kind = parsed("type", params.r#type.as_deref())?;
    let rows = suppressions::list(&mut env.db.reader(), ws, kind, &slice).await?;
    Ok(Page::new(
        rows,
        slice.limit - 1,
        |row| row.id.to_string(),
        SuppressionOut::from,
    ))
}
