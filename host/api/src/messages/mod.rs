//! `/messages`

mod get;
mod list;
mod relabel;

use overture_domain::{
    Timestamp,
    messages::{Message, Verdict},
};
use serde::Serialize;
use utoipa::ToSchema;

endpoints! {
    list::list;
    get::get, relabel::relabel;
}

/// A message that came in or went out.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MessageOut {
    #[schema(example = "msg_01kjq5t3k8e9v8z2m4n6p7r8s9")]
    id: String,
    #[schema(example = "mail")]
    channel: String,
    /// `in` or `out`.
    #[schema(example = "in")]
    direction: String,
    mailbox_id: String,
    campaign_id: Option<String>,
    enrollment_id: Option<String>,
    prospect_id: Option<String>,
    step_index: Option<i64>,
    /// Without brackets.
    message_id: String,
    #[schema(example = "grace@example.net")]
    from: String,
    to: String,
    subject: String,
    text: String,
    /// The text without quotes and signature.
    newest_text: String,
    html: Option<String>,
    /// How it was found whose message it is; `address` is a guess.
    attribution: Option<String>,
    /// What it is taken for.
    #[schema(example = "interested")]
    label: Option<String>,
    /// Whose word the label is: a classifier's, `host`, or a person's.
    label_by: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

impl From<Message> for MessageOut {
    fn from(message: Message) -> Self {
        Self {
            id: message.id.to_string(),
            channel: message.channel.to_string(),
            direction: message.direction.to_string(),
            mailbox_id: message.account_id.to_string(),
            campaign_id: message.campaign_id.map(|id| id.to_string()),
            enrollment_id: message.enrollment_id.map(|id| id.to_string()),
            prospect_id: message.prospect_id.map(|id| id.to_string()),
            step_index: message.step_index,
            message_id: message.external_id,
            from: message.sender,
            to: message.recipient,
            subject: message.subject,
            text: message.text,
            newest_text: message.newest_text,
            html: message.html,
            attribution: message.attribution.map(|by| by.to_string()),
            label: message.label.map(|label| label.to_string()),
            label_by: message.label_by,
            at: message.at,
        }
    }
}

/// One word on what a message is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct VerdictOut {
    /// The plugin, or the person who said so.
    #[schema(example = "classifier-rules")]
    classifier: String,
    #[schema(example = "out_of_office")]
    label: String,
    /// 0 to 1.
    confidence: f64,
    /// ISO 639-1.
    language: Option<String>,
    /// The phrases or headers that it goes by.
    evidence: Vec<String>,
    /// The first day back.
    #[schema(example = "2026-03-09")]
    return_date: Option<String>,
}

impl From<Verdict> for VerdictOut {
    fn from(verdict: Verdict) -> Self {
        Self {
            classifier: verdict.classifier,
            label: verdict.label.to_string(),
            confidence: verdict.confidence,
            language: verdict.language,
            evidence: verdict.evidence,
            return_date: verdict.until_day,
        }
    }
}
