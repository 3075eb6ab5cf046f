//! What must be done after a backup was put back: the program that it was taken from may have gone on
//! sending, and nothing in the backup tells of it (SAFE-3, decision 17).

use overture_domain::{
    Timestamp,
    accounts::Channel,
    campaigns::{CampaignStatus, PauseReason},
    people::Actor,
    windows,
};
use overture_store::{accounts, campaigns as store, upkeep};

use crate::{Env, Result, campaigns::hold_one_in};

/// Why campaigns are paused then.
pub const REASON: PauseReason = PauseReason::Restored;

/// What was held back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeldBack {
    /// Campaigns that were paused; a person resumes them.
    pub campaigns: usize,
    /// Steps that may have gone out after the backup was taken.
    pub sends: u64,
    /// Mailboxes that rest until their next day begins.
    pub mailboxes: usize,
}

/// Holds back whatever could go out a second time, in one transaction:
/// - Campaigns that act, or would by themselves, are paused.
/// - A step that was in hands, or waited for its next turn, gets an attempt of which nobody knows the
///   end. Once its campaign runs, evidence is looked for by its Message-ID, or a person decides.
/// - Mailboxes rest for the rest of their day, because what was used of today's limits is not known
///   (SAFE-1).
///
/// # Errors
/// Only the store's; then nothing was written.
pub async fn hold_back(env: &Env, taken_at: Timestamp) -> Result<HeldBack> {
    let now = env.now();
    let mut held = HeldBack::default();
    let mut tx = env.db.begin().await?;
    let actor = Actor::Engine("OPS-1");
    let detail = format!("the database is as of {taken_at}, and mails may have gone out after it");
    for status in [
        CampaignStatus::Running,
        CampaignStatus::Scheduled,
        CampaignStatus::Cooldown,
        CampaignStatus::Paused,
    ] {
        for campaign in store::list_by_status(&mut tx, status).await? {
            let waits_for_a_person =
                (campaign.pauses.iter()).any(|pause| pause.reason.ends_when().is_none());
            if !waits_for_a_person {
                hold_one_in(&mut tx, env, &campaign, REASON, &detail, &actor).await?;
                held.campaigns += 1;
            }
        }
    }
    let in_hands = upkeep::list_in_hands(&mut tx).await?;
    let doubts: Vec<_> = in_hands
        .iter()
        .map(|one| (env.id(), one.action_id))
        .collect();
    held.sends = upkeep::doubt(&mut tx, &doubts, taken_at).await?;
    let rests: Vec<_> = accounts::list_all(&mut tx)
        .await?
        .into_iter()
        .filter(|account| account.channel == Channel::Mail)
        .map(|account| {
            let zone = windows::zone(&account.time_zone).unwrap_or(jiff::tz::TimeZone::UTC);
            (account.id, windows::next_day(now, &zone))
        })
        .collect();
    accounts::advance_pacers(&mut tx, &rests).await?;
    held.mailboxes = rests.len();
    tx.commit().await?;
    Ok(held)
}
