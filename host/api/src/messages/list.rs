use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::Env;
use overture_store::{ByAge, messages};

use super::MessageOut;
use crate::{
    Caller, Error, Page, Params,
    error::ErrorEnvelope,
    input::{moment, parsed},
    page::list_params,
};

list_params! {
    /// What to list; parameters that are left out don't filter.
    pub(super) struct Filter, sort: "`createdAt`" {
        /// `in` or `out`.
        #[param(example = "in")]
        direction: Option<String>,
        /// What it is taken for: `interested`, `out_of_office`...
        #[param(example = "interested")]
        label: Option<String>,
        mailbox_id: Option<String>,
        campaign_id: Option<String>,
        prospect_id: Option<String>,
        /// Messages of this moment or later.
        #[param(example = "2026-03-02T09:00:00Z")]
        since: Option<String>,
        /// Messages before this moment.
        #[param(example = "2026-03-03T00:00:00Z")]
        until: Option<String>,
    }
}

/// Messages that came in or went out, oldest first.
#[utoipa::path(
    get, path = "/messages", tag = "Messages", params(Filter),
    responses((status = 200, body = Page<MessageOut>), (status = 400, body = ErrorEnvelope))
)]
pub(super) async fn list(
    State(env): State<Env>,
    caller: Caller,
    Params(params): Params<Filter>,
) -> Result<Page<MessageOut>, Error> {
    let ws = caller.allow("inbox:read")?;
    let slice = params.page().slice::<ByAge, kinds::Message>()?;
    let filter = messages::Filter {
        direction: parsed("direction", params.direction.as_deref())?,
        label: parsed("label", params.label.as_deref())?,
        account_id: parsed("mailboxId", params.mailbox_id.as_deref())?,
        campaign_id: parsed("campaignId", params.campaign_id.as_deref())?,
        prospect_id: parsed("prospectId", params.prospect_id.as_deref())?,
        since: moment("since", params.since.as_deref())?,
        until: moment("until", params.until.as_deref())?,
    };
    let rows = messages::list(&mut env.db.reader(), ws, &filter, &slice).await?;
    Ok(Page::new(
        rows,
        slice.limit - 1,
        |row| row.id.to_string(),
        MessageOut::from,
    ))
}
