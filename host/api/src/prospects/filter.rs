//! The filter of prospects, in a body and in a query.

use overture_domain::filters::Filter;
use overture_engine::filters;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Error, input::parsed};

/// Whom to choose: those for whom all of it holds. What is left out doesn't filter.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct FilterBody {
    /// This address, in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<String>,
    /// active, bounced, unsubscribed, suppressed, invalid or do_not_contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "active")]
    pub(crate) status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) list_id: Option<String>,
    /// Who is or was in this campaign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) campaign_id: Option<String>,
    /// Exactly this tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "fair")]
    pub(crate) tag: Option<String>,
    /// The domain of the address; `noemail.invalid` for people whose address is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) domain: Option<String>,
    /// Part of any field, in any case; from 3 characters on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 3)]
    pub(crate) search: Option<String>,
}

impl FilterBody {
    /// What it says; `at` stands before the names of its fields in the request.
    ///
    /// # Errors
    /// Fields that can't be understood.
    pub(crate) fn read(self, at: &str) -> Result<Filter, Error> {
        let filter = Filter {
            status: parsed(&format!("{at}status"), self.status.as_deref())?,
            list_id: parsed(&format!("{at}listId"), self.list_id.as_deref())?,
            campaign_id: parsed(&format!("{at}campaignId"), self.campaign_id.as_deref())?,
            email: self.email,
            tag: self.tag,
            domain: self.domain,
            search: self.search,
        };
        Ok(filters::checked(filter, at)?)
    }
}

impl From<Filter> for FilterBody {
    fn from(filter: Filter) -> Self {
        Self {
            email: filter.email,
            status: filter.status.map(|status| status.to_string()),
            list_id: filter.list_id.map(|id| id.to_string()),
            campaign_id: filter.campaign_id.map(|id| id.to_string()),
            tag: filter.tag,
            domain: filter.domain,
            search: filter.search,
        }
    }
}
