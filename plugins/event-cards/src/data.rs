//! The payload fields of API-6 that people want to see.

use serde::Deserialize;

/// The data of any event; which fields are there depends on its kind.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Data {
    pub(crate) prospect_id: Option<String>,
    pub(crate) prospect_email: Option<String>,
    pub(crate) prospect_name: Option<String>,
    pub(crate) prospect_linkedin_url: Option<String>,
    pub(crate) campaign_id: Option<String>,
    pub(crate) campaign_name: Option<String>,
    pub(crate) mailbox_id: Option<String>,
    pub(crate) mailbox_email: Option<String>,
    pub(crate) linkedin_account_id: Option<String>,
    pub(crate) account_name: Option<String>,
    pub(crate) step_index: Option<u32>,
    pub(crate) subject: Option<String>,
    pub(crate) inbox_message_id: Option<String>,
    pub(crate) message_text: Option<String>,
    pub(crate) message_body: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) thread_id: Option<String>,
    pub(crate) label: Option<String>,
    pub(crate) url: Option<String>,
    pub(crate) bounce_reason: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) limit_type: Option<String>,
    pub(crate) current_value: Option<u64>,
    pub(crate) limit_value: Option<u64>,
    pub(crate) from_status: Option<String>,
    pub(crate) to_status: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) paused_campaign_ids: Option<Vec<String>>,
}
