//! What a bounce does (SAF-4), whether a report tells it later or the server at once.

use overture_domain::{
    AccountId, CampaignId, EnrollmentId, ProspectId, Timestamp, WorkspaceId,
    accounts::Channel,
    enrollments::EnrollmentState,
    events::{Event, EventKind},
    planted::{Bug, planted},
    prospects::SuppressionSource,
};
use overture_store::{Tx, enrollments, events, safety};
use serde_json::json;

use crate::{
    Env, Result,
    suppressions::{Suppress, end_in, suppress_in},
};

/// A mail that came back, and why.
#[derive(Clone, Debug)]
pub struct Bounce<'a> {
    pub workspace_id: WorkspaceId,
    pub campaign_id: CampaignId,
    pub enrollment_id: EnrollmentId,
    pub prospect_id: ProspectId,
    pub prospect_email: &'a str,
    /// The mailbox that it went out from.
    pub account_id: AccountId,
    /// The server's words.
    pub reason: &'a str,
}

/// Why a bounce says nothing about the address for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passing {
    /// A full or disabled mailbox, a server out of reach.
    Soft,
    /// Blocked for policy, reputation or content: it counts against the mailbox.
    Blocked,
}

impl Passing {
    const fn name(self) -> &'static str {
        match self {
            Self::Soft => "soft",
            Self::Blocked => "block",
        }
    }
}

/// The address doesn't exist: its enrollment is bounced, its prospect invalid and, unless the workspace
/// doesn't want that (SAF-2), suppressed, and
/// `email.bounced` tells of it, once per prospect, campaign and day (API-6).
///
/// # Errors
/// Only the store's.
pub async fn hard_in(tx: &mut Tx, env: &Env, bounce: &Bounce<'_>) -> Result<()> {
    let now = env.now();
    let ws = bounce.workspace_id;
    // First its own enrollment: it counts as bounced also after its last step.
    let own = [bounce.enrollment_id];
    let ends = !planted(Bug::BounceEndsNothing);
    if ends {
        enrollments::finish(tx, ws, &own, EnrollmentState::Bounced, bounce.reason, now).await?;
    }
    let what = Suppress::email(
        bounce.prospect_email,
        SuppressionSource::Bounce,
        bounce.reason,
    );
    let shield = safety::find_shield(tx, ws).await?.unwrap_or_default();
    if ends && shield.blocks_addresses {
        suppress_in(tx, env, ws, &what).await?;
    } else if ends {
        end_in(tx, env, ws, &what).await?;
    }
    let day = now.to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date();
    let (campaign, prospect) = (bounce.campaign_id, bounce.prospect_id);
    let key = format!("bounced:{campaign}:{prospect}:{day}");
    let told = event(env, EventKind::EmailBounced, bounce, "hard", now, Some(key));
    events::insert(tx, &[told]).await?;
    Ok(())
}

/// It is recorded; address and enrollment stay as they are.
///
/// # Errors
/// Only the store's.
pub async fn passing_in(
    tx: &mut Tx,
    env: &Env,
    bounce: &Bounce<'_>,
    passing: Passing,
) -> Result<()> {
    let kind = EventKind::EmailSoftBounced;
    let told = event(env, kind, bounce, passing.name(), env.now(), None);
    events::insert(tx, &[told]).await?;
    Ok(())
}

/// A quota of the mailbox that sent it (CAP-3): no bounce is counted, the mail waits.
///
/// # Errors
/// Only the store's.
pub async fn deferred_in(
    tx: &mut Tx,
    env: &Env,
    bounce: &Bounce<'_>,
    until: Timestamp,
) -> Result<()> {
    let kind = EventKind::EmailDeferred;
    let mut told = event(env, kind, bounce, "sender_limit", env.now(), None);
    told.data = json!({
        "prospectId": bounce.prospect_id,
        "prospectEmail": bounce.prospect_email,
        "campaignId": bounce.campaign_id,
        "enrollmentId": bounce.enrollment_id,
        "mailboxId": bounce.account_id,
        "reason": bounce.reason,
        "until": until,
    });
    events::insert(tx, &[told]).await?;
    Ok(())
}

fn event(
    env: &Env,
    kind: EventKind,
    bounce: &Bounce<'_>,
    bounce_type: &str,
    now: Timestamp,
    dedup_key: Option<String>,
) -> Event {
    Event {
        id: env.id(),
        workspace_id: bounce.workspace_id,
        kind,
        channel: Some(Channel::Mail),
        campaign_id: Some(bounce.campaign_id),
        enrollment_id: Some(bounce.enrollment_id),
        prospect_id: Some(bounce.prospect_id),
        account_id: Some(bounce.account_id),
        occurred_at: now,
        dedup_key,
        data: json!({
            "prospectId": bounce.prospect_id,
            "prospectEmail": bounce.prospect_email,
            "campaignId": bounce.campaign_id,
            "enrollmentId": bounce.enrollment_id,
            "mailboxId": bounce.account_id,
            "bounceType": bounce_type,
            "bounceReason": bounce.reason,
            "bouncedAt": now,
        }),
    }
}
