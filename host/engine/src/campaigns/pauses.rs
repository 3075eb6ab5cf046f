//! What holds a paused campaign: several reasons at once, some of which end by themselves (SEQ-10).

use overture_domain::{
    AccountId, WorkspaceId,
    accounts::{AccountStatus, Channel},
    campaigns::{Campaign, CampaignStatus, Pause, PauseReason},
    people::Actor,
};
use overture_store::{Read, Slice, Tx, accounts, campaigns as store};

use crate::{Env, Error, FieldError, Result};

use super::{CampaignDetails, details, start, status};

/// An account was lost: the campaigns that it sent for are held where no other account of its
/// channel is connected for them. They keep everybody's place.
///
/// # Errors
/// Only the store's, and [`Error::Conflict`] when a campaign changed at the same moment.
pub(crate) async fn hold_in(
    tx: &mut Tx,
    env: &Env,
    ws: WorkspaceId,
    account: AccountId,
    detail: &str,
    actor: &Actor,
) -> Result<()> {
    let reason = PauseReason::LinkedinAccountDisconnected;
    for campaign in of_account(tx, ws, account).await? {
        let found = details(tx, ws, campaign.id).await?;
        if !holds(tx, &found, reason).await? {
            continue;
        }
        hold_one_in(tx, env, &campaign, reason, detail, actor).await?;
    }
    Ok(())
}

/// Holds a campaign for one reason more; nothing where that reason holds it already.
///
/// # Errors
/// Those of [`hold_in`].
pub(crate) async fn hold_one_in(
    tx: &mut Tx,
    env: &Env,
    campaign: &Campaign,
    reason: PauseReason,
    detail: &str,
    actor: &Actor,
) -> Result<()> {
    if campaign.status != CampaignStatus::Paused {
        return status::pause_in(tx, env, campaign, reason, detail, actor).await;
    }
    if campaign.pauses.iter().any(|pause| pause.reason == reason) {
        return Ok(());
    }
    let pause = Pause {
        reason,
        detail: detail.to_owned(),
        since: env.now(),
    };
    let words = pause.words();
    let all = [campaign.pauses.clone(), vec![pause]].concat();
    status::set_pauses_in(tx, env, campaign, all, &words, actor).await
}

/// An account is connected: campaigns run again that waited for nothing else, without a burst; one
/// that can't start any more is held with the causes.
///
/// # Errors
/// Those of [`hold_in`].
pub(crate) async fn lift_in(
    tx: &mut Tx,
    env: &Env,
    ws: WorkspaceId,
    account: AccountId,
    actor: &Actor,
) -> Result<()> {
    let reason = PauseReason::LinkedinAccountDisconnected;
    for campaign in of_account(tx, ws, account).await? {
        let mut left = campaign.pauses.clone();
        left.retain(|pause| pause.reason != reason);
        if left.len() == campaign.pauses.len() {
            continue;
        }
        let found = details(tx, ws, campaign.id).await?;
        if left.is_empty() {
            let causes = start::causes(tx, env, &found).await?;
            if causes.is_empty() {
                let to = start::begins_as(&campaign, env.now());
                let words = format!("{reason} is over");
                status::set_in(tx, env, &campaign, to, &words, actor).await?;
                continue;
            }
            left.push(Pause {
                reason: PauseReason::NotStartable,
                detail: start::could_not(&causes),
                since: env.now(),
            });
        }
        let words = format!("{reason} is over");
        status::set_pauses_in(tx, env, &campaign, left, &words, actor).await?;
    }
    Ok(())
}

/// Refuses to let a campaign run while something holds it that a person can't lift.
///
/// # Errors
/// [`Error::InvalidStatus`] with what holds it, and since when.
pub(super) async fn refuse_held(on: &mut impl Read, found: &CampaignDetails) -> Result<()> {
    let mut held = Vec::new();
    for pause in &found.campaign.pauses {
        if holds(on, found, pause.reason).await? {
            let message = format!(
                "{}, since {}. {}",
                pause.words(),
                pause.since,
                pause.outlook()
            );
            held.push(FieldError::new("pauses", pause.reason.name(), message));
        }
    }
    if held.is_empty() {
        return Ok(());
    }
    let list: Vec<_> = held.iter().map(|cause| cause.message.as_str()).collect();
    Err(Error::InvalidStatus {
        message: format!("the campaign is still held: {}", list.join("; ")),
        details: held,
    })
}

/// Whether the reason is still there. What a person ends is over when a person says so.
async fn holds(on: &mut impl Read, found: &CampaignDetails, reason: PauseReason) -> Result<bool> {
    match reason {
        PauseReason::Manual
        | PauseReason::Api
        | PauseReason::NotStartable
        | PauseReason::FewReplies
        | PauseReason::Restored
        | PauseReason::BounceShield => Ok(false),
        PauseReason::LinkedinAccountDisconnected => {
            let ids: Vec<_> = (found.pool.iter())
                .filter(|account| account.active)
                .map(|account| account.account_id)
                .collect();
            let pool = accounts::find_all(on, found.campaign.workspace_id, &ids).await?;
            let mut there = pool
                .iter()
                .filter(|found| found.channel == Channel::Linkedin);
            Ok(!there.any(|account| account.status == AccountStatus::Connected))
        }
    }
}

/// The campaigns with the account that a reason may hold: those under way.
async fn of_account(
    on: &mut impl Read,
    ws: WorkspaceId,
    account: AccountId,
) -> Result<Vec<Campaign>> {
    let filter = store::Filter {
        account_id: Some(account),
        ..store::Filter::default()
    };
    let all = store::list(on, ws, &filter, &Slice::first(i64::MAX)).await?;
    let under_way = |campaign: &Campaign| {
        use CampaignStatus::{Paused, Running, Scheduled};
        matches!(campaign.status, Paused | Running | Scheduled)
    };
    Ok(all.into_iter().filter(under_way).collect())
}
