//! What is due and who does it (SCH-5). The run time of a job and the next action of its
//! enrollment are written together, here and nowhere else (SCH-3).

use std::collections::{BTreeMap, HashSet};

use overture_domain::{
    AccountId, CampaignId, EnrollmentId, HostId, JobId, Timestamp, WorkspaceId,
    campaigns::StepKind,
    enrollments::{EnrollmentState, Job, JobKind, JobState, Lane},
};

use crate::{
    Read, Record, Result, Row, Tx, lanes,
    query::{query, row, sql},
};

impl Record for Job {
    const TABLE: &'static str = "jobs";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            workspace_id: row.id("workspace_id")?,
            kind: row.parsed("kind")?,
            subject_id: row.text("subject_id")?,
            state: row.parsed("state")?,
            run_at: row.time("run_at")?,
            host_id: row.opt_id("host_id")?,
            leased_at: row.opt_time("leased_at")?,
            strikes: row.int("strikes")?,
            last_error: row.opt_text("last_error")?,
        })
    }
}

/// An open enrollment of a running campaign without a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unplanned {
    pub workspace_id: WorkspaceId,
    pub campaign_id: CampaignId,
    pub enrollment_id: EnrollmentId,
    /// The mailbox that it sticks to.
    pub account_id: Option<AccountId>,
    /// The step that is to be planned.
    pub step_index: i64,
    /// None: the sequence ends before it.
    pub step: Option<NextStep>,
    pub enrolled_at: Timestamp,
    /// When its last step was done, if one was.
    pub last_done_at: Option<Timestamp>,
    /// The person is away until then: no earlier step (CLS-2).
    pub not_before: Option<Timestamp>,
    /// The prospect's zone; empty where it isn't known.
    pub time_zone: String,
}

/// A step that is to be planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextStep {
    pub kind: StepKind,
    pub delay_minutes: i64,
    /// What it waits for has happened already.
    pub done: bool,
}

impl Record for Unplanned {
    const TABLE: &'static str = "enrollments";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            workspace_id: row.id("workspace_id")?,
            campaign_id: row.id("campaign_id")?,
            enrollment_id: row.id("id")?,
            account_id: row.opt_id("account_id")?,
            step_index: row.int("step_index")?,
            step: match row.opt_parsed("kind")? {
                None => None,
                Some(kind) => Some(NextStep {
                    kind,
                    delay_minutes: row.int("delay_minutes")?,
                    done: row.bool("done")?,
                }),
            },
            enrolled_at: row.time("created_at")?,
            last_done_at: row.opt_time("last_done_at")?,
            not_before: row.opt_time("not_before")?,
            time_zone: row.text("time_zone")?,
        })
    }
}

/// Open enrollments of running campaigns whose next step is to be planned, in all workspaces.
pub async fn list_unplanned(on: &mut impl Read, limit: i64) -> Result<Vec<Unplanned>> {
    query(sql!(
        "SELECT e.id, e.workspace_id, e.campaign_id, e.account_id, e.step_index, s.kind, s.delay_minutes, e.created_at, e.not_before, p.time_zone,
                EXISTS (SELECT 1 FROM actions a WHERE a.enrollment_id = e.id AND a.step_id = s.id AND a.state = 'done') AS done,
                (SELECT MAX(a.done_at) FROM actions a WHERE a.enrollment_id = e.id AND a.state = 'done') AS last_done_at
         FROM campaigns c
         JOIN enrollments e ON e.campaign_id = c.id AND e.next_action_at IS NULL AND e.state IN ('queued', 'active', 'waiting')
         JOIN prospects p ON p.id = e.prospect_id
         LEFT JOIN steps s ON s.campaign_id = e.campaign_id AND s.step_index = e.step_index
         WHERE c.status = 'running' ORDER BY e.campaign_id, e.id LIMIT $1"
    ))
    .bind(limit)
    .all(on)
    .await
}

/// A step of an enrollment that runs at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    pub job_id: JobId,
    pub workspace_id: WorkspaceId,
    pub enrollment_id: EnrollmentId,
    pub run_at: Timestamp,
    /// Where it waits for room from then on; None: it is looked at by itself. Whoever gives a lane
    /// holds the workspace's lock.
    pub lane: Option<Lane>,
    /// Why not earlier, for people.
    pub reason: String,
    /// Something else than time brings it on (SEQ-5).
    pub waits: bool,
}

/// Plans the next step of enrollments: the job and the enrollment's next action (SCH-3). One that
/// is not open, or has a live job, keeps what it has.
pub async fn plan(tx: &mut Tx, planned: &[Planned], now: Timestamp) -> Result<()> {
    let rows: Vec<_> = planned
        .iter()
        .map(|plan| {
            row! {
                id: plan.job_id,
                workspace_id: plan.workspace_id,
                enrollment: plan.enrollment_id,
                at: plan.run_at.as_micros(),
                lane: plan.lane.as_ref().map(|lane| &lane.id),
                reason: &plan.reason,
                state: plan.waits.then_some(EnrollmentState::Waiting),
            }
        })
        .collect();
    query(sql!(
        "INSERT INTO jobs (id, workspace_id, kind, subject_id, state, run_at, lane, created_at)
         SELECT r.value->>'id', e.workspace_id, 'send_step', e.id, 'pending', CAST(r.value->>'at' AS BIGINT), r.value->>'lane', $2
         FROM {rows $1} JOIN enrollments e ON e.id = r.value->>'enrollment' AND e.workspace_id = r.value->>'workspace_id'
         WHERE e.state IN ('queued', 'active', 'waiting')
         ON CONFLICT DO NOTHING"
    ))
    .bind_json(&rows)
    .bind(now)
    .later(tx);
    query(sql!(
        "UPDATE enrollments SET next_action_at = j.run_at, reason = r.value->>'reason', updated_at = $2,
             state = COALESCE(r.value->>'state', enrollments.state)
         FROM {rows $1} JOIN jobs j ON j.id = r.value->>'id'
         WHERE enrollments.id = r.value->>'enrollment' AND j.subject_id = enrollments.id"
    ))
    .bind_json(&rows)
    .bind(now)
    .later(tx);
    let mut joined: BTreeMap<WorkspaceId, HashSet<&Lane>> = BTreeMap::new();
    for plan in planned {
        let lanes = joined.entry(plan.workspace_id).or_default();
        lanes.extend(&plan.lane);
    }
    for (ws, joined) in joined.into_iter().filter(|(_, lanes)| !lanes.is_empty()) {
        lanes::joined(tx, ws, &joined.into_iter().collect::<Vec<_>>()).await?;
    }
    Ok(())
}

/// Puts claimed jobs into lanes, where they wait for room without a time of their own. Their run
/// time stays: they come in its order. [`lanes::settle`] follows.
pub async fn wait(tx: &mut Tx, waiting: &[(JobId, Lane)]) -> Result<()> {
    if waiting.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = waiting
        .iter()
        .map(|(id, lane)| row! { v: *id, lane: &lane.id })
        .collect();
    query(sql!(
        "UPDATE jobs SET state = 'pending', lane = r.value->>'lane', host_id = NULL, leased_at = NULL
         FROM {rows $1} WHERE jobs.id = r.value->>'v' AND jobs.state = 'processing'"
    ))
    .bind_json(&rows)
    .later(tx);
    Ok(())
}

/// Takes the plan from everybody in a campaign who waits for their turn: its sequence or its
/// window was edited, so they are planned anew (SCH-2). Whoever is on their way, or waits out a
/// refusal (SAF-4), keeps their place.
pub async fn unplan_campaign(
    tx: &mut Tx,
    ws: WorkspaceId,
    campaign: CampaignId,
    now: Timestamp,
) -> Result<u64> {
    query(sql!(
        "UPDATE jobs SET state = 'expired', finished_at = $3
         WHERE kind = 'send_step' AND state IN ('pending', 'processing') AND state = 'pending' AND subject_id IN (
             SELECT e.id FROM enrollments e WHERE e.workspace_id = $1 AND e.campaign_id = $2 AND e.state IN ('queued', 'active', 'waiting')
               AND NOT EXISTS (SELECT 1 FROM actions a WHERE a.enrollment_id = e.id AND a.state = 'retrying'))"
    ))
    .bind(ws)
    .bind(campaign)
    .bind(now)
    .later(tx);
    query(sql!(
        "UPDATE enrollments SET next_action_at = NULL, reason = '', updated_at = $3
         WHERE workspace_id = $1 AND campaign_id = $2 AND state IN ('queued', 'active', 'waiting') AND next_action_at IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.kind = 'send_step' AND j.subject_id = enrollments.id AND j.state IN ('pending', 'processing'))"
    ))
    .bind(ws)
    .bind(campaign)
    .bind(now)
    .execute(tx)
    .await
}

/// Puts claimed jobs back to a later time, with the reason; job and next action together (SCH-3).
/// A job that was cancelled meanwhile stays cancelled. It is no strike (SCH-5).
pub async fn defer(
    tx: &mut Tx,
    deferred: &[(JobId, Timestamp, String)],
    now: Timestamp,
) -> Result<()> {
    if deferred.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = deferred
        .iter()
        .map(|(id, at, reason)| row! { v: *id, at: at.as_micros(), reason: reason })
        .collect();
    query(sql!(
        "UPDATE jobs SET state = 'pending', run_at = CAST(r.value->>'at' AS BIGINT), host_id = NULL, leased_at = NULL
         FROM {rows $1} WHERE jobs.id = r.value->>'v' AND jobs.state = 'processing'"
    ))
    .bind_json(&rows)
    .later(tx);
    query(sql!(
        "UPDATE enrollments SET next_action_at = j.run_at, reason = r.value->>'reason', updated_at = $2
         FROM {rows $1} JOIN jobs j ON j.id = r.value->>'v' AND j.state = 'pending'
         WHERE enrollments.id = j.subject_id"
    ))
    .bind_json(&rows)
    .bind(now)
    .later(tx);
    Ok(())
}

/// Takes due jobs with a time of their own for a host: the longest due first, but the workspaces in
/// turn, so that one with much to do delays no other (SCH-8). Those in lanes are taken by
/// [`lanes::claim`]. `leased_at` is real time.
pub async fn claim(
    tx: &mut Tx,
    kind: JobKind,
    host: HostId,
    now: Timestamp,
    leased_at: Timestamp,
    limit: i64,
) -> Result<Vec<Job>> {
    query(sql!(
        "UPDATE jobs SET state = 'processing', host_id = $2, leased_at = $4
         WHERE id IN (SELECT k.id FROM jobs k WHERE k.state = 'pending' AND k.id IN (
             SELECT q.id FROM (
                 SELECT d.id, d.run_at, ROW_NUMBER() OVER (PARTITION BY d.workspace_id ORDER BY d.run_at, d.id) AS place
                 FROM jobs d WHERE d.kind = $1 AND d.state = 'pending' AND d.lane IS NULL AND d.run_at <= $3) q
             ORDER BY q.place, q.run_at, q.id LIMIT $5) {skip_locked})
         RETURNING id, workspace_id, kind, subject_id, state, run_at, host_id, leased_at, strikes, last_error"
    ))
    .bind(kind.name())
    .bind(host)
    .bind(now)
    .bind(leased_at)
    .bind(limit)
    .all(tx)
    .await
}

/// The job that is to bring an enrollment's next step out, or does.
pub async fn find_live(
    on: &mut impl Read,
    ws: WorkspaceId,
    enrollment: EnrollmentId,
) -> Result<Option<Job>> {
    query(sql!(
        "SELECT id, workspace_id, kind, subject_id, state, run_at, host_id, leased_at, strikes, last_error FROM jobs
         WHERE workspace_id = $1 AND kind = 'send_step' AND subject_id = $2 AND state IN ('pending', 'processing')"
    ))
    .bind(ws)
    .bind(enrollment)
    .optional(on)
    .await
}

/// How many go before a job in its lane.
pub async fn count_before(on: &mut impl Read, job: &Job) -> Result<i64> {
    query(sql!(
        "SELECT COUNT(*) AS n FROM jobs x JOIN jobs j ON j.id = $1
         WHERE x.lane = j.lane AND x.state = 'pending' AND (x.run_at < j.run_at OR (x.run_at = j.run_at AND x.id < j.id))"
    ))
    .bind(job.id)
    .number(on)
    .await
}

/// When the next job of a kind with a time of its own is due.
pub async fn next_run_at(on: &mut impl Read, kind: JobKind) -> Result<Option<Timestamp>> {
    let rows = query(sql!(
        "SELECT run_at FROM jobs WHERE kind = $1 AND state = 'pending' AND lane IS NULL ORDER BY run_at LIMIT 1"
    ))
    .bind(kind.name())
    .rows(on)
    .await?;
    rows.first().map(|row| row.time("run_at")).transpose()
}

/// Gives claimed jobs back as they were: this host has no hands free.
pub async fn release(tx: &mut Tx, ids: &[JobId]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    query(sql!(
        "UPDATE jobs SET state = 'pending', host_id = NULL, leased_at = NULL
         WHERE id {among $1} AND state = 'processing'"
    ))
    .bind_ids(ids)
    .later(tx);
    Ok(())
}

/// Makes sure that nobody else has an enrollment's step until this transaction ends. False: the
/// lease of that moment was given back or to another, or the step was planned anew. A job that is
/// over, with none after it, is nobody's.
pub async fn hold(
    tx: &mut Tx,
    enrollment: EnrollmentId,
    id: JobId,
    host: HostId,
    leased_at: Option<Timestamp>,
) -> Result<bool> {
    let elsewhere = query(sql!(
        "UPDATE jobs SET leased_at = leased_at WHERE kind = 'send_step' AND subject_id = $1 AND state IN ('pending', 'processing')
           AND (id <> $2 OR host_id IS NULL OR host_id <> $3 OR leased_at <> $4)"
    ))
    .bind(enrollment)
    .bind(id)
    .bind(host)
    .bind(leased_at)
    .execute(tx)
    .await?;
    Ok(elsewhere == 0)
}

/// Ends claimed jobs. One that was cancelled meanwhile stays cancelled.
pub async fn finish(
    tx: &mut Tx,
    ended: &[(JobId, JobState, Option<String>)],
    now: Timestamp,
) -> Result<()> {
    if ended.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = ended
        .iter()
        .map(|(id, state, error)| row! { v: id, state: state, error: error })
        .collect();
    query(sql!(
        "UPDATE jobs SET state = r.value->>'state', last_error = r.value->>'error', host_id = NULL, leased_at = NULL, finished_at = $2
         FROM {rows $1} WHERE jobs.id = r.value->>'v' AND jobs.state = 'processing'"
    ))
    .bind_json(&rows)
    .bind(now)
    .later(tx);
    Ok(())
}

/// Looks for live jobs and next actions that differ (SCH-3), and for jobs whose lane would not be
/// looked at in time (SAFE-2): always none. For checks and tests.
pub async fn count_mismatched(on: &mut impl Read) -> Result<i64> {
    query(sql!(
        "SELECT (SELECT COUNT(*) FROM enrollments e LEFT JOIN jobs j ON j.kind = 'send_step' AND j.subject_id = e.id AND j.state IN ('pending', 'processing')
                 WHERE e.next_action_at IS NOT NULL AND (j.run_at IS NULL OR j.run_at <> e.next_action_at))
              + (SELECT COUNT(*) FROM jobs j JOIN enrollments e ON e.id = j.subject_id
                 WHERE j.kind = 'send_step' AND j.state IN ('pending', 'processing') AND (e.next_action_at IS NULL OR e.next_action_at <> j.run_at))
              + (SELECT COUNT(*) FROM jobs j LEFT JOIN lanes l ON l.id = j.lane
                 WHERE j.state = 'pending' AND j.lane IS NOT NULL
                   AND (l.id IS NULL OR l.due_at > CASE WHEN l.room_at > j.run_at THEN l.room_at ELSE j.run_at END)) AS n"
    ))
    .number(on)
    .await
}
