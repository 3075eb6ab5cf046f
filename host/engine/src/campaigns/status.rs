//! The status of a campaign: every change with its audit row and its event, in one transaction
//! (SEQ-11, SAFE-4).

use overture_domain::{
    CampaignId, WorkspaceId,
    campaigns::{Campaign, CampaignStatus},
    events::{Event, EventKind},
    people::Actor,
};
use overture_store::{Tx, campaigns as store, campaigns::StatusChange, events};
use serde_json::json;

use crate::{Env, Error, Part, Result};

/// Changes the status in the caller's transaction.
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
        reason: reason.to_owned(),
        actor: actor.to_string(),
        at: now,
    };
    if !store::set_status(tx, campaign.workspace_id, campaign.id, &change).await? {
        let message = "the campaign has changed meanwhile: look at it and try again";
        return Err(Error::Conflict(message.to_owned()));
    }
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
pub(super) fn wake(env: &Env) {
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
    // SEQ-10
    let reason = if matches!(actor, Actor::Key(_)) {
        "api"
    } else {
        "manual"
    };
    set_in(&mut tx, env, &campaign, Paused, reason, actor).await?;
    let campaign = store::find(&mut tx, ws, id)
        .await?
        .ok_or(Error::NotFound("campaign"))?;
    tx.commit().await?;
    wake(env);
    Ok(campaign)
}
