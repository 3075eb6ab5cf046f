//! `/prospects`

mod bulk;
mod create;
pub(crate) mod filter;
mod get;
mod list;
mod update;

use std::collections::BTreeMap;

use overture_domain::{Timestamp, prospects::Prospect};
use overture_engine::prospects::Fields;
use overture_store::{Read, prospects as store};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Error;

endpoints! {
    list::list, create::create;
    get::get, update::update;
    bulk::bulk;
}

/// A person who is written to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProspectOut {
    #[schema(example = "pro_01kjq5t3k8e9v8z2m4n6p7r8s9")]
    id: String,
    /// Of a person whose address nobody knows a placeholder, `li.<user name>@noemail.invalid`: no mail
    /// goes there, and mail steps wait as `invalid_prospect` until the address is given.
    #[schema(example = "ada@example.com")]
    email: String,
    first_name: String,
    last_name: String,
    company: String,
    role: String,
    phone: String,
    linkedin_url: String,
    website: String,
    country: String,
    city: String,
    industry: String,
    timezone: String,
    tags: Vec<String>,
    custom_fields: BTreeMap<String, String>,
    source: String,
    /// active, bounced, unsubscribed, suppressed, invalid or do_not_contact.
    status: String,
    /// Why, where that is known: `no_mx`, the domain takes no mail.
    status_reason: Option<String>,
    /// The same for people.
    status_message: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_contacted_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_replied_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl ProspectOut {
    /// A prospect, and when they were last contacted.
    async fn read(on: &mut impl Read, prospect: Prospect) -> Result<Self, Error> {
        let (ws, id) = (prospect.workspace_id, prospect.id);
        let contacted = store::last_contacted(on, ws, &[id]).await?;
        Ok(Self::new(prospect, contacted.get(&id).copied()))
    }

    fn new(prospect: Prospect, last_contacted_at: Option<Timestamp>) -> Self {
        Self {
            id: prospect.id.to_string(),
            status_message: prospect.status_words(),
            status_reason: Some(prospect.status_reason).filter(|reason| !reason.is_empty()),
            email: prospect.email,
            first_name: prospect.first_name,
            last_name: prospect.last_name,
            company: prospect.company,
            role: prospect.role,
            phone: prospect.phone,
            linkedin_url: prospect.linkedin_url,
            website: prospect.website,
            country: prospect.country,
            city: prospect.city,
            industry: prospect.industry,
            timezone: prospect.time_zone,
            tags: prospect.tags,
            custom_fields: prospect.custom,
            source: prospect.source,
            status: prospect.status.to_string(),
            last_contacted_at,
            last_replied_at: prospect.last_replied_at,
            created_at: prospect.created_at,
            updated_at: prospect.updated_at,
        }
    }
}

/// The fields that a caller may change; a field that is left out stays as it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ProspectPatch {
    /// The address of a person who had none; one that is there doesn't change.
    #[schema(example = "ada@example.com")]
    email: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    company: Option<String>,
    role: Option<String>,
    phone: Option<String>,
    /// The address of a profile in any spelling; kept as `https://www.linkedin.com/in/<user name>`.
    linkedin_url: Option<String>,
    website: Option<String>,
    country: Option<String>,
    city: Option<String>,
    industry: Option<String>,
    /// An IANA name.
    #[schema(example = "Europe/Berlin")]
    timezone: Option<String>,
    tags: Option<Vec<String>>,
    /// Replaces all custom fields.
    custom_fields: Option<BTreeMap<String, String>>,
}

impl From<ProspectPatch> for Fields {
    fn from(patch: ProspectPatch) -> Self {
        Self {
            email: patch.email,
            first_name: patch.first_name,
            last_name: patch.last_name,
            company: patch.company,
            role: patch.role,
            phone: patch.phone,
            linkedin_url: patch.linkedin_url,
            website: patch.website,
            country: patch.country,
            city: patch.city,
            industry: patch.industry,
            time_zone: patch.timezone,
            tags: patch.tags,
            custom: patch.custom_fields,
        }
    }
}
