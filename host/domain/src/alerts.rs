//! What an admin must see to (OPS-7).

use crate::{AlertId, HostId, Timestamp, WorkspaceId, names};

names! {
    /// How much an alert matters.
    Severity {
        /// Something works less well than it should.
        Warning = "warning",
        /// Something stands still until somebody acts.
        Critical = "critical",
    }
}

names! {
    /// What is wrong.
    AlertCode {
        /// Counters said something else than the events, and were set right (SAFE-5).
        CounterDrift = "counter_drift",
        /// A counter of today counts what no event tells of for two hours (SAFE-5).
        CounterWithoutEvent = "counter_without_event",
        /// Deliveries of a webhook have used up their ladder (API-8).
        WebhookDeadLetters = "webhook_dead_letters",
        /// A plugin failed so often that it rests in a workspace (PLG-3).
        PluginFailing = "plugin_failing",
        /// A mailbox can't sign in any more (MB-3).
        MailboxDisconnected = "mailbox_disconnected",
        /// A mail host can't be reached and is left alone (SAF-3).
        MailHostUnreachable = "mail_host_unreachable",
        /// A campaign rests, since too many of its mails came back or were reported (SAF-1).
        CampaignCooldown = "campaign_cooldown",
        /// A mailbox was paused for the same reason (SAF-1).
        MailboxUnhealthy = "mailbox_unhealthy",
        /// The Bounce Shield of a workspace holds campaigns (SAF-2).
        BounceShield = "bounce_shield",
        /// A campaign gets fewer replies than its floor; from 200 mails on it is paused (SAF-1).
        FewReplies = "few_replies",
        /// Steps were due and nobody looked at them; they were planned anew (SCH-11).
        StepsForgotten = "steps_forgotten",
    }
}

impl AlertCode {
    /// How much it matters.
    pub const fn severity(self) -> Severity {
        match self {
            Self::MailboxDisconnected | Self::PluginFailing | Self::BounceShield => {
                Severity::Critical
            }
            Self::CounterDrift
            | Self::CounterWithoutEvent
            | Self::WebhookDeadLetters
            | Self::MailHostUnreachable
            | Self::CampaignCooldown
            | Self::MailboxUnhealthy
            | Self::FewReplies
            | Self::StepsForgotten => Severity::Warning,
        }
    }

    /// What to do.
    pub const fn fix(self) -> &'static str {
        match self {
            Self::CounterDrift => {
                "nothing, if it stays the only time; if it comes again, something else writes to this database, or it is a fault of Overture to report"
            }
            Self::CounterWithoutEvent => {
                "look at the sends that nobody knows the end of: `overture send resolve` lists and decides them"
            }
            Self::WebhookDeadLetters => {
                "mend the endpoint, then replay its deliveries: POST /api/v1/webhooks/{id}/replay"
            }
            Self::PluginFailing => {
                "look at the plugin's last error; update it or take it out, it is tried again by itself meanwhile"
            }
            Self::MailboxDisconnected => {
                "give the mailbox its new password: `overture mailbox update`; its mails wait and go on by themselves"
            }
            Self::MailHostUnreachable => {
                "check the host's name and port, and whether this machine may reach it; it is tried again by itself"
            }
            Self::CampaignCooldown => {
                "take addresses that don't exist out of the campaign, and those who never asked; its numbers are read again every 24 hours, and it runs again when they are better"
            }
            Self::MailboxUnhealthy => {
                "look at the mailbox's DNS records and at what it sent; then resume it: `overture mailbox resume`"
            }
            Self::BounceShield => {
                "have the addresses of the workspace's lists verified, then resume its campaigns one by one"
            }
            Self::FewReplies => {
                "look at the campaign's texts and at whom it writes to; then resume it, or lower its floor of replies"
            }
            Self::StepsForgotten => {
                "nothing, if it stays the only time; if it comes again, it is a fault of Overture to report"
            }
        }
    }
}

/// One alert: open until its cause is gone, at most one for a code and subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    pub id: AlertId,
    /// None: it concerns the whole instance.
    pub workspace_id: Option<WorkspaceId>,
    pub code: AlertCode,
    /// What it is about: an id, a host and port, a plugin.
    pub subject: String,
    pub severity: Severity,
    pub message: String,
    pub fix: String,
    /// How many things, or how often, when it was last seen.
    pub count: i64,
    pub first_seen_at: Timestamp,
    pub last_seen_at: Timestamp,
    /// The process that alone can know of it.
    pub host_id: Option<HostId>,
    pub acknowledged_by: Option<String>,
    pub acknowledged_at: Option<Timestamp>,
    pub closed_at: Option<Timestamp>,
}
