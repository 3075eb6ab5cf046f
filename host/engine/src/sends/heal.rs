//! Sets the counters of daily caps right (SAFE-5): to what events and mails on their way say, up
//! or down, whatever the counter says. Sliding caps forget within the hour by themselves.

use std::{collections::HashSet, time::Duration};

use overture_domain::{EnrollmentId, Timestamp, WorkspaceId, caps::Cap, prospects::email_domain};
use overture_store::{
    Read, Tx,
    caps::heal::{self, Counter},
    enrollments, lanes, people,
};

use crate::{Env, Part, Result};

use super::{actuals::Actuals, limits::Presets};

/// Enrollments that a false hit pushed further ahead than this are planned anew (SAFE-5).
const FAR: Duration = Duration::from_secs(24 * 3_600);

/// A counter above 0 beside no event of that day for so long is an alert (SAFE-5).
const UNTOLD: Duration = Duration::from_secs(2 * 3_600);

/// What was found at the counters of a workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Healed {
    /// Counters that said too little, and too much.
    pub raised: usize,
    pub lowered: usize,
    /// Counters above 0 of which no event tells for two hours, with what they count.
    pub untold: Vec<String>,
}

/// Sets what differs right. Whoever a counter has held back falsely is called up, at the pace of
/// the mailboxes; who was pushed far ahead alone is planned anew (SCH-3).
///
/// # Errors
/// Only the store's.
pub(crate) async fn heal_counters(env: &Env, ws: WorkspaceId) -> Result<Healed> {
    // A plugin may be asked: not within the transaction.
    let presets = Presets::of(env.providers.presets(ws).await);
    let now = env.now();
    let looked = look(&mut env.db.reader(), ws, &presets, now).await?;
    if looked.wrong.is_empty() {
        return Ok(looked.healed());
    }
    // Once more under the lock, under which nothing is reserved (CAP-2).
    let mut tx = env.db.begin().await?;
    people::lock_workspace(&mut tx, ws).await?;
    let looked = look(&mut tx, ws, &presets, now).await?;
    heal::set(&mut tx, ws, &looked.wrong).await?;
    let lowered: Vec<&Counter> = (looked.wrong.iter())
        .filter(|(counter, n)| *n < counter.used)
        .map(|(counter, _)| counter)
        .collect();
    if !lowered.is_empty() {
        lanes::call_up_workspace(&mut tx, ws, now).await?;
        plan_anew(&mut tx, ws, &lowered, now).await?;
    }
    tx.commit().await?;
    for (counter, n) in &looked.wrong {
        tracing::warn!(workspace.id = %ws, cap = %counter.cap, subject = counter.subject, said = counter.used, is = n, "a counter was set right");
    }
    env.wakes.wake(Part::Sends);
    Ok(looked.healed())
}

/// What was seen at the counters of today.
struct Looked {
    /// What is wrong, and what it should say.
    wrong: Vec<(Counter, i64)>,
    untold: Vec<String>,
}

impl Looked {
    fn healed(self) -> Healed {
        let lowered = self.wrong.iter().filter(|(seen, n)| *n < seen.used);
        let lowered = lowered.count();
        Healed {
            raised: self.wrong.len() - lowered,
            lowered,
            untold: self.untold,
        }
    }
}

async fn look(
    on: &mut impl Read,
    ws: WorkspaceId,
    presets: &Presets,
    now: Timestamp,
) -> Result<Looked> {
    let daily: Vec<Cap> = (Cap::ALL.iter().copied())
        .filter(|cap| cap.is_daily())
        .collect();
    let mut counters = heal::list(on, ws, &daily).await?;
    let actuals = Actuals::load(on, ws, &counters, now).await?;
    counters.retain(|counter| {
        let zone = actuals.zone(counter.cap, &counter.subject);
        counter.bucket == counter.cap.bucket(now, &zone)
    });
    let there: HashSet<_> = (counters.iter())
        .map(|counter| (counter.cap, counter.subject.clone()))
        .collect();
    let missing = actuals
        .of_today(now)
        .filter(|counter| !there.contains(&(counter.cap, counter.subject.clone())));
    counters.extend(missing);
    counters.retain(|counter| actuals.is_limited(counter, presets));

    let mut looked = Looked {
        wrong: Vec::new(),
        untold: Vec::new(),
    };
    for counter in counters {
        let actual = actuals.of(&counter);
        if actual
            .untold_since
            .is_some_and(|since| since + UNTOLD <= now)
        {
            let what = format!("{} of {}", counter.cap.words(), counter.subject);
            looked.untold.push(what);
        }
        if actual.n != counter.used {
            looked.wrong.push((counter, actual.n));
        }
    }
    looked.untold.sort();
    Ok(looked)
}

/// Takes the plan from those whom one of these counters has pushed far ahead alone; the planner
/// gives them their earliest legal time, spread (SAFE-1).
async fn plan_anew(
    tx: &mut Tx,
    ws: WorkspaceId,
    lowered: &[&Counter],
    now: Timestamp,
) -> Result<()> {
    let pushed = heal::put_off_beyond(tx, ws, now + FAR).await?;
    let by = |one: &heal::PutOff, counter: &Counter| {
        let about = match counter.cap {
            Cap::ProspectDaily => counter.subject == one.prospect_id.to_string(),
            Cap::RecipientDomainDaily => {
                let domain = email_domain(&one.email);
                counter.subject.split(' ').nth(1) == Some(domain.as_str())
            }
            _ => false,
        };
        about && one.reason.starts_with(counter.cap.words())
    };
    let anew: Vec<(EnrollmentId, String)> = (pushed.iter())
        .filter(|one| lowered.iter().any(|counter| by(one, counter)))
        .map(|one| (one.enrollment_id, String::new()))
        .collect();
    enrollments::unplan(tx, ws, &anew, now).await?;
    Ok(())
}
