//! The status of a campaign: every change with its audit row and its event, in one transaction
//! (SEQ-11, SAFE-4).

use overture_domain::{
    CampaignId, WorkspaceId,
    campaigns::{Campaign, CampaignStatus, Pause, PauseReason},
    events::{Event, EventKind},
    people::Actor,
    planted::{Bug, planted},
};
use overture_store::{Tx, campaigns as store, campaigns::StatusChange, events};
use serde_json::json;

use crate::{Env, Error, Part, Result};

/// Changes the status in the caller's transaction; to paused go [`pause_in`] and [`super::pauses`].
///
/// # Errors
/// [`Error::InvalidStatus`] where SEQ-11 doesn't allow it, [`Error::Conflict`] when it changed
/// meanwhile.
pub(crate) async fn set_in(
    tx: &mut Tx,
    env: &Env,
    campaign: &Campaign,
    to: CampaignStatus,
    reason: &str,
    actor: &Actor,
) -> Result<()> {
    change_in(tx, env, campaign, to, (reason, Vec::new()), actor).await
}

/// Pauses a campaign that isn't, for one reason.
///
/// # Errors
/// Those of [`set_in`].
pub(crate) async fn pause_in(
    tx: &mut Tx,
    env: &Env,
    campaign: &Campaign,
    reason: PauseReason,
    detail: &str,
    actor: &Actor,
) -> Result<()> {
    let pause = Pause {
        reason,
        detail: detail.to_owned(),
        since: env.now(),
    };
    let paused = CampaignStatus::Paused;
    change_in(
        tx,
        env,
        campaign,
        paused,
        (&pause.words(), vec![pause.clone()]),
        actor,
    )
    .await
}

/// Why a campaign is paused that somebody pauses (SEQ-10).
pub(crate) fn by(actor: &Actor) -> PauseReason {
    match actor {
        Actor::Key(_) => PauseReason::Api,
        _ => PauseReason::Manual,
    }
}

async fn change_in(
    tx: &mut Tx,
    env: &Env,
    campaign: &Campaign,
    to: CampaignStatus,
    (reason, pauses): (&str, Vec<Pause>),
    actor: &Actor,
) -> Result<()> {
    if !campaign
        .status
        .may_become(to, campaign.started_at.is_some())
    {
        return Err(refused(campaign, to));
    }
    let now = env.now();
    let change = StatusChange {
        audit_id: env.id(),
        from: Some(campaign.status),
        to,
        reason: if planted(Bug::ChangeWithoutReason) {
            String::new()
        } else {
            reason.to_owned()
        },
        pauses,
        actor: actor.to_string(),
        at: now,
    };
    write(tx, campaign, &change).await?;
    let event = Event {
        id: env.id(),
        workspace_id: campaign.workspace_id,
        kind: EventKind::CampaignStatusChanged,
        channel: None,
        campaign_id: Some(campaign.id),
        enrollment_id: None,
        prospect_id: None,
        account_id: None,
        occurred_at: now,
        dedup_key: None,
        data: json!({
            "campaignId": campaign.id,
            "campaignName": campaign.name,
            "fromStatus": campaign.status,
            "toStatus": to,
            "reason": reason,
            "changedAt": now,
        }),
    };
    events::insert(tx, &[event]).await?;
    Ok(())
}

/// A campaign goes on to rest: a row of the audit with what is still wrong (SAF-1).
///
/// # Errors
/// Those of [`set_in`].
pub(crate) async fn rest_on_in(
    tx: &mut Tx,
    env: &Env,
    campaign: &Campaign,
    reason: &str,
    actor: &Actor,
) -> Result<()> {
    let stays = stays(env, campaign, (reason, Vec::new()), actor);
    write(tx, campaign, &stays).await
}

/// What holds a paused campaign changes, and it stays paused: a row of the audit.
pub(super) async fn set_pauses_in(
    tx: &mut Tx,
    env: &Env,
    campaign: &Campaign,
    pauses: Vec<Pause>,
    reason: &str,
    actor: &Actor,
) -> Result<()> {
    let stays = stays(env, campaign, (reason, pauses), actor);
    write(tx, campaign, &stays).await
}

/// The status stays as it is, for which there is no event.
fn stays(
    env: &Env,
    campaign: &Campaign,
    (reason, pauses): (&str, Vec<Pause>),
    actor: &Actor,
) -> StatusChange {
    StatusChange {
        audit_id: env.id(),
        from: Some(campaign.status),
        to: campaign.status,
        reason: reason.to_owned(),
        pauses,
        actor: actor.to_string(),
        at: env.now(),
    }
}

async fn write(tx: &mut Tx, campaign: &Campaign, change: &StatusChange) -> Result<()> {
    if !store::set_status(tx, campaign.workspace_id, campaign.id, change).await? {
        let message = "the campaign has changed meanwhile: look at it and try again";
        return Err(Error::Conflict(message.to_owned()));
    }
    Ok(())
}

pub(super) fn refused(campaign: &Campaign, to: CampaignStatus) -> Error {
    Error::InvalidStatus {
        message: format!(
            "the campaign is {}, so it can't become {to}",
            campaign.status
        ),
        details: Vec::new(),
    }
}

/// Wakes the parts that a status change concerns.
pub(crate) fn wake(env: &Env) {
    for part in [Part::Campaigns, Part::Sends, Part::Dispatch] {
        env.wakes.wake(part);
    }
}

/// Pauses a campaign: nothing of it is sent any more, and everybody keeps their place. Pausing one
/// in error acknowledges the fault.
///
/// # Errors
/// [`Error::NotFound`], [`Error::InvalidStatus`] when there is nothing to pause.
pub async fn pause(env: &Env, ws: WorkspaceId, id: CampaignId, actor: &Actor) -> Result<Campaign> {
    use CampaignStatus::{Archived, Completed, Paused};
    let mut tx = env.db.begin().await?;
    let campaign = store::find(&mut tx, ws, id)
        .await?
        .ok_or(Error::NotFound("campaign"))?;
    if matches!(campaign.status, Archived | Completed) {
        return Err(refused(&campaign, Paused));
    }
    pause_in(&mut tx, env, &campaign, by(actor), "", actor).await?;
    let campaign = store::find(&mut tx, ws, id)
        .await?
        .ok_or(Error::NotFound("campaign"))?;
    tx.commit().await?;
    wake(env);
    Ok(campaign)
}
