//! The processes that share the database, and what becomes of their leases (SCH-5). All times
//! here are real time.

use overture_domain::{EnrollmentId, HostId, Timestamp, WorkspaceId};

use crate::{
    Result, Tx,
    query::{query, sql},
};

/// Why a job that was recovered three times is given up (SCH-5).
pub const STUCK: &str = "stuck in processing loop after 3+ recovery cycles";

/// Notes that a host lives; the first time it becomes known.
pub async fn heartbeat(tx: &mut Tx, id: HostId, name: &str, now: Timestamp) -> Result<()> {
    query(sql!(
        "INSERT INTO hosts (id, name, started_at, heartbeat_at) VALUES ($1, $2, $3, $3)
         ON CONFLICT (id) DO UPDATE SET heartbeat_at = excluded.heartbeat_at"
    ))
    .bind(id)
    .bind(name)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

/// Gives back the leases of hosts whose last heartbeat is older than `alive_since`, except `own`'s:
/// they died. It costs no strike. How many.
pub async fn release_dead(tx: &mut Tx, own: HostId, alive_since: Timestamp) -> Result<u64> {
    let jobs = query(sql!(
        "UPDATE jobs SET state = 'pending', host_id = NULL, leased_at = NULL
         WHERE state = 'processing' AND host_id IN (SELECT h.id FROM hosts h WHERE h.heartbeat_at < $2 AND h.id <> $1)"
    ))
    .bind(own)
    .bind(alive_since)
    .execute(tx)
    .await?;
    let deliveries = query(sql!(
        "UPDATE deliveries SET state = 'pending', host_id = NULL, leased_at = NULL
         WHERE state = 'delivering' AND host_id IN (SELECT h.id FROM hosts h WHERE h.heartbeat_at < $2 AND h.id <> $1)"
    ))
    .bind(own)
    .bind(alive_since)
    .execute(tx)
    .await?;
    Ok(jobs + deliveries)
}

/// Gives back the leases of every other host: at the start of the only process of a SQLite file.
pub async fn release_all(tx: &mut Tx, own: HostId) -> Result<u64> {
    release_dead(tx, own, Timestamp::MAX).await
}

/// Gives back the leases of a host that stops, so that nobody waits for its heartbeat to age.
pub async fn release_own(tx: &mut Tx, own: HostId) -> Result<u64> {
    let jobs = query(sql!(
        "UPDATE jobs SET state = 'pending', host_id = NULL, leased_at = NULL WHERE state = 'processing' AND host_id = $1"
    ))
    .bind(own)
    .execute(tx)
    .await?;
    let deliveries = query(sql!(
        "UPDATE deliveries SET state = 'pending', host_id = NULL, leased_at = NULL WHERE state = 'delivering' AND host_id = $1"
    ))
    .bind(own)
    .execute(tx)
    .await?;
    Ok(jobs + deliveries)
}

/// An enrollment whose job was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    pub workspace_id: WorkspaceId,
    pub enrollment_id: EnrollmentId,
}

/// Recovers jobs that a living host has held since before `leased_before`: a strike each. The
/// third fails the job where it is a step; looking for evidence harms nobody and goes on. How many
/// were recovered, and whose job was given up.
pub async fn recover_stuck(
    tx: &mut Tx,
    leased_before: Timestamp,
    now: Timestamp,
) -> Result<(u64, Vec<Stuck>)> {
    let failed = query(sql!(
        "UPDATE jobs SET state = 'failed', strikes = strikes + 1, last_error = $2, host_id = NULL, leased_at = NULL, finished_at = $3
         WHERE kind = 'send_step' AND state = 'processing' AND leased_at < $1 AND strikes >= 2 RETURNING workspace_id, subject_id"
    ))
    .bind(leased_before)
    .bind(STUCK)
    .bind(now)
    .rows(tx)
    .await?
    .iter()
    .map(|row| {
        Ok(Stuck {
            workspace_id: row.id("workspace_id")?,
            enrollment_id: row.id("subject_id")?,
        })
    })
    .collect::<Result<Vec<_>>>()?;
    let recovered = query(sql!(
        "UPDATE jobs SET state = 'pending', strikes = strikes + 1, host_id = NULL, leased_at = NULL
         WHERE state = 'processing' AND leased_at < $1"
    ))
    .bind(leased_before)
    .execute(tx)
    .await?;
    Ok((recovered, failed))
}
