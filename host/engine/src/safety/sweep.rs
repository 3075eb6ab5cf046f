//! Steps that are due and that nobody looks at (SCH-11).

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use overture_domain::{
    EnrollmentId, Timestamp, WorkspaceId,
    alerts::AlertCode,
    planted::{Bug, planted},
};
use overture_store::{people, safety as store};

use crate::{
    Due, Env, Part, Result,
    alerts::{self, Cause},
};

/// Between two looks, and how long a step may be due that nobody looks at.
const EVERY: Duration = Duration::from_secs(15 * 60);

/// A process that was not called for longer has stood still itself: what is due waits for it, not
/// for the sweep.
const STOOD_STILL: Duration = Duration::from_secs(20 * 60);

/// Steps that are planned anew at a time.
const BATCH: i64 = 1_000;

/// What this process knows of itself; begins as its default.
#[derive(Debug, Default)]
pub struct Sweep(Mutex<Option<Lived>>);

#[derive(Clone, Copy, Debug)]
struct Lived {
    /// Without a stop.
    since: Timestamp,
    last: Timestamp,
    next: Timestamp,
}

impl Sweep {
    fn lived(&self) -> MutexGuard<'_, Option<Lived>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the process lives. Whether it shall look, and from when on it shall do so else.
    fn called(&self, now: Timestamp) -> (bool, Timestamp) {
        let mut lived = self.lived();
        let before = lived.filter(|lived| now.since(lived.last) <= STOOD_STILL);
        let since = before.map_or(now, |lived| lived.since);
        let next = before.map_or(now + EVERY, |lived| lived.next);
        let looks = next <= now;
        let next = if looks { now + EVERY } else { next };
        *lived = Some(Lived {
            since,
            last: now,
            next,
        });
        (looks && since + EVERY <= now, next)
    }
}

/// Plans anew what was forgotten, when it is time to look. It is only put off: the step's earliest
/// legal time is worked out by the planner, and one that has an attempt is never repeated (SAFE-1,
/// SAFE-3).
///
/// Whether it has looked, and when it does so next.
pub(super) async fn tick(env: &Env) -> Result<(bool, Due)> {
    let now = env.now();
    let (looks, next) = env.sweep.called(now);
    let looks = looks && !planted(Bug::NeverSwept);
    if looks {
        let found = look(env, now).await?;
        let causes: Vec<_> = (found.iter())
            .map(|(ws, n)| Cause {
                message: format!(
                    "{n} steps were due for 15 minutes and nobody looked at them; they were planned anew"
                ),
                count: i64::try_from(*n).unwrap_or(i64::MAX),
                ..Cause::of(*ws, ws)
            })
            .collect();
        alerts::tell(env, AlertCode::StepsForgotten, &causes).await?;
    }
    Ok((looks, Due::At(next)))
}

/// How many were found in each workspace.
async fn look(env: &Env, now: Timestamp) -> Result<BTreeMap<WorkspaceId, u64>> {
    let before = now - EVERY;
    let mut by_workspace: BTreeMap<WorkspaceId, Vec<EnrollmentId>> = BTreeMap::new();
    for (ws, id) in store::list_forgotten(&mut env.db.reader(), before, BATCH).await? {
        by_workspace.entry(ws).or_default().push(id);
    }
    let mut found = BTreeMap::new();
    for (ws, ids) in by_workspace {
        let mut tx = env.db.begin().await?;
        people::lock_workspace(&mut tx, ws).await?;
        let reason = "nobody looked at it; it is planned anew";
        let n = store::plan_anew(&mut tx, ws, &ids, reason, now).await?;
        tx.commit().await?;
        if n > 0 {
            tracing::error!(workspace.id = %ws, n, "steps were due and nobody looked at them");
            metrics::counter!("overture_steps_forgotten_total").increment(n);
            found.insert(ws, n);
        }
    }
    if !found.is_empty() {
        env.wakes.wake(Part::Sends);
    }
    Ok(found)
}
