//! What happened: the append-only truth (SAFE-5).

use crate::{
    AccountId, CampaignId, EnrollmentId, EventId, ProspectId, Timestamp, WorkspaceId,
    accounts::Channel, names,
};

names! {
    /// The events of API-6, and the product's own below them (never sent to webhooks).
    EventKind {
        ReplyReceived = "reply.received",
        EmailSent = "email.sent",
        EmailBounced = "email.bounced",
        EmailUnsubscribed = "email.unsubscribed",
        EmailOpened = "email.opened",
        EmailClicked = "email.clicked",
        EmailComplained = "email.complained",
        ProspectSuppressed = "prospect.suppressed",
        LimitHit = "limit.hit",
        CampaignStatusChanged = "campaign.status_changed",
        LinkedinReplyReceived = "linkedin.reply_received",
        LinkedinInviteAccepted = "linkedin.invite_accepted",
        LinkedinMessageSent = "linkedin.message_sent",
        LinkedinAccountDisconnected = "linkedin.account_disconnected",
        WebhookTest = "webhook.test",
        // Below: for timelines and statistics.
        ProspectStatusChanged = "prospect.status_changed",
        EnrollmentCreated = "enrollment.created",
        EnrollmentParked = "enrollment.parked",
        EnrollmentResumed = "enrollment.resumed",
        EnrollmentFinished = "enrollment.finished",
        OutOfOfficeReceived = "out_of_office.received",
        AutoReplyReceived = "auto_reply.received",
        EmailSoftBounced = "email.soft_bounced",
        EmailDeferred = "email.deferred",
        LinkedinInviteSent = "linkedin.invite_sent",
        LinkedinDeferred = "linkedin.deferred",
        AccountStatusChanged = "account.status_changed",
        /// A delivery used up its ladder (API-8).
        WebhookDeliveryFailed = "webhook.delivery_failed",
        /// The product switched a webhook off (API-8).
        WebhookDisabled = "webhook.disabled",
    }
}

impl EventKind {
    /// Whether a webhook may ask for it (API-6).
    pub fn is_public(self) -> bool {
        self <= Self::WebhookTest
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub id: EventId,
    pub workspace_id: WorkspaceId,
    pub kind: EventKind,
    pub channel: Option<Channel>,
    pub campaign_id: Option<CampaignId>,
    pub enrollment_id: Option<EnrollmentId>,
    pub prospect_id: Option<ProspectId>,
    pub account_id: Option<AccountId>,
    pub occurred_at: Timestamp,
    /// A second event with this key in the workspace is not written (API-6).
    pub dedup_key: Option<String>,
    /// The payload of API-6: a JSON object with camelCase fields.
    pub data: serde_json::Value,
}

/// A place in the order of events; opaque outside the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct EventPosition {
    pub tx: i64,
    pub seq: i64,
}
