use axum::extract::State;
use overture_domain::{campaigns::Campaign, id::kinds};
use overture_engine::{Env, campaigns};
use overture_store::campaigns::{self as store, Sort};

use super::CampaignOut;
use crate::{
    Caller, Error, Page, Params,
    error::ErrorEnvelope,
    input::parsed,
    page::{self, list_params},
};

list_params! {
    /// What to list; parameters that are left out don't filter.
    pub(super) struct Filter, sort: "`createdAt` or `name`" {
        /// draft, scheduled, running, paused, cooldown, completed, error or archived.
        #[param(example = "running")]
        status: Option<String>,
        /// Campaigns that send from this mailbox.
        mailbox_id: Option<String>,
    }
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
    let slice = params.page().slice::<Sort, kinds::Campaign>()?;
    let filter = store::Filter {
        status: parsed("status", params.status.as_deref())?,
        account_id: parsed("mailboxId", params.mailbox_id.as_deref())?,
    };
    let rows = campaigns::list(&env, ws, &filter, &slice).await?;
    let cursor = |row: &Campaign| page::cursor(&slice, row.id, |_| row.name.clone());
    Ok(Page::new(rows, slice.limit - 1, cursor, CampaignOut::from))
}
