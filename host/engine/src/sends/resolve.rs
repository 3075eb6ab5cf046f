//! Settles mails that may have gone out (SAFE-3): by evidence, or by a person's word.

use std::collections::HashSet;

use crate::{Env, Part, Result};
use overture_domain::{
    ActionId, Timestamp, WorkspaceId,
    enrollments::{ActionState, EnrollmentState, Outcome},
    messages::MailKey,
    people::{Actor, Audit},
    planted::{Bug, planted},
};
use overture_store::{
    Tx, enrollments, events,
    evidence::{self, Ambiguous, Settled},
};

use super::{resumed_events, told::sent_event};

/// A person decides ambiguous sends: they went out, and the sequences go on; or they did not, and
/// are sent again with the same Message-ID. The ids of those that were ambiguous; the others stay
/// as they are.
///
/// # Errors
/// Only the store's.
pub async fn resolve(
    env: &Env,
    ws: WorkspaceId,
    ids: &[ActionId],
    went_out: bool,
    actor: &Actor,
) -> Result<HashSet<ActionId>> {
    let mut tx = env.db.begin().await?;
    let sends = evidence::find(&mut tx, ws, ids).await?;
    let by = Word {
        actor,
        reason: "decided by hand",
    };
    let settled = settle_in(&mut tx, env, ws, &sends, went_out, &by, env.now()).await?;
    tx.commit().await?;
    wake(env);
    Ok(settled)
}

/// Something came that answers these mails or reports on them, in the caller's transaction: they went
/// out.
/// The caller wakes [`Part::Sends`] after the commit.
///
/// # Errors
/// Only the store's.
pub(crate) async fn prove_in(
    tx: &mut Tx,
    env: &Env,
    ws: WorkspaceId,
    message_ids: &[&str],
) -> Result<()> {
    let sends = evidence::find_by_external_ids(tx, ws, message_ids).await?;
    proven_in(tx, env, ws, &sends, "something came that answers it").await
}

/// The same where somebody used what only the mail of a step has: its pixel, its links, its way to
/// unsubscribe.
///
/// # Errors
/// Only the store's.
pub(crate) async fn prove_step_in(tx: &mut Tx, env: &Env, mail: MailKey) -> Result<()> {
    let ws = mail.workspace_id;
    let sends: Vec<_> = evidence::find_by_step(tx, mail)
        .await?
        .into_iter()
        .collect();
    let reason = "somebody opened it, or used a link of it";
    proven_in(tx, env, ws, &sends, reason).await
}

async fn proven_in(
    tx: &mut Tx,
    env: &Env,
    ws: WorkspaceId,
    sends: &[Ambiguous],
    reason: &str,
) -> Result<()> {
    let by = Word {
        actor: &Actor::Engine("SAFE-3"),
        reason,
    };
    settle_in(tx, env, ws, sends, true, &by, env.now()).await?;
    Ok(())
}

/// Whose word it is, and by what.
pub(super) struct Word<'a> {
    pub actor: &'a Actor,
    pub reason: &'a str,
}

/// Settles ambiguous sends that all went out, or all did not. The ids of those that were still
/// ambiguous.
pub(super) async fn settle_in(
    tx: &mut Tx,
    env: &Env,
    ws: WorkspaceId,
    sends: &[Ambiguous],
    went_out: bool,
    by: &Word<'_>,
    now: Timestamp,
) -> Result<HashSet<ActionId>> {
    if sends.is_empty() {
        return Ok(HashSet::new());
    }
    let ids: Vec<_> = sends.iter().map(|send| send.action.enrollment_id).collect();
    let enrollments = enrollments::list_by_ids(tx, ws, &ids).await?;
    let waiting: HashSet<_> = enrollments
        .iter()
        .filter(|enrollment| enrollment.state == EnrollmentState::AmbiguousSend)
        .map(|enrollment| enrollment.id)
        .collect();
    let settled: Vec<_> = sends
        .iter()
        .map(|send| {
            let outcome = if went_out {
                Outcome::Sent
            } else {
                Outcome::NotSent
            };
            let state = match (went_out, waiting.contains(&send.action.enrollment_id)) {
                (true, _) => ActionState::Done,
                // As after a process that died: what was reserved is given back with the next
                // hand-out.
                (false, true) => ActionState::HandedOut,
                // Its way has ended meanwhile: nothing is sent any more.
                (false, false) => ActionState::Cancelled,
            };
            let audit = Audit {
                id: env.id(),
                workspace_id: ws,
                subject_kind: evidence::SUBJECT.to_owned(),
                subject_id: send.action.id.to_string(),
                from_status: Some(ActionState::Ambiguous.to_string()),
                to_status: outcome.to_string(),
                reason: by.reason.to_owned(),
                actor: by.actor.to_string(),
                at: now,
            };
            Settled {
                action_id: send.action.id,
                state,
                outcome,
                audit,
            }
        })
        .collect();
    let changed = evidence::settle(tx, ws, &settled, now).await?;
    let sends: Vec<_> = sends
        .iter()
        .filter(|send| changed.contains(&send.action.id))
        .collect();
    if went_out {
        let done: Vec<_> = sends
            .iter()
            .map(|send| (send.action.enrollment_id, send.action.step_index))
            .collect();
        enrollments::advance(tx, ws, &done, now).await?;
        let prospect = |send: &Ambiguous| {
            let id = send.action.enrollment_id;
            enrollments
                .iter()
                .find(|enrollment| enrollment.id == id)
                .map(|e| e.prospect_id)
        };
        let told: Vec<_> = sends
            .iter()
            .filter_map(|send| {
                let to = (prospect(send)?, send.prospect_email.as_str());
                // It went out when it was attempted; that it did is known now.
                let (attempt, at) = (send.attempt_id, send.attempted_at);
                Some(sent_event(env, &send.action, attempt, to, at))
            })
            .collect();
        if !planted(Bug::SentAndNotTold) {
            events::insert(tx, &told).await?;
        }
    } else {
        let ids: Vec<_> = sends.iter().map(|send| send.action.enrollment_id).collect();
        let resumed =
            enrollments::resume(tx, ws, &ids, EnrollmentState::AmbiguousSend, now).await?;
        events::insert(tx, &resumed_events(env, &resumed, now)).await?;
    }
    Ok(changed)
}

/// What follows from a settled send is planned and told by these.
pub(super) fn wake(env: &Env) {
    for part in [Part::Sends, Part::Campaigns, Part::Dispatch] {
        env.wakes.wake(part);
    }
}
