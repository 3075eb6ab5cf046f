use axum::extract::State;
use overture_engine::Env;
use overture_store::{ByAge, events};

use super::{Cursor, EventOut};
use crate::{
    Caller, Error, Page, Params,
    error::ErrorEnvelope,
    input::{moment, parsed},
    page::list_params,
};

list_params! {
    /// What to list; parameters that are left out don't filter.
    pub(super) struct Filter, sort: "`createdAt`" {
        /// `reply.received` and the like.
        #[param(example = "reply.received")]
        r#type: Option<String>,
        campaign_id: Option<String>,
        prospect_id: Option<String>,
        mailbox_id: Option<String>,
        /// What happened at this moment or later.
        #[param(example = "2026-03-02T09:00:00Z")]
        since: Option<String>,
        /// What happened before this moment.
        #[param(example = "2026-03-03T00:00:00Z")]
        until: Option<String>,
    }
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
    let limit = params.page().limit()?;
    let (_, descending) = params.page().order::<ByAge>()?;
    // Events have an order of their own, and with it their cursors.
    let after = params.page().after::<Cursor>()?.map(|cursor| cursor.0);
    let filter = events::Filter {
        kind: parsed("type", params.r#type.as_deref())?,
        campaign_id: parsed("campaignId", params.campaign_id.as_deref())?,
        prospect_id: parsed("prospectId", params.prospect_id.as_deref())?,
        account_id: parsed("mailboxId", params.mailbox_id.as_deref())?,
        since: moment("since", params.since.as_deref())?,
        until: moment("until", params.until.as_deref())?,
        descending,
    };
    let rows = events::list(&mut env.db.reader(), ws, &filter, after, limit + 1).await?;
    Ok(Page::new(
        rows,
        limit,
        |row| Cursor(row.position).to_string(),
        EventOut::from,
    ))
}
