//! A prospect's way through a campaign, and the single actions on it.

use crate::{
    AccountId, ActionId, AttemptId, CampaignId, EnrollmentId, HostId, JobId, ProspectId, StepId,
    Timestamp, VariantId, WorkspaceId, accounts::Channel, campaigns::StepKind, messages::Label,
    names,
};

names! {
    /// SEQ-5. "Sent" is not a state: it is told by the actions.
    EnrollmentState {
        Queued = "queued",
        Active = "active",
        Waiting = "waiting",
        Replied = "replied",
        Bounced = "bounced",
        Unsubscribed = "unsubscribed",
        Completed = "completed",
        Stopped = "stopped",
        Failed = "failed",
        /// SEQ-7: never sent.
        Suppressed = "suppressed",
        PendingTemplateFix = "pending_template_fix",
        PendingTemplateVariableResolution = "pending_template_variable_resolution",
        PausedAccount = "paused_account",
        UnresolvedUrl = "unresolved_url",
        InvalidProspect = "invalid_prospect",
        AmbiguousSend = "ambiguous_send",
    }
}

impl EnrollmentState {
    /// It may still act by itself.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Active | Self::Waiting)
    }

    /// Something fixable holds it (SAFE-2).
    pub const fn is_parked(self) -> bool {
        matches!(
            self,
            Self::PendingTemplateFix
                | Self::PendingTemplateVariableResolution
                | Self::PausedAccount
                | Self::UnresolvedUrl
                | Self::InvalidProspect
                | Self::AmbiguousSend
        )
    }
}

/// A prospect in a campaign.
#[derive(Clone, Debug, PartialEq)]
pub struct Enrollment {
    pub id: EnrollmentId,
    pub workspace_id: WorkspaceId,
    pub campaign_id: CampaignId,
    pub prospect_id: ProspectId,
    /// The mailbox of its first mail; follow-ups stick to it (ROT-1).
    pub account_id: Option<AccountId>,
    pub state: EnrollmentState,
    /// Why it stands there, for people.
    pub reason: String,
    /// The step that comes next.
    pub step_index: i64,
    /// The run time of its live job (SCH-3), or when its lane has room where that is later.
    pub next_action_at: Option<Timestamp>,
    /// The person is away until then (CLS-2).
    pub not_before: Option<Timestamp>,
    /// What its last reply was judged to be.
    pub label: Option<Label>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

names! {
    /// Where a handed-out step stands.
    ActionState {
        /// A host has it, or will have it again after a retry.
        HandedOut = "handed_out",
        /// A deferral or soft bounce: it goes out again later (SAF-4).
        Retrying = "retrying",
        Done = "done",
        Failed = "failed",
        Ambiguous = "ambiguous",
        /// The enrollment ended before it went out.
        Cancelled = "cancelled",
    }
}

/// One step for one enrollment; made when it is handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    pub id: ActionId,
    pub workspace_id: WorkspaceId,
    pub campaign_id: CampaignId,
    pub enrollment_id: EnrollmentId,
    pub step_id: StepId,
    pub step_index: i64,
    /// The text that it has, where its step has several (TPL-7).
    pub variant_id: Option<VariantId>,
    pub account_id: AccountId,
    pub channel: Channel,
    pub kind: StepKind,
    pub state: ActionState,
    /// The Message-ID without brackets (SEQ-4).
    pub external_id: String,
    pub deferrals: i64,
    pub last_error: Option<String>,
    pub handed_out_at: Timestamp,
    pub done_at: Option<Timestamp>,
}

names! {
    /// How an attempt ended; none yet means that nobody knows (SAFE-3).
    Outcome { Sent = "sent", NotSent = "not_sent", Ambiguous = "ambiguous" }
}

/// Committed right before the body goes out (SAFE-3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub id: AttemptId,
    pub workspace_id: WorkspaceId,
    pub action_id: ActionId,
    pub external_id: String,
    pub at: Timestamp,
    pub outcome: Option<Outcome>,
    pub outcome_at: Option<Timestamp>,
    pub detail: Option<String>,
}

/// Where a step waits for room, with all others of its campaign that may go from the same mailboxes
/// at the same hours (SCH-8).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane {
    pub campaign_id: CampaignId,
    /// The mailbox that they stick to; None: any of the pool.
    pub account_id: Option<AccountId>,
    /// The same text for the same lane.
    pub id: String,
}

impl Lane {
    /// The lane of a campaign's follow-ups in a time zone, given by its IANA name. Mails have one,
    /// and so has each kind of step of another channel, which has room of its own.
    pub fn new(
        campaign_id: CampaignId,
        account_id: Option<AccountId>,
        kind: StepKind,
        zone: &str,
    ) -> Self {
        let mut id = format!("{campaign_id} {zone}");
        if let Some(account) = account_id {
            id.push_str(&format!(" {account}"));
        }
        if kind != StepKind::Email {
            id.push_str(&format!(" {kind}"));
        }
        Self {
            campaign_id,
            account_id,
            id,
        }
    }

    /// The lane of its first steps, which have a limit of their own (CAP-5).
    pub fn of_first_steps(campaign_id: CampaignId, zone: &str) -> Self {
        Self {
            campaign_id,
            account_id: None,
            id: format!("{campaign_id} {zone} first"),
        }
    }
}

names! {
    /// SCH-5
    JobState {
        Pending = "pending",
        Processing = "processing",
        Completed = "completed",
        Failed = "failed",
        Expired = "expired",
        Ambiguous = "ambiguous",
    }
}

impl JobState {
    /// Whether a job may go from one state to the other (SCH-5): it is claimed and put back until
    /// it has an end.
    pub const fn may_become(self, to: Self) -> bool {
        use JobState::{Ambiguous, Completed, Expired, Failed, Pending, Processing};
        match self {
            Pending => matches!(to, Processing | Expired),
            Processing => matches!(to, Pending | Completed | Failed | Expired | Ambiguous),
            Completed | Failed | Expired | Ambiguous => false,
        }
    }
}

names! {
    /// What a job does.
    JobKind {
        /// Plan and send the next step of an enrollment.
        SendStep = "send_step",
        /// Look for evidence on a send that may have gone out (SAFE-3).
        FindSend = "find_send",
    }
}

/// Something that is due at a time, and who does it (SCH-5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub id: JobId,
    pub workspace_id: WorkspaceId,
    pub kind: JobKind,
    /// The enrollment, or for [`JobKind::FindSend`] the action.
    pub subject_id: String,
    pub state: JobState,
    pub run_at: Timestamp,
    pub host_id: Option<HostId>,
    pub leased_at: Option<Timestamp>,
    pub strikes: i64,
    pub last_error: Option<String>,
}
