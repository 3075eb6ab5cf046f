//! Mails that went out: the common case, written a statement or two a kind for all of a group.

use std::collections::HashMap;

use crate::{Env, Result};
use overture_domain::{
    EnrollmentId, Timestamp, WorkspaceId,
    enrollments::{ActionState, Enrollment, Outcome},
    events::Event,
    messages::Message,
    pacing,
};
use overture_store::{Tx, accounts, actions, events, jobs, messages, outcomes, outcomes::Done};

use super::{
    super::{finished_events, plan, told::sent_event, writes::Mail},
    Ended,
};

/// Writes that mails went out, each with its server's words, and plans what comes next. Of one
/// whose send was settled before, only the message is kept.
pub(super) async fn write(
    tx: &mut Tx,
    env: &Env,
    all: &[(&Ended, &str)],
    now: Timestamp,
) -> Result<()> {
    if all.is_empty() {
        return Ok(());
    }
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
    let kept: Vec<_> = all
        .iter()
        .filter_map(|(ended, _)| ended.kept.clone())
        .map(|(message, headers)| (Message { at: now, ..message }, headers))
        .collect();
    messages::insert(tx, &kept, now).await?;
    let ended: Vec<&Ended> = all
        .iter()
        .map(|(ended, _)| *ended)
        .filter(|ended| done.contains(&ended.mail.action.id))
        .collect();
    if ended.len() < all.len() {
        let settled = all.len() - ended.len();
        tracing::warn!(
            settled,
            "what became of sends was settled before they ended"
        );
    }
    for ended in &ended {
        recover(tx, ended.mail.action.workspace_id, &ended.mail, now).await?;
    }
    let mut told: Vec<Event> = ended
        .iter()
        .map(|ended| {
            let Mail {
                action, prospect, ..
            } = &*ended.mail;
            let to = (prospect.id, prospect.email.as_str());
            // It went out when it was attempted, however late its server says so: it counts on that
            // day (SAFE-5).
            let at = ended.attempted_at.unwrap_or(now);
            sent_event(env, action, Some(ended.attempt), to, at)
        })
        .collect();
    told.extend(go_on(tx, env, &ended, now).await?);
    events::insert(tx, &told).await?;
    Ok(())
}

/// On to the next step, or through. The events of those that are through.
async fn go_on(tx: &mut Tx, env: &Env, ended: &[&Ended], now: Timestamp) -> Result<Vec<Event>> {
    let done: Vec<Done> = ended
        .iter()
        .map(|ended| {
            let action = &ended.mail.action;
            Done {
                workspace_id: action.workspace_id,
                enrollment_id: action.enrollment_id,
                step_index: action.step_index,
            }
        })
        .collect();
    let mails: HashMap<EnrollmentId, &Mail> = ended
        .iter()
        .map(|ended| (ended.mail.action.enrollment_id, &*ended.mail))
        .collect();
    let (mut through, mut planned): (Vec<Enrollment>, Vec<_>) = Default::default();
    for gone_on in outcomes::write(tx, &done, now).await? {
        match (gone_on.next, mails.get(&gone_on.enrollment.id)) {
            // The planner knows whether that has happened already.
            (Some((kind, _)), _) if kind.waits() => {}
            (Some((_, delay)), Some(mail)) => {
                let due = pacing::step_due(now, delay, &*env.rng);
                planned.push(next_step(env, mail, due));
            }
            (Some(_), None) => {}
            (None, _) => through.push(gone_on.enrollment),
        }
    }
    if !planned.is_empty() {
        jobs::plan(tx, &planned, now).await?;
    }
    Ok(finished_events(env, &through))
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
