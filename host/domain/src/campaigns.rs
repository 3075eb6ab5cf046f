//! Campaigns and their steps.

use serde::{Deserialize, Serialize};

use crate::{
    AccountId, AuditId, CampaignId, EnrollmentId, StepId, Timestamp, VariantId, WorkspaceId,
    accounts::Channel,
    names,
    safety::Thresholds,
    variants::{self, Text, Variant},
};

names! {
    /// SEQ-1
    CampaignKind { Email = "email", Linkedin = "linkedin", Multichannel = "multichannel" }
}

names! {
    /// SEQ-1; the legal transitions are SEQ-11.
    CampaignStatus {
        Draft = "draft",
        Scheduled = "scheduled",
        Running = "running",
        Paused = "paused",
        Cooldown = "cooldown",
        Completed = "completed",
        Error = "error",
        Archived = "archived",
    }
}

impl CampaignStatus {
    /// Whether SEQ-11 allows the change. `started`: it has run before, which decides where an
    /// archived one goes back to.
    pub const fn may_become(self, to: Self, started: bool) -> bool {
        use CampaignStatus::{
            Archived, Completed, Cooldown, Draft, Error, Paused, Running, Scheduled,
        };
        match self {
            Draft => matches!(to, Scheduled | Running | Archived),
            Scheduled => matches!(to, Running | Paused | Draft | Archived),
            Running => matches!(to, Paused | Cooldown | Completed | Error),
            Paused => matches!(to, Running | Scheduled | Archived),
            Cooldown => matches!(to, Running | Paused),
            Completed | Error => matches!(to, Paused | Archived),
            Archived if started => matches!(to, Paused),
            Archived => matches!(to, Draft),
        }
    }
}

names! {
    /// Why a campaign is paused; several reasons can hold at once (SEQ-10).
    PauseReason {
        /// By a person.
        Manual = "manual",
        /// By a person's program.
        Api = "api",
        /// Its start date came, and something kept it from starting.
        NotStartable = "not_startable",
        /// The database was put back from a backup: mails may have gone out after it (decision 17).
        Restored = "restored",
        /// Too many mails of the workspace came back (SAF-2).
        BounceShield = "bounce_shield",
        /// Too few people reply (SAF-1).
        FewReplies = "few_replies",
        /// None of its LinkedIn accounts is connected (LI-2).
        LinkedinAccountDisconnected = "linkedin_account_disconnected",
    }
}

impl PauseReason {
    /// What ends it without a person; None: it waits for one.
    pub const fn ends_when(self) -> Option<&'static str> {
        match self {
            Self::Manual
            | Self::Api
            | Self::NotStartable
            | Self::Restored
            | Self::BounceShield
            | Self::FewReplies => None,
            Self::LinkedinAccountDisconnected => Some("one of its LinkedIn accounts is connected"),
        }
    }
}

/// One of the reasons that hold a paused campaign (SEQ-10).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    pub reason: PauseReason,
    /// What happened, for people; may be empty.
    pub detail: String,
    pub since: Timestamp,
}

impl Pause {
    /// What a user can expect (SEQ-10).
    pub fn outlook(&self) -> String {
        match self.reason.ends_when() {
            Some(end) => format!("Will resume by itself when {end}"),
            None => "Needs you".to_owned(),
        }
    }

    /// The reason in words.
    pub fn words(&self) -> String {
        match self.detail.as_str() {
            "" => self.reason.to_string(),
            detail => format!("{} ({detail})", self.reason),
        }
    }
}

/// A campaign without its steps and pool.
#[derive(Clone, Debug, PartialEq)]
pub struct Campaign {
    pub id: CampaignId,
    pub workspace_id: WorkspaceId,
    pub name: String,
    pub kind: CampaignKind,
    pub status: CampaignStatus,
    pub status_audit_id: AuditId,
    /// What holds it while it is paused, the oldest first; there is one at least then (SAFE-4,
    /// SEQ-10).
    pub pauses: Vec<Pause>,
    /// IANA name, of windows and of its daily caps.
    pub time_zone: String,
    pub windows: Vec<Window>,
    /// Mails a day (CAP-1); default 100.
    pub daily_send_limit: i64,
    /// Default 50 (CAP-1).
    pub max_sends_per_mailbox_per_day: i64,
    /// People who get their first step a day (CAP-5); None: as many as the other limits allow.
    pub new_prospects_per_day: Option<i64>,
    /// Follow-ups go before first steps (CAP-5); else after them.
    pub follow_ups_first: bool,
    pub rotation: Rotation,
    /// SCH-4; default 5.
    pub minutes_between_sends: i64,
    pub stop_on_reply: bool,
    pub stop_on_bounce: bool,
    /// A reply also stops everybody else in the campaign at the same company domain (SEQ-3).
    pub stop_on_company_reply: bool,
    /// A pixel in each mail (TRK-1); off by default.
    pub track_opens: bool,
    /// Links lead through this instance (TRK-1); off by default: links stay untouched.
    pub track_clicks: bool,
    /// When it stops by itself (SAF-1).
    pub safety: Thresholds,
    pub start_at: Option<Timestamp>,
    pub end_at: Option<Timestamp>,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Campaign {
    /// A draft of mails with every default; `status_audit_id` is of the row that tells of it
    /// (SAFE-4).
    pub fn draft(
        id: CampaignId,
        workspace_id: WorkspaceId,
        status_audit_id: AuditId,
        name: impl Into<String>,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            workspace_id,
            name: name.into(),
            kind: CampaignKind::Email,
            status: CampaignStatus::Draft,
            status_audit_id,
            pauses: Vec::new(),
            time_zone: "UTC".to_owned(),
            windows: vec![Window::working_hours()],
            daily_send_limit: 100,
            max_sends_per_mailbox_per_day: 50,
            minutes_between_sends: 5,
            stop_on_reply: true,
            stop_on_bounce: true,
            stop_on_company_reply: false,
            new_prospects_per_day: None,
            follow_ups_first: true,
            rotation: Rotation::RoundRobin,
            track_opens: false,
            track_clicks: false,
            safety: Thresholds::default(),
            start_at: None,
            end_at: None,
            started_at: None,
            finished_at: None,
            created_at: now,
            updated_at: now,
        }
    }
}

names! {
    /// Which mailbox a mail leaves from, where several may at the same moment (ROT-1).
    Rotation {
        /// The one that sent the fewest mails of this campaign today.
        RoundRobin = "round_robin",
        /// The same by weight: one of weight 3 sends three times as many as one of weight 1.
        Weighted = "weighted",
        /// The one that sent the fewest mails of all campaigns today.
        LeastUsed = "least_used",
        Random = "random",
    }
}

/// One stretch of the week in which a campaign may send (SCH-1). `start == end` means all day;
/// `end < start` runs past midnight into the next day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Window {
    /// Days on which it begins; 0 = Sunday.
    pub days: Vec<u8>,
    /// Minutes after midnight, below 1,440.
    pub start: u16,
    pub end: u16,
}

impl Window {
    /// Monday to Friday, 9 to 17 (SCH-1).
    pub fn working_hours() -> Self {
        Self {
            days: vec![1, 2, 3, 4, 5],
            start: 9 * 60,
            end: 17 * 60,
        }
    }
}

names! {
    /// What a step does (SEQ-2, LI-4). LinkedIn's other kinds join them.
    StepKind {
        Email = "email",
        /// Its text is the note; none is allowed.
        SendInvite = "send_invite",
        /// Sends nothing: goes on when the invitation is accepted. Its delay is how long it waits
        /// at most.
        WaitAccept = "wait_accept",
        SendMessage = "send_message",
    }
}

impl StepKind {
    /// Where it happens.
    pub const fn channel(self) -> Channel {
        match self {
            Self::Email => Channel::Mail,
            Self::SendInvite | Self::WaitAccept | Self::SendMessage => Channel::Linkedin,
        }
    }

    /// It sends nothing, so no cap and no pace keeps it back.
    pub const fn waits(self) -> bool {
        matches!(self, Self::WaitAccept)
    }
}

/// One step of a campaign (SEQ-2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub id: StepId,
    pub workspace_id: WorkspaceId,
    pub campaign_id: CampaignId,
    /// From 0, without gaps.
    pub step_index: i64,
    pub channel: Channel,
    pub kind: StepKind,
    /// After the previous step; 0 for the first. Of a wait its end.
    pub delay_minutes: i64,
    pub subject: String,
    pub body_html: String,
    /// None: derived from the HTML.
    pub body_text: Option<String>,
    /// Up to 26; where there are some they stand in place of the text above.
    pub variants: Vec<Variant>,
}

impl Step {
    /// The variant that an enrollment gets, where the step has some; see [`variants::assign`].
    pub fn assign(&self, enrollment: EnrollmentId) -> Option<VariantId> {
        variants::assign(&self.variants, enrollment, self.id).map(|variant| variant.id)
    }

    /// The text of a variant, or of the step itself. A variant that has left the step meanwhile
    /// has the text of the first.
    pub fn text(&self, variant: Option<VariantId>) -> Text<'_> {
        let known = variant.and_then(|id| self.variants.iter().find(|variant| variant.id == id));
        known
            .or(self.variants.first())
            .map_or_else(|| self.own_text(), Variant::text)
    }

    /// Every text that may be sent: of the variants, or of a step without any its own.
    pub fn texts(&self) -> impl Iterator<Item = Text<'_>> {
        let own = self.variants.is_empty().then(|| self.own_text());
        self.variants.iter().map(Variant::text).chain(own)
    }

    fn own_text(&self) -> Text<'_> {
        Text {
            subject: &self.subject,
            body_html: &self.body_html,
            body_text: self.body_text.as_deref(),
        }
    }
}

/// An account in a campaign's pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolAccount {
    pub account_id: AccountId,
    pub weight: i64,
    pub active: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    // SEQ-11
    #[test]
    fn only_the_listed_transitions_are_legal() {
        let check = |from: &str, started: bool, expected: &str| {
            let from: CampaignStatus = from.parse().unwrap();
            let found: Vec<_> = CampaignStatus::ALL
                .iter()
                .filter(|to| from.may_become(**to, started))
                .map(|to| to.name())
                .collect();
            assert_eq!(found.join(" "), expected, "{from}");
        };
        check("draft", false, "scheduled running archived");
        check("scheduled", false, "draft running paused archived");
        check("running", true, "paused cooldown completed error");
        check("paused", true, "scheduled running archived");
        check("cooldown", true, "running paused");
        check("completed", true, "paused archived");
        check("error", true, "paused archived");
        check("archived", true, "paused");
        check("archived", false, "draft");
    }
}
