//! Mails that went out: the common case, written a statement or two a kind for all of a group.

use std::collections::HashMap;

use crate::{Env, Result};
use overture_domain::{
    EnrollmentId, Timestamp, WorkspaceId,
    enrollments::{ActionState, Enrollment, EnrollmentState, Outcome},
    events::Event,
    messages::Message,
    pacing,
};
use overture_store::{
    Tx, accounts, actions, campaigns, enrollments, events, jobs, messages, prospects,
};

use super::{
    super::{finished_events, plan, told::sent_event, writes::Mail},
    Ended,
};

/// Writes that mails of a workspace went out, each with its server's words, and plans what comes
/// next. Of one whose send was settled before, only the message is kept.
pub(super) async fn write(
    tx: &mut Tx,
    env: &Env,
    ws: WorkspaceId,
    all: &[(&Ended, &str)],
    now: Timestamp,
) -> Result<()> {
    let turns: Vec<_> = all
        .iter()
        .map(|(ended, words)| actions::Ended {
            action_id: ended.mail.action.id,
            state: ActionState::Done,
            deferrals: ended.mail.action.deferrals,
            error: None,
            attempt: ended.told(Outcome::Sent),
            detail: Some((*words).to_owned()),
        })
        .collect();
    let done = actions::end(tx, &turns, now).await?;
    let mails = || all.iter().map(|(ended, _)| &*ended.mail);
    let kept: Vec<_> = mails()
        .map(|mail| {
            let message = Message {
                at: now,
                ..mail.composed.message.clone()
            };
            (message, mail.composed.headers.clone())
        })
        .collect();
    messages::insert(tx, &kept, now).await?;
    let ended: Vec<&Ended> = all
        .iter()
        .map(|(ended, _)| *ended)
        .filter(|ended| done.contains(&ended.mail.action.id))
        .collect();
    let mails: Vec<&Mail> = ended.iter().map(|ended| &*ended.mail).collect();
    if mails.len() < all.len() {
        let settled = all.len() - mails.len();
        tracing::warn!(
            settled,
            "what became of sends was settled before they ended"
        );
    }
    let contacted: Vec<_> = mails.iter().map(|mail| mail.prospect.id).collect();
    prospects::set_contacted(tx, ws, &contacted, now).await?;
    let done: Vec<_> = mails.iter().map(|mail| mail.action.enrollment_id).collect();
    jobs::finish_steps(tx, ws, &done, now).await?;
    for mail in &mails {
        recover(tx, ws, mail, now).await?;
    }
    let mut told: Vec<Event> = ended
        .iter()
        .map(|ended| {
            let Mail {
                action, prospect, ..
            } = &*ended.mail;
            let to = (prospect.id, prospect.email.as_str());
            sent_event(env, action, Some(ended.attempt), to, now)
        })
        .collect();
    told.extend(go_on(tx, env, ws, &mails, now).await?);
    events::insert(tx, &told).await?;
    Ok(())
}

/// On to the next step, or through. The events of those that are through.
async fn go_on(
    tx: &mut Tx,
    env: &Env,
    ws: WorkspaceId,
    mails: &[&Mail],
    now: Timestamp,
) -> Result<Vec<Event>> {
    let done: Vec<_> = mails
        .iter()
        .map(|mail| (mail.action.enrollment_id, mail.action.step_index))
        .collect();
    enrollments::advance(tx, ws, &done, now).await?;
    let ids: Vec<EnrollmentId> = done.into_iter().map(|(id, _)| id).collect();
    let mut campaigns: Vec<_> = mails.iter().map(|mail| mail.campaign.id).collect();
    campaigns.sort_unstable();
    campaigns.dedup();
    let steps = campaigns::list_steps(tx, ws, &campaigns).await?;
    let now_at: HashMap<EnrollmentId, Enrollment> = enrollments::list_by_ids(tx, ws, &ids)
        .await?
        .into_iter()
        .map(|enrollment| (enrollment.id, enrollment))
        .collect();
    let (mut through, mut planned) = (Vec::new(), Vec::new());
    for mail in mails {
        let Some(enrollment) = now_at
            .get(&mail.action.enrollment_id)
            .filter(|enrollment| enrollment.state.is_open())
        else {
            continue;
        };
        let next = steps.iter().find(|step| {
            step.campaign_id == enrollment.campaign_id && step.step_index == enrollment.step_index
        });
        match next {
            // The planner knows whether that has happened already.
            Some(next) if next.kind.waits() => {}
            Some(next) => {
                let due = pacing::step_due(now, next.delay_minutes, &*env.rng);
                planned.push(next_step(env, mail, due));
            }
            None => through.push(enrollment.id),
        }
    }
    if !planned.is_empty() {
        jobs::plan(tx, &planned, now).await?;
    }
    if through.is_empty() {
        return Ok(Vec::new());
    }
    let (state, why) = (EnrollmentState::Completed, "the sequence is through");
    let finished = enrollments::finish(tx, ws, &through, state, why, now).await?;
    Ok(finished_events(env, &finished))
}

fn next_step(env: &Env, mail: &Mail, due: Timestamp) -> jobs::Planned {
    let zone = plan::zone_of(&mail.campaign, &mail.prospect.time_zone);
    let (run_at, outside) = plan::clamp(&mail.campaign, &zone, due);
    jobs::Planned {
        job_id: env.id(),
        workspace_id: mail.action.workspace_id,
        enrollment_id: mail.action.enrollment_id,
        run_at,
        lane: None,
        reason: if outside {
            plan::OUTSIDE.to_owned()
        } else {
            String::new()
        },
        waits: false,
    }
}

/// What a success ends: refused sign-ins in a row (MB-3), and the back-off after 30 successes
/// within an hour (CAP-3).
async fn recover(tx: &mut Tx, ws: WorkspaceId, mail: &Mail, now: Timestamp) -> Result<()> {
    let id = mail.account.id;
    if mail.account.auth_failures > 0 {
        accounts::clear_auth_failures(tx, ws, id).await?;
    }
    // A rung that came after the hand-out is seen by the next success.
    if mail.account.backoff_rung == 0 {
        return Ok(());
    }
    let Some(account) = accounts::find(tx, ws, id)
        .await?
        .filter(|account| account.backoff_rung > 0)
    else {
        return Ok(());
    };
    // Only successes since the server last asked for patience.
    let asked = account.backoff_until - pacing::backoff(account.backoff_rung);
    let since = asked.max(now - pacing::RECOVERY_SPAN);
    if actions::count_done_since(tx, ws, id, since).await? >= pacing::RECOVERY_SENDS {
        accounts::set_backoff(tx, ws, id, 0, account.backoff_until).await?;
    }
    Ok(())
}
