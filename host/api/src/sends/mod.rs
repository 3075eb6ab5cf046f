//! `/sends`

mod ambiguous;
mod resolve;

use overture_domain::Timestamp;
use overture_store::evidence::Ambiguous;
use serde::Serialize;
use utoipa::ToSchema;

endpoints! {
    ambiguous::ambiguous;
    resolve::resolve;
}

/// A mail of which nobody knows whether it went out: the connection broke after its body, before
/// the server's answer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AmbiguousSendOut {
    #[schema(example = "act_01kjq5t3k8e9v8z2m4n6p7r8s9")]
    id: String,
    campaign_id: String,
    enrollment_id: String,
    #[schema(example = "grace@example.net")]
    prospect_email: String,
    mailbox_id: String,
    #[schema(example = "ada@example.com")]
    mailbox_email: String,
    step_index: i64,
    /// Without brackets: look for it in the folder Sent, or ask the recipient.
    message_id: String,
    /// When its body was about to go out.
    #[schema(value_type = String, format = DateTime)]
    attempted_at: Timestamp,
    /// What is known of how it ended.
    reason: String,
    /// When it is next looked for where the server files what it sends. Null: only a bounce, an
    /// answer or a person decides.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_look_at: Option<Timestamp>,
}

impl From<Ambiguous> for AmbiguousSendOut {
    fn from(send: Ambiguous) -> Self {
        let action = send.action;
        Self {
            id: action.id.to_string(),
            campaign_id: action.campaign_id.to_string(),
            enrollment_id: action.enrollment_id.to_string(),
            prospect_email: send.prospect_email,
            mailbox_id: action.account_id.to_string(),
            mailbox_email: send.mailbox_address,
            step_index: action.step_index,
            message_id: action.external_id,
            attempted_at: send.attempted_at,
            reason: action.last_error.unwrap_or_default(),
            next_look_at: send.next_look_at,
        }
    }
}
