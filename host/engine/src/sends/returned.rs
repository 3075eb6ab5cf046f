//! Mails that went out and came back undelivered, for a reason that passes (SAF-4). The report is
//! proof that the step has not reached its only recipient, so it is tried again: decision 13.

use overture_domain::{
    EnrollmentId, Timestamp, WorkspaceId,
    campaigns::CampaignStatus,
    enrollments::{Action, ActionState, EnrollmentState},
    pacing,
};
use overture_store::{
    Tx, actions, actions::Ended, campaigns, enrollments, events, jobs, prospects,
};

use crate::{Env, Result};

use super::{finished_events, plan};

/// A mail that came back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Returned<'a> {
    pub workspace_id: WorkspaceId,
    pub enrollment_id: EnrollmentId,
    /// Its Message-ID, without brackets.
    pub external_id: &'a str,
    /// The server's words.
    pub words: &'a str,
    pub again: Again,
}

/// When it may go out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// On the ladder of soft refusals, with those that the server gave at once: up to three
    /// retries over 72 hours (SAF-4).
    Soft,
    /// When the mailbox has rested (CAP-3). It is no refusal of this mail.
    From(Timestamp),
}

/// Plans the step once more, or gives it up after its last retry. Whether it did: a mail that the
/// sequence has gone past stays where it is, and so does one of a campaign that is over (SEQ-11).
///
/// # Errors
/// Only the store's.
pub(crate) async fn returned_in(tx: &mut Tx, env: &Env, returned: Returned<'_>) -> Result<bool> {
    let (ws, id, now) = (returned.workspace_id, returned.enrollment_id, env.now());
    let Some(enrollment) = enrollments::find(tx, ws, id).await? else {
        return Ok(false);
    };
    let Some(campaign) = campaigns::find(tx, ws, enrollment.campaign_id).await? else {
        return Ok(false);
    };
    let may_act = enrollment.state.is_open() || enrollment.state == EnrollmentState::Completed;
    let over = [CampaignStatus::Completed, CampaignStatus::Archived];
    if !may_act || over.contains(&campaign.status) {
        return Ok(false);
    }
    let Some(action) = last_sent(tx, &returned).await? else {
        return Ok(false);
    };
    if !enrollments::step_back(tx, ws, id, action.step_index, now).await? {
        return Ok(false);
    }
    let refusals = i64::from(returned.again == Again::Soft);
    let refusals = actions::take_back(tx, ws, action.id, refusals, returned.words, now)
        .await?
        .unwrap_or(action.deferrals);
    let at = match returned.again {
        Again::Soft => pacing::soft_retry(refusals).map(|wait| now + wait),
        Again::From(at) => Some(at),
    };
    let Some(at) = at else {
        give_up(tx, env, &returned, &action, refusals).await?;
        return Ok(true);
    };
    let prospect = prospects::find(tx, ws, enrollment.prospect_id).await?;
    let zone = prospect.map(|prospect| prospect.time_zone);
    let zone = plan::zone_of(&campaign, zone.as_deref().unwrap_or_default());
    let (run_at, _) = plan::clamp(&campaign, &zone, at);
    let again = jobs::Planned {
        job_id: env.id(),
        workspace_id: ws,
        enrollment_id: id,
        run_at,
        lane: None,
        reason: format!("came back, tried again: {}", returned.words),
        waits: false,
    };
    jobs::plan(tx, &[again], now).await?;
    Ok(true)
}

/// The action of the mail, where no later step was begun.
async fn last_sent(tx: &mut Tx, returned: &Returned<'_>) -> Result<Option<Action>> {
    let ids = [returned.enrollment_id];
    let begun = actions::list_by_enrollments(tx, returned.workspace_id, &ids).await?;
    let sent = begun
        .iter()
        .find(|action| {
            action.external_id == returned.external_id && action.state == ActionState::Done
        })
        .cloned();
    Ok(sent.filter(|sent| {
        !begun.iter().any(|later| {
            later.step_index > sent.step_index && later.state != ActionState::Cancelled
        })
    }))
}

/// Three retries over 72 hours are enough (SAF-4).
async fn give_up(
    tx: &mut Tx,
    env: &Env,
    returned: &Returned<'_>,
    action: &Action,
    refusals: i64,
) -> Result<()> {
    let now = env.now();
    let ended = Ended {
        action_id: action.id,
        state: ActionState::Failed,
        deferrals: refusals,
        error: Some(returned.words.to_owned()),
        attempt: None,
        detail: None,
    };
    actions::end(tx, &[ended], now).await?;
    let reason = format!(
        "came back or was refused {refusals} times, the last: {}",
        returned.words
    );
    let (ws, ids) = (returned.workspace_id, [returned.enrollment_id]);
    let failed = enrollments::finish(tx, ws, &ids, EnrollmentState::Failed, &reason, now).await?;
    events::insert(tx, &finished_events(env, &failed)).await?;
    Ok(())
}
