//! Counters are a cache (SAFE-5): at start-up and every half an hour they are held against the
//! events and set right, and those that nobody looks at any more are forgotten.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use overture_domain::{Timestamp, WorkspaceId, caps::Cap};
use overture_store::{caps::heal, counts, people};

use crate::{
    Due, Env, Part, Result,
    alerts::{self, AlertCode, Cause},
    sends,
};

const EVERY: Duration = Duration::from_secs(30 * 60);

/// How far back counts of events are looked at each time; at start-up all of them are.
const RECENT_HOURS: i64 = 48;

/// Hours that are looked at in one statement.
const AT_ONCE: i64 = 24;

/// What this process has looked at; begins as its default.
#[derive(Debug, Default)]
pub struct Looked {
    /// When it looks again, and how often it had been woken when it looked last; none before it has
    /// looked at all counts of events.
    next: Mutex<Option<(Timestamp, u64)>>,
    /// Full counters that were held against what happened since the last tick, and were right: a
    /// hand-out that meets one again needs not look again while it says the same.
    right: Mutex<HashSet<Full>>,
}

/// A full counter of a workspace: its cap, subject, row and number.
type Full = (WorkspaceId, Cap, String, i64, i64);

impl Looked {
    /// Whether a full counter is known to be right.
    pub(crate) fn is_right(&self, full: &Full) -> bool {
        self.right().contains(full)
    }

    /// A full counter is right.
    pub(crate) fn note_right(&self, full: Full) {
        self.right().insert(full);
    }

    fn next(&self) -> MutexGuard<'_, Option<(Timestamp, u64)>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn right(&self) -> MutexGuard<'_, HashSet<Full>> {
        self.right.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks when it is time, or when somebody has woken it.
///
/// # Errors
/// Only the store's; what was set right before stays so.
pub async fn tick(env: &Env) -> Result<Due> {
    let (now, woken) = (env.now(), env.wakes.count(Part::Counters));
    let next = *env.counters.next();
    if let Some((at, _)) = next.filter(|(at, seen)| now < *at && woken == *seen) {
        return Ok(Due::At(at));
    }
    reconcile(env, next.is_none()).await?;
    *env.counters.next() = Some((now + EVERY, woken));
    Ok(Due::At(now + EVERY))
}

/// Sets right what differs. `all`: counts of events of any age, else those of two days.
///
/// # Errors
/// Only the store's; what was set right before stays so.
pub async fn reconcile(env: &Env, all: bool) -> Result<()> {
    let now = env.now();
    let (mut drifted, mut untold) = (Vec::new(), Vec::new());
    for workspace in people::list_workspaces(&mut env.db.reader()).await? {
        let ws = workspace.id;
        let hours = heal_counts(env, ws, now, all).await?;
        let caps = sends::heal_counters(env, ws).await?;
        if hours + caps.raised + caps.lowered > 0 {
            drifted.push(Cause {
                message: format!(
                    "counters said something else than the events and were set right: {} caps too high, {} too low, {hours} hours of statistics",
                    caps.lowered, caps.raised
                ),
                ..Cause::of(ws, &ws)
            });
        }
        if !caps.untold.is_empty() {
            untold.push(Cause {
                message: format!(
                    "counted today, but no event tells of it for two hours: {}",
                    caps.untold.join(", ")
                ),
                ..Cause::of(ws, &ws)
            });
        }
    }
    let mut tx = env.db.begin().await?;
    let before: Vec<_> = (Cap::ALL.iter())
        .map(|cap| (*cap, cap.first_bucket_kept(now)))
        .collect();
    heal::forget(&mut tx, &before).await?;
    tx.commit().await?;
    alerts::tell(env, AlertCode::CounterDrift, &drifted).await?;
    alerts::tell(env, AlertCode::CounterWithoutEvent, &untold).await?;
    env.counters.right().clear();
    Ok(())
}

/// Makes hours of counts anew that are not what their events say. How many were.
async fn heal_counts(env: &Env, ws: WorkspaceId, now: Timestamp, all: bool) -> Result<usize> {
    let mut on = env.db.reader();
    let oldest = counts::hour_of(now) - RECENT_HOURS;
    let mut before = Timestamp::MAX;
    let mut healed = 0;
    while let Some(last) = counts::last_before(&mut on, ws, before).await? {
        let end = counts::hour_of(last) + 1;
        if end <= oldest && !all {
            break;
        }
        let begin = end - AT_ONCE;
        for hour in counts::drifted(&mut on, ws, begin, end).await? {
            let mut tx = env.db.begin().await?;
            // It may have been counted meanwhile: then nothing is wrong.
            if counts::rebuild(&mut tx, ws, hour).await? {
                tx.commit().await?;
                tracing::warn!(workspace.id = %ws, hour, "counts of an hour were made anew from its events");
                healed += 1;
            }
        }
        before = counts::start_of(begin);
    }
    Ok(healed)
}
