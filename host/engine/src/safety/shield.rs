//! The Bounce Shield: all campaigns of a workspace stop when too many of its last mails came back
//! (SAF-2).

use std::time::Duration;

use overture_domain::{
    WorkspaceId,
    campaigns::{CampaignStatus, PauseReason},
    people::Actor,
    planted::{Bug, planted},
    safety::BounceShield,
};
use overture_store::{Read, Slice, campaigns as stored, people, safety as store};

use crate::{Env, Error, Result, alerts::Cause, campaigns};

/// A workspace is looked at while any mail has come back within that time; then all of its last
/// mails count, however old they are.
const LATELY: Duration = Duration::from_secs(48 * 3_600);

/// Changes of a Bounce Shield; None leaves a setting as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShieldPatch {
    pub enabled: Option<bool>,
    pub threshold_percent: Option<i64>,
    pub window: Option<i64>,
    pub pauses_campaigns: Option<bool>,
    pub blocks_addresses: Option<bool>,
}

/// The Bounce Shield of a workspace.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn shield(env: &Env, ws: WorkspaceId) -> Result<BounceShield> {
    let found = store::find_shield(&mut env.db.reader(), ws).await?;
    found.ok_or(Error::NotFound("workspace"))
}

/// Changes the Bounce Shield of a workspace; when it tripped stays as it is.
///
/// # Errors
/// [`Error::Invalid`] for what is out of its range, [`Error::NotFound`].
pub async fn set_shield(env: &Env, ws: WorkspaceId, patch: &ShieldPatch) -> Result<BounceShield> {
    let mut tx = env.db.begin().await?;
    people::lock_workspace(&mut tx, ws).await?;
    let before = store::find_shield(&mut tx, ws).await?;
    let before = before.ok_or(Error::NotFound("workspace"))?;
    let after = BounceShield {
        enabled: patch.enabled.unwrap_or(before.enabled),
        threshold_percent: patch.threshold_percent.unwrap_or(before.threshold_percent),
        window: patch.window.unwrap_or(before.window),
        pauses_campaigns: patch.pauses_campaigns.unwrap_or(before.pauses_campaigns),
        blocks_addresses: patch.blocks_addresses.unwrap_or(before.blocks_addresses),
        tripped_at: before.tripped_at,
    };
    if let Some((field, problem)) = after.problem() {
        return Err(Error::field(field, "out_of_range", problem));
    }
    store::set_shield(&mut tx, ws, &after).await?;
    tx.commit().await?;
    env.wakes.wake(crate::Part::Safety);
    Ok(after)
}

/// Trips the shields that are to trip. Whether any did.
pub(super) async fn tick(env: &Env) -> Result<bool> {
    let mut tripped = false;
    if planted(Bug::NoShield) {
        return Ok(tripped);
    }
    let lately = env.now() - LATELY;
    let on = &mut env.db.reader();
    for (ws, shield, bounces) in store::list_shields(on, lately).await? {
        // Most that are looked at don't trip, and nobody shall wait for the workspace meanwhile.
        if shield.enabled && bounces > 0 && trouble(on, ws, &shield).await?.is_some() {
            tripped |= look(env, ws).await?;
        }
    }
    Ok(tripped)
}

/// Why it trips, for people; None: it doesn't.
async fn trouble(
    on: &mut impl Read,
    ws: WorkspaceId,
    shield: &BounceShield,
) -> Result<Option<String>> {
    let after = shield.tripped_at.unwrap_or_default();
    let last = store::measure_last(on, ws, shield.window, after).await?;
    Ok(shield.trouble(&last))
}

async fn look(env: &Env, ws: WorkspaceId) -> Result<bool> {
    let mut tx = env.db.begin().await?;
    people::lock_workspace(&mut tx, ws).await?;
    let Some(shield) = store::find_shield(&mut tx, ws).await? else {
        return Ok(false);
    };
    let Some(trouble) = trouble(&mut tx, ws, &shield).await? else {
        return Ok(false);
    };
    if shield.pauses_campaigns {
        let filter = stored::Filter::default();
        for campaign in stored::list(&mut tx, ws, &filter, &Slice::first(i64::MAX)).await? {
            use CampaignStatus::{Cooldown, Paused, Running, Scheduled};
            if matches!(campaign.status, Running | Cooldown | Scheduled | Paused) {
                let reason = PauseReason::BounceShield;
                let by = &Actor::Engine("SAF-2");
                campaigns::hold_one_in(&mut tx, env, &campaign, reason, &trouble, by).await?;
            }
        }
    }
    let tripped = BounceShield {
        tripped_at: Some(env.now()),
        ..shield
    };
    store::set_shield(&mut tx, ws, &tripped).await?;
    tx.commit().await?;
    campaigns::wake(env);
    tracing::warn!(workspace.id = %ws, trouble, "the bounce shield has tripped");
    Ok(true)
}

/// Workspaces whose campaigns it holds.
pub(super) async fn held(on: &mut impl Read) -> Result<Vec<Cause>> {
    let mut held: Vec<Cause> = Vec::new();
    for campaign in stored::list_by_status(on, CampaignStatus::Paused).await? {
        let pauses = campaign.pauses.iter();
        let of = pauses.filter(|pause| pause.reason == PauseReason::BounceShield);
        for pause in of {
            let one = Cause {
                message: pause.detail.clone(),
                ..Cause::of(campaign.workspace_id, &campaign.workspace_id)
            };
            match held.iter_mut().find(|known| known.subject == one.subject) {
                Some(known) => known.count += 1,
                None => held.push(one),
            }
        }
    }
    Ok(held)
}
