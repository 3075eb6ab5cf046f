//! Lanes: steps that wait for the same room (SCH-8). Only the head of a lane is looked at, when
//! there is room for it; the others cost nothing and keep the time at which they might go
//! (SAFE-1). So a raised limit moves a row a lane, not a row a person (MB-4).
//!
//! Whoever writes here holds the workspace's lock
//! ([`lock_workspace`](crate::people::lock_workspace)), except [`claim`], which takes people out.

use std::collections::BTreeMap;

use overture_domain::{
    AccountId, CampaignId, HostId, Timestamp, WorkspaceId,
    enrollments::{Job, Lane},
};
use serde_json::{Value, json};

use crate::{
    Read, Record, Result, Row, Tx,
    query::{query, sql},
};

/// A lane whose head is to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueLane {
    pub workspace_id: WorkspaceId,
    pub lane: Lane,
    /// How many of its mailboxes keep no distance to an earlier mail now; all of it where its
    /// campaign doesn't run, and nobody in it can go.
    pub width: i64,
}

impl Record for DueLane {
    const TABLE: &'static str = "lanes";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            workspace_id: row.id("workspace_id")?,
            lane: Lane {
                campaign_id: row.id("campaign_id")?,
                account_id: row.opt_id("account_id")?,
                id: row.text("id")?,
            },
            width: row.int("width")?,
        })
    }
}

/// Lanes whose head is to be looked at, the workspaces in turn. `all` is the width of a lane whose
/// campaign doesn't run.
pub async fn list_due(
    on: &mut impl Read,
    now: Timestamp,
    all: i64,
    limit: i64,
) -> Result<Vec<DueLane>> {
    query(sql!(
        "SELECT q.id, q.workspace_id, q.campaign_id, q.account_id,
             CASE WHEN (SELECT c.status FROM campaigns c WHERE c.id = q.campaign_id) <> 'running' THEN CAST($2 AS BIGINT)
                  WHEN q.account_id IS NOT NULL THEN 1
                  ELSE (SELECT COUNT(*) FROM campaign_accounts a JOIN sending_accounts s ON s.id = a.account_id
                        WHERE a.campaign_id = q.campaign_id AND a.active AND s.next_send_at <= $1 AND s.backoff_until <= $1) END AS width
         FROM (SELECT l.id, l.workspace_id, l.campaign_id, l.account_id, l.due_at,
                   ROW_NUMBER() OVER (PARTITION BY l.workspace_id ORDER BY l.due_at, l.id) AS place
               FROM lanes l WHERE l.due_at <= $1) q
         ORDER BY q.place, q.due_at, q.id LIMIT $3"
    ))
    .bind(now)
    .bind(all)
    .bind(limit)
    .all(on)
    .await
}

/// Takes the heads of lanes for a host, the longest waiting of each: so many as are given. Jobs
/// that are not due yet, or in another host's hands, stay. `leased_at` is real time.
pub async fn claim(
    tx: &mut Tx,
    heads: &[(&Lane, i64)],
    host: HostId,
    now: Timestamp,
    leased_at: Timestamp,
) -> Result<Vec<Job>> {
    let mut by_number: BTreeMap<i64, Vec<Value>> = BTreeMap::new();
    for (lane, number) in heads {
        let rows = by_number.entry(*number).or_default();
        rows.push(json!({"lane": lane.id}));
    }
    let mut claimed = Vec::new();
    for (number, lanes) in by_number {
        let jobs: Vec<Job> = query(sql!(
            "WITH picked AS MATERIALIZED (
                 SELECT e.value AS id FROM {rows $1}
                 CROSS JOIN {each SELECT x.id FROM jobs x WHERE x.lane = r.value->>'lane' AND x.state = 'pending' AND x.run_at <= $3 ORDER BY x.run_at, x.id LIMIT $5})
             UPDATE jobs SET state = 'processing', lane = NULL, host_id = $2, leased_at = $4
             WHERE id IN (SELECT id FROM picked)
             RETURNING id, workspace_id, kind, subject_id, state, run_at, host_id, leased_at, strikes, last_error"
        ))
        .bind_json(&lanes)
        .bind(host)
        .bind(now)
        .bind(leased_at)
        .bind(number)
        .all(tx)
        .await?;
        claimed.extend(jobs);
    }
    Ok(claimed)
}

/// When the head of a lane is to be looked at next.
pub async fn next_due_at(on: &mut impl Read) -> Result<Option<Timestamp>> {
    let rows = query(sql!("SELECT due_at FROM lanes ORDER BY due_at LIMIT 1"))
        .rows(on)
        .await?;
    rows.first().map(|row| row.time("due_at")).transpose()
}

/// Notes that jobs were put into lanes. What is known of their room stays.
pub(crate) async fn joined(tx: &mut Tx, ws: WorkspaceId, lanes: &[&Lane]) -> Result<()> {
    let rows: Vec<_> = lanes.iter().map(|lane| row(lane)).collect();
    query(sql!(
        "INSERT INTO lanes (id, workspace_id, campaign_id, account_id, room_at, reason, due_at)
         SELECT q.lane, $2, q.campaign, q.account, 0, '', q.first
         FROM (SELECT r.value->>'lane' AS lane, r.value->>'campaign' AS campaign, r.value->>'account' AS account,
                   (SELECT j.run_at FROM jobs j WHERE j.lane = r.value->>'lane' AND j.state = 'pending' ORDER BY j.run_at LIMIT 1) AS first
               FROM {rows $1}) q
         WHERE q.first IS NOT NULL
         ON CONFLICT (id) DO UPDATE SET due_at = CASE WHEN excluded.due_at > lanes.room_at THEN excluded.due_at ELSE lanes.room_at END"
    ))
    .bind_json(&rows)
    .bind(ws)
    .later(tx);
    Ok(())
}

/// What a look at a lane has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    pub lane: Lane,
    /// No room before this moment, and why; None: there may be room now.
    pub closed: Option<(Timestamp, String)>,
}

/// Writes what was found at lanes; those in which nobody waits any more go away.
pub async fn settle(tx: &mut Tx, ws: WorkspaceId, looks: &[Look]) -> Result<()> {
    let rows: Vec<_> = looks
        .iter()
        .map(|look| {
            let mut row = row(&look.lane);
            let (until, reason) = look.closed.clone().unwrap_or_default();
            row["room"] = until.as_micros().into();
            row["reason"] = reason.into();
            row
        })
        .collect();
    query(sql!(
        "DELETE FROM lanes WHERE id IN (SELECT r.value->>'lane' FROM {rows $1})
           AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.lane = lanes.id AND j.state = 'pending')"
    ))
    .bind_json(&rows)
    .later(tx);
    query(sql!(
        "INSERT INTO lanes (id, workspace_id, campaign_id, account_id, room_at, reason, due_at)
         SELECT q.lane, $2, q.campaign, q.account, q.room, q.reason, CASE WHEN q.first > q.room THEN q.first ELSE q.room END
         FROM (SELECT r.value->>'lane' AS lane, r.value->>'campaign' AS campaign, r.value->>'account' AS account,
                   CAST(r.value->>'room' AS BIGINT) AS room, r.value->>'reason' AS reason,
                   (SELECT j.run_at FROM jobs j WHERE j.lane = r.value->>'lane' AND j.state = 'pending' ORDER BY j.run_at LIMIT 1) AS first
               FROM {rows $1}) q
         WHERE q.first IS NOT NULL
         ON CONFLICT (id) DO UPDATE SET room_at = excluded.room_at, reason = excluded.reason, due_at = excluded.due_at"
    ))
    .bind_json(&rows)
    .bind(ws)
    .later(tx);
    Ok(())
}

/// There is more room for a campaign: the heads of its lanes are looked at now (MB-4). How many
/// lanes were closed.
pub async fn call_up_campaign(
    tx: &mut Tx,
    ws: WorkspaceId,
    campaign: CampaignId,
    now: Timestamp,
) -> Result<u64> {
    query(sql!(CALL_UP))
        .bind(ws)
        .bind(now)
        .push_bind(" AND campaign_id = ", campaign)
        .execute(tx)
        .await
}

/// The same for everybody in a workspace.
pub async fn call_up_workspace(tx: &mut Tx, ws: WorkspaceId, now: Timestamp) -> Result<u64> {
    query(sql!(CALL_UP)).bind(ws).bind(now).execute(tx).await
}

/// The same for everybody whose campaign sends from an account.
pub async fn call_up_account(
    tx: &mut Tx,
    ws: WorkspaceId,
    account: AccountId,
    now: Timestamp,
) -> Result<u64> {
    query(sql!(CALL_UP))
        .bind(ws)
        .bind(now)
        .push_bind(" AND (account_id = ", account)
        .push(" OR campaign_id IN (SELECT a.campaign_id FROM campaign_accounts a WHERE a.account_id = $3))")
        .execute(tx)
        .await
}

const CALL_UP: &str = "UPDATE lanes SET room_at = $2, due_at = $2, reason = '' WHERE workspace_id = $1 AND room_at > $2";

fn row(lane: &Lane) -> Value {
    json!({"lane": lane.id, "campaign": lane.campaign_id, "account": lane.account_id})
}
