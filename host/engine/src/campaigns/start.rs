//! Starting a campaign (SEQ-6).

use overture_domain::{
    CampaignId, Timestamp, WorkspaceId,
    accounts::AccountStatus,
    campaigns::{Campaign, CampaignStatus},
    people::Actor,
};
use overture_store::{Read, accounts, campaigns as store, enrollments};

use crate::{Env, Error, FieldError, Result};

use super::{CampaignDetails, details, pauses, status, templates};

/// Starts a draft or a paused campaign: it runs, or is scheduled where its start date lies ahead.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::InvalidStatus`] where SEQ-11 doesn't allow it; where it can't
/// start, every cause at once: [`Error::UnusableMailboxes`] and [`Error::EndDateExpired`] when
/// that is the only one, else [`Error::Invalid`].
pub async fn start(env: &Env, ws: WorkspaceId, id: CampaignId, actor: &Actor) -> Result<Campaign> {
    begin(env, ws, id, actor, "started").await
}

/// Lets a paused campaign run again, unless something still holds it that a person can't lift
/// (SEQ-10). Nothing catches up in a burst: what was due meanwhile is
/// planned anew, at the pace of the mailboxes (SAFE-1).
///
/// # Errors
/// Those of [`start`].
pub async fn resume(env: &Env, ws: WorkspaceId, id: CampaignId, actor: &Actor) -> Result<Campaign> {
    let campaign = store::find(&mut env.db.reader(), ws, id)
        .await?
        .ok_or(Error::NotFound("campaign"))?;
    if campaign.status != CampaignStatus::Paused {
        return Err(status::refused(&campaign, CampaignStatus::Running));
    }
    begin(env, ws, id, actor, "resumed").await
}

async fn begin(
    env: &Env,
    ws: WorkspaceId,
    id: CampaignId,
    actor: &Actor,
    reason: &str,
) -> Result<Campaign> {
    let mut tx = env.db.begin().await?;
    let found = details(&mut tx, ws, id).await?;
    let to = begins_as(&found.campaign, env.now());
    // First the status: the causes of a completed campaign help nobody.
    let started = found.campaign.started_at.is_some();
    let startable = !matches!(found.campaign.status, CampaignStatus::Cooldown);
    if !startable || !found.campaign.status.may_become(to, started) {
        return Err(status::refused(&found.campaign, to));
    }
    pauses::refuse_held(&mut tx, &found).await?;
    refuse(causes(&mut tx, env, &found).await?)?;
    status::set_in(&mut tx, env, &found.campaign, to, reason, actor).await?;
    let campaign = store::find(&mut tx, ws, id)
        .await?
        .ok_or(Error::NotFound("campaign"))?;
    tx.commit().await?;
    status::wake(env);
    Ok(campaign)
}

/// What a campaign becomes that starts now: scheduled while its start date lies ahead (SEQ-6).
pub(super) fn begins_as(campaign: &Campaign, now: Timestamp) -> CampaignStatus {
    match campaign.start_at {
        Some(start) if start > now => CampaignStatus::Scheduled,
        _ => CampaignStatus::Running,
    }
}

/// The causes as one sentence, where nobody waits for an answer.
pub(super) fn could_not(causes: &[FieldError]) -> String {
    let list: Vec<_> = causes.iter().map(|cause| cause.message.as_str()).collect();
    format!("it could not start: {}", list.join("; "))
}

/// Everything that keeps the campaign from starting; none: it can.
pub(super) async fn causes(
    on: &mut impl Read,
    env: &Env,
    found: &CampaignDetails,
) -> Result<Vec<FieldError>> {
    let CampaignDetails {
        campaign,
        steps,
        pool,
    } = found;
    let (ws, id) = (campaign.workspace_id, campaign.id);
    let mut causes = Vec::new();
    if steps.is_empty() {
        causes.push(FieldError::new(
            "steps",
            "no_step",
            "the campaign has no step: add one",
        ));
    }
    causes.extend(templates::check_saved(steps));

    let ids: Vec<_> = pool
        .iter()
        .filter(|account| account.active)
        .map(|account| account.account_id)
        .collect();
    let mailboxes = accounts::find_all(on, ws, &ids).await?;
    if !mailboxes
        .iter()
        .any(|mailbox| mailbox.status == AccountStatus::Connected)
    {
        let message = match mailboxes.as_slice() {
            [] => "the campaign has no mailbox to send from: add one".to_owned(),
            all => {
                let list: Vec<_> = all
                    .iter()
                    .map(|mailbox| match mailbox.status_reason.as_str() {
                        "" => format!("{} is {}", mailbox.address, mailbox.status),
                        why => format!("{} is {} ({why})", mailbox.address, mailbox.status),
                    })
                    .collect();
                format!("no mailbox of the campaign can send: {}", list.join(", "))
            }
        };
        causes.push(FieldError::new("mailboxIds", "unusable_mailboxes", message));
    }
    if campaign.end_at.is_some_and(|end| end <= env.now()) {
        causes.push(FieldError::new(
            "endDate",
            "end_date_expired",
            "the end date has passed: move it, or remove it",
        ));
    }

    let counts = enrollments::count_by_state(on, ws, id).await?;
    let can_act =
        |state: overture_domain::enrollments::EnrollmentState| state.is_open() || state.is_parked();
    if !counts.iter().any(|(state, _)| can_act(*state)) {
        let message = match counts.iter().map(|(_, n)| n).sum::<i64>() {
            0 => "nobody is in the campaign: enroll prospects".to_owned(),
            n => format!("none of the {n} prospects in the campaign can be written to any more"),
        };
        causes.push(FieldError::new("enrollments", "no_prospects", message));
    } else {
        let existing = enrollments::custom_fields(on, ws, id).await?;
        for field in templates::needed_custom_fields(steps)
            .iter()
            .filter(|field| !existing.contains(field))
        {
            let known = match existing.as_slice() {
                [] => "they have no custom fields".to_owned(),
                all => format!("they have: {}", all.join(", ")),
            };
            let message = format!(
                "`{field}` is written without a default, and no prospect of the campaign has it; {known}"
            );
            causes.push(FieldError::new("steps", "unknown_custom_field", message));
        }
    }
    Ok(causes)
}

fn refuse(causes: Vec<FieldError>) -> Result<()> {
    match causes.as_slice() {
        [] => Ok(()),
        [one] if one.code == "unusable_mailboxes" => Err(Error::UnusableMailboxes {
            message: one.message.clone(),
            details: causes,
        }),
        [one] if one.code == "end_date_expired" => Err(Error::EndDateExpired),
        _ => Err(Error::Invalid(causes)),
    }
}
