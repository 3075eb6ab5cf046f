//! How much waits and how things stand, for metrics (OPS-3). Each count stops at [`MOST`], so that
//! asking stays cheap however much there is.

use overture_domain::{Timestamp, enrollments::JobKind};

use crate::{
    Read, Result,
    query::{query, sql},
};

/// More are not counted.
pub const MOST: i64 = 10_000;

/// Jobs of a kind whose time has come, and since when the first of them waits.
pub async fn jobs_due(
    on: &mut impl Read,
    kind: JobKind,
    now: Timestamp,
) -> Result<(i64, Option<Timestamp>)> {
    let rows = query(sql!(
        "SELECT COUNT(*) AS n, MIN(q.run_at) AS oldest FROM (SELECT run_at FROM jobs
         WHERE kind = $1 AND state = 'pending' AND lane IS NULL AND run_at <= $2 ORDER BY run_at LIMIT $3) q"
    ))
    .bind(kind.name())
    .bind(now)
    .bind(MOST)
    .rows(on)
    .await?;
    rows.first().map_or(Ok((0, None)), |row| {
        Ok((row.int("n")?, row.opt_time("oldest")?))
    })
}

/// A number of things by a name.
pub type Named = Vec<(String, i64)>;

/// Jobs in hands, by kind.
pub async fn jobs_leased(on: &mut impl Read) -> Result<Named> {
    named(on, query(sql!(
        "SELECT kind AS name, COUNT(*) AS n FROM jobs WHERE state = 'processing' AND host_id IS NOT NULL GROUP BY kind"
    )))
    .await
}

/// Accounts by status.
pub async fn accounts(on: &mut impl Read) -> Result<Named> {
    named(on, query(sql!(
        "SELECT status AS name, COUNT(*) AS n FROM sending_accounts WHERE deleted_at IS NULL GROUP BY status"
    )))
    .await
}

/// Campaigns by status.
pub async fn campaigns(on: &mut impl Read) -> Result<Named> {
    named(
        on,
        query(sql!(
            "SELECT status AS name, COUNT(*) AS n FROM campaigns GROUP BY status"
        )),
    )
    .await
}

/// Open alerts by code.
pub async fn alerts(on: &mut impl Read) -> Result<Named> {
    named(
        on,
        query(sql!(
            "SELECT code AS name, COUNT(*) AS n FROM alerts WHERE closed_at IS NULL GROUP BY code"
        )),
    )
    .await
}

async fn named(on: &mut impl Read, query: crate::Query) -> Result<Named> {
    let rows = query.rows(on).await?;
    rows.iter()
        .map(|row| Ok((row.text("name")?, row.int("n")?)))
        .collect()
}

/// Lanes in which steps wait for room.
pub async fn lanes(on: &mut impl Read) -> Result<i64> {
    query(sql!(
        "SELECT COUNT(*) AS n FROM (SELECT 1 AS one FROM lanes LIMIT $1) q"
    ))
    .bind(MOST)
    .number(on)
    .await
}

/// Sends of which nobody knows whether they went out.
pub async fn ambiguous(on: &mut impl Read) -> Result<i64> {
    query(sql!(
        "SELECT COUNT(*) AS n FROM (SELECT 1 AS one FROM actions WHERE state = 'ambiguous' LIMIT $1) q"
    ))
    .bind(MOST)
    .number(on)
    .await
}

/// Deliveries of webhooks that wait.
pub async fn deliveries_waiting(on: &mut impl Read) -> Result<i64> {
    query(sql!(
        "SELECT COUNT(*) AS n FROM (SELECT 1 AS one FROM deliveries WHERE state = 'pending' LIMIT $1) q"
    ))
    .bind(MOST)
    .number(on)
    .await
}
