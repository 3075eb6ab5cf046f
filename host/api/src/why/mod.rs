//! `/enrollments/{id}/why`, `/campaigns/{id}/why`, `/mailboxes/{id}/why`: one question, one answer
//! (SCH-9).

mod campaign;
mod enrollment;
mod mailbox;

use overture_domain::Timestamp;
use overture_engine::sends::WhyNot;
use serde::Serialize;
use utoipa::ToSchema;

endpoints! {
    enrollment::enrollment;
    campaign::campaign;
    mailbox::mailbox;
}

/// Why nothing goes out now, and when it will.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WhyOut {
    /// What binds: `window`, `pace`, `backoff`, `spacing`, `queue`, `delay`, `out_of_office`,
    /// `planned`, `cap_…` with the limit's name, `campaign_…` or `mailbox_…` with a status,
    /// `no_usable_mailbox`, `nobody_waits`, `all_parked`, `end_date`, or the state of an enrollment
    /// that can't act. `none`: a mail is on its way, or about to be.
    #[schema(example = "cap_campaign_daily")]
    code: String,
    /// The same for people.
    #[schema(example = "the campaign's daily limit is reached (100 of 100)")]
    reason: String,
    /// The next moment at which a mail may go. Null: not before somebody does something.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_at: Option<Timestamp>,
    /// What would change it. Null: time alone, or nothing.
    #[schema(example = "raise the campaign's dailySendLimit")]
    change: Option<String>,
    /// Whom the answer is about: of a campaign or a mailbox, whoever comes next.
    enrollment_id: Option<String>,
}

impl From<WhyNot> for WhyOut {
    fn from(answer: WhyNot) -> Self {
        Self {
            code: answer.code,
            reason: answer.reason,
            next_at: answer.next_at,
            change: answer.change,
            enrollment_id: answer.enrollment.map(|id| id.to_string()),
        }
    }
}
