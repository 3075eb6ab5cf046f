//! A new campaign (API-4).

use overture_domain::{
    AccountId, WorkspaceId,
    accounts::{Account, Channel},
    campaigns::{Campaign, CampaignKind, CampaignStatus, PoolAccount, Step, StepKind, Window},
    people::Actor,
};
use overture_store::{Read, accounts, campaigns as store, campaigns::StatusChange, people};

use crate::{Env, Error, FieldError, Result};

use super::{CampaignDetails, CampaignIn, StepIn, details, input, templates};

/// Makes a draft.
///
/// # Errors
/// [`Error::Invalid`] with every field that is wrong, template errors with their places (TPL-3).
pub async fn create(
    env: &Env,
    ws: WorkspaceId,
    given: &CampaignIn,
    actor: &Actor,
) -> Result<CampaignDetails> {
    let now = env.now();
    let mut tx = env.db.begin().await?;
    let workspace = people::find_workspace(&mut tx, ws)
        .await?
        .ok_or(Error::NotFound("workspace"))?;
    let campaign = Campaign {
        id: env.id(),
        workspace_id: ws,
        name: given.name.trim().to_owned(),
        kind: CampaignKind::Email,
        status: CampaignStatus::Draft,
        status_audit_id: env.id(),
        paused_at: None,
        paused_reason: None,
        time_zone: given.time_zone.clone().unwrap_or(workspace.time_zone),
        windows: given
            .windows
            .clone()
            .unwrap_or_else(|| vec![Window::working_hours()]),
        daily_send_limit: given.daily_send_limit.unwrap_or(100),
        max_sends_per_mailbox_per_day: given.max_sends_per_mailbox_per_day.unwrap_or(50),
        minutes_between_sends: given.minutes_between_sends.unwrap_or(5),
        stop_on_reply: given.stop_on_reply.unwrap_or(true),
        stop_on_bounce: given.stop_on_bounce.unwrap_or(true),
        track_opens: given.track_opens.unwrap_or(false),
        track_clicks: given.track_clicks.unwrap_or(false),
        start_at: given.start_at,
        end_at: given.end_at,
        started_at: None,
        finished_at: None,
        created_at: now,
        updated_at: now,
    };
    let mut wrong = input::check(&campaign, true, now);
    wrong.extend(input::check_steps(&given.steps));
    wrong.extend(templates::check(&given.steps));
    wrong.extend(check_pool(&mut tx, ws, &given.mailbox_ids).await?);
    for (place, step) in given.steps.iter().enumerate() {
        if step.id.is_some() {
            wrong.push(FieldError::new(
                format!("steps[{place}].id"),
                "unknown",
                "a new campaign has only new steps",
            ));
        }
    }
    if !wrong.is_empty() {
        return Err(Error::Invalid(wrong));
    }
    let change = StatusChange {
        audit_id: campaign.status_audit_id,
        from: None,
        to: CampaignStatus::Draft,
        reason: "created".to_owned(),
        actor: actor.to_string(),
        at: now,
    };
    store::insert(&mut tx, &campaign, &change).await?;
    store::set_steps(
        &mut tx,
        ws,
        campaign.id,
        &sequence(env, &campaign, &given.steps),
        now,
    )
    .await?;
    store::set_pool(&mut tx, ws, campaign.id, &pool(&given.mailbox_ids)).await?;
    let created = details(&mut tx, ws, campaign.id).await?;
    tx.commit().await?;
    Ok(created)
}

/// The steps as they are kept: numbered, with their delays (SEQ-2).
pub(super) fn sequence(env: &Env, campaign: &Campaign, steps: &[StepIn]) -> Vec<Step> {
    const DAY: i64 = 1_440;
    steps
        .iter()
        .zip(0..)
        .map(|(step, step_index)| Step {
            id: step.id.unwrap_or_else(|| env.id()),
            workspace_id: campaign.workspace_id,
            campaign_id: campaign.id,
            step_index,
            channel: Channel::Mail,
            kind: StepKind::Email,
            delay_minutes: if step_index == 0 {
                0
            } else {
                step.delay_minutes.unwrap_or(DAY)
            },
            subject: step.subject.clone(),
            body_html: step.body_html.clone(),
            body_text: step.body_text.clone(),
        })
        .collect()
}

/// The pool as it is kept; a mailbox that is named twice is in it once.
pub(super) fn pool(ids: &[AccountId]) -> Vec<PoolAccount> {
    let mut ids = ids.to_vec();
    ids.sort();
    ids.dedup();
    ids.into_iter()
        .map(|account_id| PoolAccount {
            account_id,
            weight: 1,
            active: true,
        })
        .collect()
}

/// What is wrong with the mailboxes that a user names: each must be one of the workspace's.
/// Whether they can send is asked at the start (SEQ-6).
pub(super) async fn check_pool(
    on: &mut impl Read,
    ws: WorkspaceId,
    ids: &[AccountId],
) -> Result<Vec<FieldError>> {
    if ids.is_empty() {
        return Ok(vec![FieldError::new(
            "mailboxIds",
            "required",
            "name at least one mailbox to send from",
        )]);
    }
    let known = accounts::find_all(on, ws, ids).await?;
    let is_mailbox = |id: &AccountId| {
        known
            .iter()
            .any(|account: &Account| account.id == *id && account.channel == Channel::Mail)
    };
    Ok(ids
        .iter()
        .enumerate()
        .filter(|(_, id)| !is_mailbox(id))
        .map(|(place, id)| {
            FieldError::new(
                format!("mailboxIds[{place}]"),
                "unknown",
                format!("there is no mailbox {id}"),
            )
        })
        .collect())
}
