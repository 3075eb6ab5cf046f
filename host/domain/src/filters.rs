//! Which prospects a list shows, and filters that are kept under a name (PR-3).

use serde::{Deserialize, Serialize};

use crate::{CampaignId, FilterId, ListId, Timestamp, WorkspaceId, prospects::ProspectStatus};

/// Whom a list of prospects shows: those for whom all of it holds. Empty fields don't filter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Filter {
    /// The address, in any case.
    pub email: Option<String>,
    pub status: Option<ProspectStatus>,
    pub list_id: Option<ListId>,
    /// Who is or was in this campaign.
    pub campaign_id: Option<CampaignId>,
    /// Exactly this tag.
    pub tag: Option<String>,
    /// The domain of the address, in any case.
    pub domain: Option<String>,
    /// Part of any field, in any case.
    pub search: Option<String>,
}

impl Filter {
    /// This filter with all that another has in place of its own.
    pub fn with(self, other: Self) -> Self {
        Self {
            email: other.email.or(self.email),
            status: other.status.or(self.status),
            list_id: other.list_id.or(self.list_id),
            campaign_id: other.campaign_id.or(self.campaign_id),
            tag: other.tag.or(self.tag),
            domain: other.domain.or(self.domain),
            search: other.search.or(self.search),
        }
    }
}

/// A filter that a workspace keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedFilter {
    pub id: FilterId,
    pub workspace_id: WorkspaceId,
    /// Unique in the workspace.
    pub name: String,
    pub filter: Filter,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}
