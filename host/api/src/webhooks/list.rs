use axum::extract::State;
use overture_engine::{Env, webhooks};

use super::WebhookOut;
use crate::{Caller, Error, Page, PageParams, Params};

/// Webhooks, oldest first.
#[utoipa::path(get, path = "/webhooks", tag = "Webhooks", params(PageParams), responses((status = 200, body = Page<WebhookOut>)))]
pub(super) async fn list(
    State(env): State<Env>,
    caller: Caller,
    Params(params): Params<PageParams>,
) -> Result<Page<WebhookOut>, Error> {
    let ws = caller.allow("webhooks:read")?;
    let limit = params.limit()?;
    let rows = webhooks::list(&env, ws, params.after()?, limit + 1).await?;
    Ok(Page::new(
        rows,
        limit,
        |row| row.id.to_string(),
        WebhookOut::from,
    ))
}
