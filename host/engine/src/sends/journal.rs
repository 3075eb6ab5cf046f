//! Where attempts and outcomes are committed, in groups across connections: one commit waits for
//! the disk once, however many sends it serves. Every send passes here twice and nowhere else.
//!
//! A connection stands still behind each attempt, so attempts go at once, several groups at the
//! same time: both databases let the disk wait for them together. Nobody stands behind an outcome:
//! they gather for up to [`GATHER`], unless all sends under way have come already. Either group is
//! closed when it has its turn to write, not before.

use std::{collections::HashSet, sync::Arc, time::Duration};

use overture_domain::{AttemptId, enrollments::Attempt};
use overture_store::{Alone, Concerns, Tx, actions};

use crate::{Env, Error, Part, Result};

use super::{
    groups::{Gather, Groups},
    record::{self, Ended},
};

/// How long an outcome waits for others: a group costs much the same for one and for many, and
/// attempts wait for it. A process that dies meanwhile leaves attempts that evidence settles.
const GATHER: Duration = Duration::from_millis(20);

/// Groups of attempts that are written at the same time.
const AT_ONCE: usize = 4;

/// The writer of a process; begins as its default.
#[derive(Debug)]
pub struct Journal {
    attempts: Groups<Attempt, Result<bool, String>>,
    outcomes: Groups<Arc<Ended>, Result<(), String>>,
    /// How long an outcome waits for others.
    gather: Duration,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            attempts: Groups::default(),
            outcomes: Groups::default(),
            gather: GATHER,
        }
    }
}

impl Journal {
    /// No outcome waits for others: where sends go in turn, none would come.
    pub fn at_once() -> Self {
        Self {
            gather: Duration::ZERO,
            ..Self::default()
        }
    }
}

/// Commits an attempt right before the body goes out (SAFE-3). False: it may not go out, because
/// the step was cancelled meanwhile or may have gone out before.
///
/// # Errors
/// Why it could not be committed: the body must stay here.
pub(super) async fn attempt(env: &Env, attempt: Attempt) -> Result<bool, String> {
    let gather = Gather {
        longest: Duration::ZERO,
        at_once: AT_ONCE,
        complete: |_| true,
        turn: {
            let db = env.db.clone();
            move || {
                let mut alone = db.alone();
                async move { alone.wait().await.map(|()| alone) }
            }
        },
    };
    let own = env.clone();
    let work = move |turn, group| attempts_of(own.clone(), turn, group);
    let answer = env.journal.attempts.join(attempt, gather, work).await;
    answer.unwrap_or_else(panicked)
}

/// Commits what became of a send.
///
/// # Errors
/// Why it could not be committed: the lease of the job stays, and its recovery finds the attempt,
/// or that there was none.
pub(super) async fn outcome(env: &Env, ended: Ended) -> Result<(), String> {
    let under_way = Arc::clone(&env.under_way);
    let longest = env.journal.gather;
    let gather = Gather {
        longest,
        at_once: 1,
        complete: move |waiting| longest.is_zero() || waiting >= under_way.count(Part::Sends),
        turn: {
            let db = env.db.clone();
            move || {
                let db = db.clone();
                async move { db.begin().await }
            }
        },
    };
    let own = env.clone();
    let work = move |turn, group| outcomes_of(own.clone(), turn, group);
    let answer = env.journal.outcomes.join(Arc::new(ended), gather, work);
    answer.await.unwrap_or_else(panicked)
}

/// The right to write, or why there is none.
type Turn<T> = overture_store::Result<T>;

fn panicked<T>() -> Result<T, String> {
    Err("the writer of attempts and outcomes has panicked".to_owned())
}

/// Where one of a group breaks a rule of the database, each is committed alone, so that it fails
/// alone.
async fn attempts_of(
    env: Env,
    turn: Turn<Alone>,
    group: Vec<Attempt>,
) -> Vec<Result<bool, String>> {
    match insert(turn, &group).await {
        Ok(allowed) => group
            .iter()
            .map(|attempt| Ok(allowed.contains(&attempt.id)))
            .collect(),
        Err(error) if group.len() > 1 && refused(&error) => {
            let mut answers = Vec::with_capacity(group.len());
            for attempt in &group {
                let alone = insert(Ok(env.db.alone()), std::slice::from_ref(attempt)).await;
                answers.push(match alone {
                    Ok(allowed) => Ok(!allowed.is_empty()),
                    Err(error) => Err(error.to_string()),
                });
            }
            answers
        }
        Err(error) => vec![Err(error.to_string()); group.len()],
    }
}

async fn insert(turn: Turn<Alone>, attempts: &[Attempt]) -> Result<HashSet<AttemptId>> {
    Ok(actions::insert_attempts(&mut turn?, attempts).await?)
}

/// As [`attempts_of`].
async fn outcomes_of(env: Env, turn: Turn<Tx>, group: Vec<Arc<Ended>>) -> Vec<Result<(), String>> {
    match write(&env, turn, &group).await {
        Ok(()) => vec![Ok(()); group.len()],
        Err(error) if group.len() > 1 && refused(&error) => {
            let mut answers = Vec::with_capacity(group.len());
            for ended in &group {
                let turn = env.db.begin().await;
                let alone = write(&env, turn, std::slice::from_ref(ended)).await;
                answers.push(alone.map_err(|error| error.to_string()));
            }
            answers
        }
        Err(error) => vec![Err(error.to_string()); group.len()],
    }
}

async fn write(env: &Env, turn: Turn<Tx>, group: &[Arc<Ended>]) -> Result<()> {
    let mut tx = turn?;
    // Of mails that went out as they were to, no hand-out wants to know: it has counted them.
    if group.iter().all(|ended| ended.verdict.is_sent()) {
        tx.concerns(Concerns::Nobody);
    }
    record::write(&mut tx, env, group).await?;
    tx.commit().await?;
    for ended in group {
        let channel = ended.mail.action.channel.name();
        let outcome = ended.verdict.outcome();
        metrics::counter!("overture_sends_total", "channel" => channel, "outcome" => outcome)
            .increment(1);
    }
    Ok(())
}

/// The database has answered, and kept nothing of the group. Where it can't be reached, trying
/// each alone would only take longer, and a commit whose answer was lost may stand.
fn refused(error: &Error) -> bool {
    matches!(error, Error::Store(error) if error.is_refusal())
}
