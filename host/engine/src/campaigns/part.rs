//! What happens to campaigns by itself: scheduled starts, end dates, and the end of those in which
//! nothing can act any more (SEQ-6, SEQ-11).

use overture_domain::{
    campaigns::{Campaign, CampaignStatus, PauseReason},
    people::Actor,
};
use overture_store::{campaigns as store, enrollments, events};

use crate::{Due, Env, Result, sends};

use super::{details, start, status};

/// Starts, ends and completes what is due.
///
/// # Errors
/// Only the store's; what was done before stays done.
pub async fn tick(env: &Env) -> Result<Due> {
    let now = env.now();
    let mut on = env.db.reader();
    let mut due = Due::WhenWoken;
    for campaign in store::list_by_status(&mut on, CampaignStatus::Scheduled).await? {
        match campaign.start_at {
            Some(start) if start > now => due = due.or(Due::At(start)),
            _ => start_scheduled(env, &campaign).await?,
        }
    }
    for campaign in store::list_by_status(&mut on, CampaignStatus::Running).await? {
        match campaign.end_at {
            Some(end) if end <= now => end_campaign(env, &campaign, "end_date").await?,
            end => due = due.or(Due::at(end)),
        }
    }
    for campaign in store::list_through(&mut on).await? {
        end_campaign(env, &campaign, "everybody is through").await?;
    }
    Ok(due)
}

/// The start date has come: it runs, or is paused with the causes that keep it from that.
async fn start_scheduled(env: &Env, campaign: &Campaign) -> Result<()> {
    let mut tx = env.db.begin().await?;
    let found = details(&mut tx, campaign.workspace_id, campaign.id).await?;
    if found.campaign.status != CampaignStatus::Scheduled {
        return Ok(());
    }
    let causes = start::causes(&mut tx, env, &found).await?;
    let actor = Actor::Engine("SEQ-6");
    if causes.is_empty() {
        status::set_in(
            &mut tx,
            env,
            &found.campaign,
            CampaignStatus::Running,
            "the start date has come",
            &actor,
        )
        .await?;
    } else {
        let why = PauseReason::NotStartable;
        let detail = start::could_not(&causes);
        status::pause_in(&mut tx, env, &found.campaign, why, &detail, &actor).await?;
    }
    tx.commit().await?;
    status::wake(env);
    Ok(())
}

/// Completes a campaign. Whoever is still on their way in it stops (its end date), except those
/// whose last mail may have gone out.
async fn end_campaign(env: &Env, campaign: &Campaign, reason: &str) -> Result<()> {
    let now = env.now();
    let ws = campaign.workspace_id;
    let mut tx = env.db.begin().await?;
    let Some(found) = store::find(&mut tx, ws, campaign.id).await? else {
        return Ok(());
    };
    if found.status != CampaignStatus::Running {
        return Ok(());
    }
    let stopped = enrollments::finish_campaign(&mut tx, ws, found.id, reason, now).await?;
    events::insert(&mut tx, &sends::finished_events(env, &stopped)).await?;
    status::set_in(
        &mut tx,
        env,
        &found,
        CampaignStatus::Completed,
        reason,
        &Actor::Engine("SEQ-11"),
    )
    .await?;
    tx.commit().await?;
    status::wake(env);
    Ok(())
}
