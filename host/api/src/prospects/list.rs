use axum::extract::State;
use overture_domain::{
    id::kinds,
    prospects::{Prospect, email_key},
};
use overture_engine::{Env, filters};
use overture_store::prospects::{self, Sort};

use super::{ProspectOut, filter::FilterBody};
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
        /// A saved filter; other parameters take the place of its conditions.
        filter_id: Option<String>,
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
    let saved = parsed("filterId", params.filter_id.as_deref())?;
    let given = FilterBody {
        email: params.email,
        status: params.status,
        list_id: params.list_id,
        campaign_id: params.campaign_id,
        tag: params.tag,
        domain: params.domain,
        search: params.search,
    };
    let on = &mut env.db.reader();
    let filter = filters::resolve(on, ws, saved, given.read("")?).await?;
    let rows = prospects::list(on, ws, &filter, &slice).await?;
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let contacted = prospects::last_contacted(on, ws, &ids).await?;
    let cursor = |row: &Prospect| page::cursor(&slice, row.id, |_| email_key(&row.email));
    let out = |row: Prospect| {
        let at = contacted.get(&row.id).copied();
        ProspectOut::new(row, at)
    };
    Ok(Page::new(rows, slice.limit - 1, cursor, out))
}
