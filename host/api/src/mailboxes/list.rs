use axum::extract::State;
use overture_domain::{accounts::Account, id::kinds, prospects::email_key};
use overture_engine::{Env, mailboxes};
use overture_store::accounts::{self as store, Sort};

use super::MailboxOut;
use crate::{
    Caller, Error, Page, Params,
    error::ErrorEnvelope,
    input::parsed,
    page::{self, list_params},
};

list_params! {
    /// What to list; parameters that are left out don't filter.
    pub(super) struct Filter, sort: "`createdAt` or `emailAddress`" {
        /// connecting, connected, disconnected, error or paused.
        #[param(example = "connected")]
        status: Option<String>,
        /// This address, in any case.
        email_address: Option<String>,
    }
}

/// Mailboxes, oldest first.
#[utoipa::path(
    get, path = "/mailboxes", tag = "Mailboxes", params(Filter),
    responses((status = 200, body = Page<MailboxOut>), (status = 400, body = ErrorEnvelope))
)]
pub(super) async fn list(
    State(env): State<Env>,
    caller: Caller,
    Params(params): Params<Filter>,
) -> Result<Page<MailboxOut>, Error> {
    let ws = caller.allow("mailboxes:read")?;
    let slice = params.page().slice::<Sort, kinds::Account>()?;
    let filter = store::Filter {
        status: parsed("status", params.status.as_deref())?,
        address: params.email_address,
        ..store::Filter::default()
    };
    let rows = mailboxes::list(&env, ws, &filter, &slice).await?;
    let cursor = |row: &Account| page::cursor(&slice, row.id, |_| email_key(&row.address));
    Ok(Page::new(rows, slice.limit - 1, cursor, MailboxOut::from))
}
