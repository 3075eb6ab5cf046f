//! The heartbeat of this process, and the leases of those that are gone or stuck (SCH-5). All of
//! it on real time, also where the clock is driven.

use std::time::Duration;

use overture_domain::{Timestamp, enrollments::EnrollmentState};
use overture_store::{Database, dialect::Dialect, enrollments, events, hosts};

use crate::{Due, Env, Part, Result, imports, sends};

/// So many heartbeats come within the time after which a host counts as dead.
const BEATS: u32 = 3;

/// A lease of a living host that is older is stuck.
const STUCK: Duration = Duration::from_secs(10 * 60);

/// Makes this process known, before any part runs. On SQLite it is the only one, so all leases are
/// given back.
///
/// # Errors
/// Only the store's.
pub async fn start(env: &Env, name: &str) -> Result<()> {
    let mut tx = env.db.begin().await?;
    hosts::heartbeat(&mut tx, env.host, name, env.real.now()).await?;
    if is_alone(&env.db) {
        hosts::release_all(&mut tx, env.host).await?;
        imports::fail_of_dead(&mut tx, env, Timestamp::MAX).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Gives back what this process holds, as it stops.
///
/// # Errors
/// Only the store's.
pub async fn give_back(env: &Env) -> Result<()> {
    let mut tx = env.db.begin().await?;
    hosts::release_own(&mut tx, env.host).await?;
    imports::fail_own(&mut tx, env).await?;
    tx.commit().await?;
    Ok(())
}

fn is_alone(db: &Database) -> bool {
    db.dialect() == Dialect::Sqlite
}

/// Measures how late it is (SCH-7), notes that this process lives, gives back the leases of dead ones, and recovers stuck jobs: the
/// third time the job fails, and its enrollment with it. Closes connections that were not used for
/// long. The answer is in real time.
///
/// # Errors
/// Only the store's.
pub async fn tick(env: &Env) -> Result<Due> {
    if let Some(clock) = &env.database_clock {
        let was_certain = clock.is_certain();
        clock.look().await?;
        if !was_certain && clock.is_certain() {
            env.wakes.wake(Part::Sends);
        }
    }
    let (now, real) = (env.now(), env.real.now());
    let mut tx = env.db.begin().await?;
    hosts::heartbeat(&mut tx, env.host, "", real).await?;
    let alive_since = real - env.config.host_dead_after;
    let released = hosts::release_dead(&mut tx, env.host, alive_since).await?;
    imports::fail_of_dead(&mut tx, env, alive_since).await?;
    let (recovered, stuck) = hosts::recover_stuck(&mut tx, real - STUCK, now).await?;
    for job in &stuck {
        let (ws, ids, state) = (
            job.workspace_id,
            [job.enrollment_id],
            EnrollmentState::Failed,
        );
        let failed = enrollments::finish(&mut tx, ws, &ids, state, hosts::STUCK, now).await?;
        events::insert(&mut tx, &sends::finished_events(env, &failed)).await?;
    }
    tx.commit().await?;
    if released + recovered > 0 || !stuck.is_empty() {
        tracing::warn!(
            released,
            recovered,
            failed = stuck.len(),
            "leases were given back"
        );
        for part in Part::ALL.iter().filter(|part| **part != Part::Leases) {
            env.wakes.wake(*part);
        }
    }
    env.connections.close_idle(env.config.connections, real);
    Ok(Due::At(real + env.config.host_dead_after / BEATS))
}
