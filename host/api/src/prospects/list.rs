use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::Env;
use overture_store::prospects::{self, Sort};

use super::ProspectOut;
use crate::{
    Caller, Error, Page, Params,
    error::ErrorEnvelope,
    input::parsed,
    page::{self, list_params},
};

list_params! {
    /// What to list; parameters that are left out don't filter.
    pub(super) struct Filter, sort: "`createdAt` or `email`" {
        /// This address, in any case.
        email: Option<String>,
        /// active, bounced, unsubscribed, suppressed, invalid or do_not_contact.
        #[param(example = "active")]
        status: Option<String>,
        list_id: Option<String>,
        /// Who is or was in this campaign.
        campaign_id: Option<String>,
        /// Exactly this tag.
        #[param(example = "fair")]
        tag: Option<String>,
        /// The domain of the address; `noemail.invalid` for people whose address is not known.
        #[param(example = "example.com")]
        domain: Option<String>,
        /// Part of any field, also of tags and custom fields, in any case; from 3 characters on. First
        /// and last name are found together.
        #[param(min_length = 3, example = "ada love")]
        search: Option<String>,
    }
}

/// Prospects, oldest first.
#[utoipa::path(
    get, path = "/prospects", tag = "Prospects", params(Filter),
    responses((status = 200, body = Page<ProspectOut>), (status = 400, body = ErrorEnvelope))
)]
pub(super) async fn list(
    State(env): State<Env>,
    caller: Caller,
    Params(params): Params<Filter>,
) -> Result<Page<ProspectOut>, Error> {
    let ws = caller.allow("prospects:read")?;
    let slice = params.page().slice::<Sort, kinds::Prospect>()?;
    if let Some(search) = &params.search
        && search.trim().chars().count() < 3
    {
        let message = "search for at least 3 characters";
        return Err(Error::field("search", "too_short", message));
    }
    if let Some(domain) = &params.domain
        && (domain.trim().is_empty() || domain.contains('@'))
    {
        let message = "a domain such as `example.com`";
        return Err(Error::field("domain", "invalid", message));
    }
    let filter = prospects::Filter {
        status: parsed("status", params.status.as_deref())?,
        list_id: parsed("listId", params.list_id.as_deref())?,
        campaign_id: parsed("campaignId", params.campaign_id.as_deref())?,
        email: params.email,
        tag: params.tag,
        domain: params.domain.map(|domain| domain.trim().to_owned()),
        search: params.search.map(|search| search.trim().to_owned()),
    };
    let rows = prospects::list(&mut env.db.reader(), ws, &filter, &slice).await?;
    let cursor = |row: &overture_domain::prospects::Prospect| {
        page::cursor(&slice, row.id, |_| {
            overture_domain::prospects::email_key(&row.email)
        })
    };
    Ok(Page::new(rows, slice.limit - 1, cursor, ProspectOut::from))
}
