//! Campaigns that get fewer replies than their floor (SAF-1): an admin is told, and then they wait for
//! a person.

use overture_domain::{
    CampaignId, WorkspaceId,
    campaigns::{CampaignStatus, PauseReason},
    people::Actor,
};
use overture_store::{Read, campaigns as stored, safety as store};

use crate::{Env, Result, alerts::Cause, campaigns};

const BY: Actor = Actor::Engine("SAF-1");

/// Pauses those that have sent enough to tell. Whether any is below its floor.
///
/// # Errors
/// Only the store's; what was done before stays done.
pub(super) async fn tick(env: &Env) -> Result<bool> {
    let mut any = false;
    for (ws, campaign, allowed, measure) in store::list_with_floor(&mut env.db.reader()).await? {
        let Some(silence) = measure.silence(&allowed) else {
            continue;
        };
        any = true;
        if silence.pauses {
            pause(env, ws, campaign, &silence.words).await?;
        }
    }
    Ok(any)
}

async fn pause(env: &Env, ws: WorkspaceId, id: CampaignId, words: &str) -> Result<()> {
    let mut tx = env.db.begin().await?;
    let found = stored::find(&mut tx, ws, id).await?;
    let Some(campaign) = found.filter(|one| one.status == CampaignStatus::Running) else {
        return Ok(());
    };
    let reason = PauseReason::FewReplies;
    campaigns::hold_one_in(&mut tx, env, &campaign, reason, words, &BY).await?;
    tx.commit().await?;
    campaigns::wake(env);
    tracing::warn!(workspace.id = %ws, campaign.id = %id, words, "too few replies");
    Ok(())
}

/// Campaigns below their floor, and those that it has paused.
pub(super) async fn below(on: &mut impl Read) -> Result<Vec<Cause>> {
    let mut causes = Vec::new();
    for (ws, campaign, allowed, measure) in store::list_with_floor(on).await? {
        if let Some(silence) = measure.silence(&allowed) {
            causes.push(Cause {
                message: silence.words,
                ..Cause::of(ws, &campaign)
            });
        }
    }
    for campaign in stored::list_by_status(on, CampaignStatus::Paused).await? {
        let pauses = campaign.pauses.iter();
        let mut of = pauses.filter(|pause| pause.reason == PauseReason::FewReplies);
        if let Some(pause) = of.next() {
            causes.push(Cause {
                message: format!("the campaign is paused: {}", pause.detail),
                ..Cause::of(campaign.workspace_id, &campaign.id)
            });
        }
    }
    Ok(causes)
}
