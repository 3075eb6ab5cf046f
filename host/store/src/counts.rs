//! Events by the hour, per campaign, account, step and kind: what dashboards read instead of the
//! events (SAFE-5, DESIGN §4).
//!
//! A row is a function of the events of its hour. [`events::insert`](crate::events::insert) notes
//! what it wrote, and the commit of its transaction counts it, last of all and in the order of the
//! rows: so writers meet there for a moment only, and none waits for another crosswise. Whatever
//! differs all the same is found by [`drifted`] and made anew by [`rebuild`].

use overture_domain::{CampaignId, EventId, Timestamp, WorkspaceId, events::EventKind};

use crate::{
    Read, Result, Tx,
    query::{query, row, sql},
};

/// Microseconds of an hour.
const HOUR: i64 = 3_600_000_000;

/// The hour in which a moment lies, counted from 1970.
pub const fn hour_of(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(HOUR)
}

/// The moment at which an hour begins.
pub const fn start_of(hour: i64) -> Timestamp {
    Timestamp::from_micros(hour.saturating_mul(HOUR))
}

/// What makes counts of events `e`: the one definition, for new events and for all of an hour.
/// The first of its kind for its enrollment counts a person.
macro_rules! counted {
    ($from:literal) => {
        concat!(
            "SELECT e.workspace_id AS workspace_id, e.occurred_at / 3600000000 AS hour, COALESCE(e.campaign_id, '') AS campaign_id,
                 COALESCE(e.account_id, '') AS account_id, COALESCE(CAST(e.data->>'stepIndex' AS BIGINT), -1) AS step_index, e.kind AS kind,
                 COUNT(*) AS n,
                 COUNT(CASE WHEN e.enrollment_id IS NOT NULL AND NOT EXISTS (
                     SELECT 1 FROM events x WHERE x.enrollment_id = e.enrollment_id AND x.kind = e.kind AND x.seq < e.seq) THEN 1 END) AS people
             FROM ",
            $from,
            " GROUP BY 1, 2, 3, 4, 5, 6"
        )
    };
}

/// Counts events of this transaction. Those that were left out for their dedup key are not found,
/// and not counted.
pub(crate) fn add(tx: &mut Tx, events: &[EventId]) {
    let rows: Vec<_> = events.iter().map(|id| row! { v: id }).collect();
    query(sql!(concat!(
        "INSERT INTO event_counts (workspace_id, hour, campaign_id, account_id, step_index, kind, n, people)
         SELECT q.workspace_id, q.hour, q.campaign_id, q.account_id, q.step_index, q.kind, q.n, q.people FROM (",
        counted!("{rows $1} JOIN events e ON e.id = r.value->>'v'"),
        ") q WHERE TRUE ORDER BY q.workspace_id, q.hour, q.campaign_id, q.account_id, q.step_index, q.kind
         ON CONFLICT (workspace_id, hour, campaign_id, account_id, step_index, kind)
         DO UPDATE SET n = event_counts.n + excluded.n, people = event_counts.people + excluded.people"
    )))
    .bind_json(&rows)
    .later(tx);
}

/// How many events of each kind a campaign has, and how many people they are of.
pub async fn of_campaign(
    on: &mut impl Read,
    ws: WorkspaceId,
    campaign: CampaignId,
) -> Result<Vec<(EventKind, i64, i64)>> {
    query(sql!(
        "SELECT kind, CAST(SUM(n) AS BIGINT) AS n, CAST(SUM(people) AS BIGINT) AS people FROM event_counts
         WHERE workspace_id = $1 AND campaign_id = $2 GROUP BY kind ORDER BY kind"
    ))
    .bind(ws)
    .bind(campaign)
    .rows(on)
    .await?
    .iter()
    .map(|row| Ok((row.parsed("kind")?, row.int("n")?, row.int("people")?)))
    .collect()
}

/// The hours in `from..to` whose rows are not what the events of a workspace say. Events that are
/// committed while it looks may show up as well.
pub async fn drifted(on: &mut impl Read, ws: WorkspaceId, from: i64, to: i64) -> Result<Vec<i64>> {
    query(sql!(concat!(
        "WITH actual AS (",
        counted!("events e WHERE e.workspace_id = $1 AND e.occurred_at >= $2 * 3600000000 AND e.occurred_at < $3 * 3600000000"),
        "), kept AS (
             SELECT workspace_id, hour, campaign_id, account_id, step_index, kind, n, people FROM event_counts
             WHERE workspace_id = $1 AND hour >= $2 AND hour < $3)
         SELECT q.hour FROM (SELECT * FROM actual EXCEPT SELECT * FROM kept) q
         UNION SELECT q.hour FROM (SELECT * FROM kept EXCEPT SELECT * FROM actual) q ORDER BY 1"
    )))
    .bind(ws)
    .bind(from)
    .bind(to)
    .rows(on)
    .await?
    .iter()
    .map(|row| row.int("hour"))
    .collect()
}

/// Makes the rows of an hour anew, from its events alone. Nobody counts meanwhile, so that no
/// event is counted twice or forgotten. False where they were right after all: nothing is written.
pub async fn rebuild(tx: &mut Tx, ws: WorkspaceId, hour: i64) -> Result<bool> {
    query(sql!("{lock event_counts}")).rows(tx).await?;
    if drifted(tx, ws, hour, hour + 1).await?.is_empty() {
        return Ok(false);
    }
    query(sql!(
        "DELETE FROM event_counts WHERE workspace_id = $1 AND hour = $2"
    ))
    .bind(ws)
    .bind(hour)
    .later(tx);
    query(sql!(concat!(
        "INSERT INTO event_counts (workspace_id, hour, campaign_id, account_id, step_index, kind, n, people)
         SELECT q.workspace_id, q.hour, q.campaign_id, q.account_id, q.step_index, q.kind, q.n, q.people FROM (",
        counted!("events e WHERE e.workspace_id = $1 AND e.occurred_at >= $2 * 3600000000 AND e.occurred_at < ($2 + 1) * 3600000000"),
        ") q"
    )))
    .bind(ws)
    .bind(hour)
    .later(tx);
    Ok(true)
}

/// The last moment before `before` that has an event or a count, where there is one: rebuilding
/// goes from day to day that has any.
pub async fn last_before(
    on: &mut impl Read,
    ws: WorkspaceId,
    before: Timestamp,
) -> Result<Option<Timestamp>> {
    let rows = query(sql!(
        "SELECT MAX(q.at) AS at FROM (
             SELECT MAX(occurred_at) AS at FROM events WHERE workspace_id = $1 AND occurred_at < $2
             UNION ALL SELECT MAX(hour) * 3600000000 AS at FROM event_counts WHERE workspace_id = $1 AND hour < $3) q"
    ))
    .bind(ws)
    .bind(before)
    .bind(hour_of(before))
    .rows(on)
    .await?;
    rows.first().map_or(Ok(None), |row| row.opt_time("at"))
}
