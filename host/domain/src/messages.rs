//! Messages that went out and came in, and what they are taken for.

use crate::{
    AccountId, CampaignId, EnrollmentId, MessageId, ProspectId, Timestamp, WorkspaceId,
    accounts::Channel, names,
};

names! {
    /// CLS-1
    Label {
        Interested = "interested",
        MeetingRequest = "meeting_request",
        Question = "question",
        Neutral = "neutral",
        NotInterested = "not_interested",
        UnsubscribeRequest = "unsubscribe_request",
        WrongPerson = "wrong_person",
        Referral = "referral",
        OutOfOffice = "out_of_office",
        AutoReply = "auto_reply",
        BounceHard = "bounce_hard",
        BounceSoft = "bounce_soft",
        Complaint = "complaint",
        Other = "other",
    }
}

impl Label {
    /// A person wrote it, so it counts as a reply (SEQ-3).
    pub const fn is_reply(self) -> bool {
        !matches!(
            self,
            Self::OutOfOffice
                | Self::AutoReply
                | Self::BounceHard
                | Self::BounceSoft
                | Self::Complaint
        )
    }

    /// It says something of a person, not of a mail and its way.
    pub const fn is_about_a_person(self) -> bool {
        !matches!(self, Self::BounceHard | Self::BounceSoft | Self::Complaint)
    }

    /// `positive`, `neutral`, `negative` or `out_of_office` (CLS-1).
    pub const fn sentiment(self) -> &'static str {
        match self {
            Self::Interested | Self::MeetingRequest | Self::Referral => "positive",
            Self::NotInterested | Self::UnsubscribeRequest | Self::Complaint | Self::BounceHard => {
                "negative"
            }
            Self::OutOfOffice => "out_of_office",
            _ => "neutral",
        }
    }
}

names! {
    Direction { In = "in", Out = "out" }
}

names! {
    /// How the enrollment of a message was found (TRK-3), surest first.
    Attribution {
        InReplyTo = "in_reply_to",
        References = "references",
        Thread = "thread",
        Report = "report",
        /// Its subject carries the token of a List-Unsubscribe mailto.
        Token = "token",
        /// Low confidence.
        Address = "address",
        /// The network says whose profile wrote it.
        Profile = "profile",
    }
}

/// A message of either direction.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub id: MessageId,
    pub workspace_id: WorkspaceId,
    pub channel: Channel,
    pub direction: Direction,
    pub account_id: AccountId,
    pub campaign_id: Option<CampaignId>,
    pub enrollment_id: Option<EnrollmentId>,
    pub prospect_id: Option<ProspectId>,
    pub step_index: Option<i64>,
    /// The Message-ID without brackets; made of the content where the mail has none.
    pub external_id: String,
    pub sender: String,
    pub recipient: String,
    pub subject: String,
    pub text: String,
    /// Without quotes and signature (CLS-3).
    pub newest_text: String,
    pub html: Option<String>,
    pub attribution: Option<Attribution>,
    pub label: Option<Label>,
    /// The plugin or user whose word `label` is.
    pub label_by: Option<String>,
    /// When it was sent, or seen by the sync.
    pub at: Timestamp,
}

/// What only mail has.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct MailMessage {
    pub in_reply_to: Vec<String>,
    pub references: Vec<String>,
    pub folder: String,
    pub uid_validity: Option<i64>,
    pub uid: Option<i64>,
    /// Where its links lead, of a mail that went out with tracked links (TRK-1).
    pub links: Vec<String>,
}

/// A mail of ours before and after it exists: one step for one enrollment. The tokens in its links
/// name it so (TRK-1, TRK-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MailKey {
    pub workspace_id: WorkspaceId,
    pub enrollment_id: EnrollmentId,
    /// From 0.
    pub step_index: i64,
}

/// One classifier's word on a message (CLS-4).
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The id of the plugin.
    pub classifier: String,
    pub label: Label,
    /// 0 to 1.
    pub confidence: f64,
    /// ISO 639-1.
    pub language: Option<String>,
    pub evidence: Vec<String>,
    /// The first day back, `2026-03-09`.
    pub until_day: Option<String>,
}
