//! What sending does to its reputation (SAF-1, SAF-2), and steps that nobody looks at (SCH-11).

use std::time::Duration;

use overture_domain::{
    AccountId, CampaignId, EnrollmentId, Timestamp, WorkspaceId,
    safety::{BounceShield, Measure, Thresholds},
};

use crate::{
    Read, Result, Tx, counts,
    query::{query, sql},
};

const HOUR: Duration = Duration::from_secs(3_600);

/// Running campaigns in which mails came back or were reported since a moment, with how many and with
/// what they are allowed (SAF-1).
pub async fn list_suspects(
    on: &mut impl Read,
    since: Timestamp,
) -> Result<Vec<(WorkspaceId, CampaignId, i64, Thresholds)>> {
    query(sql!(
        "SELECT q.workspace_id, q.id, q.safety, q.n FROM (
             SELECT c.workspace_id, c.id, c.safety, CAST((SELECT SUM(k.n) FROM event_counts k
                 WHERE k.campaign_id = c.id AND k.kind IN ('email.bounced', 'email.complained') AND k.hour >= $1) AS BIGINT) AS n
             FROM campaigns c WHERE c.status = 'running') q
         WHERE q.n > 0 ORDER BY q.id"
    ))
    .bind(counts::hour_of(since))
    .rows(on)
    .await?
    .iter()
    .map(|row| {
        Ok((
            row.id("workspace_id")?,
            row.id("id")?,
            row.int("n")?,
            row.json("safety")?,
        ))
    })
    .collect()
}

/// Running campaigns with a floor of replies, and what became of their mails in the whole hours since
/// they run (SAF-1).
pub async fn list_with_floor(
    on: &mut impl Read,
) -> Result<Vec<(WorkspaceId, CampaignId, Thresholds, Measure)>> {
    let rows = query(sql!(
        "SELECT c.workspace_id, c.id, c.safety, a.at FROM campaigns c JOIN audit a ON a.id = c.status_audit_id
         WHERE c.status = 'running' AND c.safety->>'replyPercent' IS NOT NULL ORDER BY c.id"
    ))
    .rows(on)
    .await?;
    let mut found = Vec::new();
    for row in &rows {
        let (ws, campaign) = (row.id("workspace_id")?, row.id("id")?);
        let since = row.time("at")? + HOUR;
        let by_mailbox = measure_campaign(on, ws, campaign, since).await?;
        let measure = by_mailbox.into_iter().map(|(_, measure)| measure).sum();
        found.push((ws, campaign, row.json("safety")?, measure));
    }
    Ok(found)
}

/// What became of a campaign's mails since a moment, by the mailbox that sent them.
pub async fn measure_campaign(
    on: &mut impl Read,
    ws: WorkspaceId,
    campaign: CampaignId,
    since: Timestamp,
) -> Result<Vec<(AccountId, Measure)>> {
    query(sql!(
        "SELECT account_id, CAST(SUM(CASE WHEN kind = 'email.sent' THEN n ELSE 0 END) AS BIGINT) AS sends,
             CAST(SUM(CASE WHEN kind = 'email.bounced' THEN n ELSE 0 END) AS BIGINT) AS bounces,
             CAST(SUM(CASE WHEN kind = 'email.complained' THEN n ELSE 0 END) AS BIGINT) AS complaints,
             CAST(SUM(CASE WHEN kind = 'reply.received' THEN n ELSE 0 END) AS BIGINT) AS replies
         FROM event_counts
         WHERE workspace_id = $1 AND campaign_id = $2 AND kind IN ('email.sent', 'email.bounced', 'email.complained', 'reply.received')
           AND hour >= $3
           AND account_id <> ''
         GROUP BY account_id ORDER BY account_id"
    ))
    .bind(ws)
    .bind(campaign)
    .bind(counts::hour_of(since))
    .rows(on)
    .await?
    .iter()
    .map(|row| {
        let measure = Measure {
            sends: row.int("sends")?,
            bounces: row.int("bounces")?,
            complaints: row.int("complaints")?,
            replies: row.int("replies")?,
        };
        Ok((row.id("account_id")?, measure))
    })
    .collect()
}

/// Campaigns that rest, with when their numbers were read last and what was wrong then.
pub async fn list_resting(
    on: &mut impl Read,
) -> Result<Vec<(WorkspaceId, CampaignId, Timestamp, String)>> {
    query(sql!(
        "SELECT c.workspace_id, c.id, a.at, a.reason FROM campaigns c JOIN audit a ON a.id = c.status_audit_id
         WHERE c.status = 'cooldown' ORDER BY c.id"
    ))
    .rows(on)
    .await?
    .iter()
    .map(|row| {
        Ok((
            row.id("workspace_id")?,
            row.id("id")?,
            row.time("at")?,
            row.text("reason")?,
        ))
    })
    .collect()
}

/// Mailboxes that were paused because of what became of their mails, with their address and why.
pub async fn list_paused_mailboxes(
    on: &mut impl Read,
) -> Result<Vec<(WorkspaceId, AccountId, String, String)>> {
    query(sql!(
        "SELECT s.workspace_id, s.id, s.address, s.status_reason FROM sending_accounts s JOIN audit a ON a.id = s.status_audit_id
         WHERE s.status = 'paused' AND s.deleted_at IS NULL AND a.actor = 'engine:SAF-1' ORDER BY s.id"
    ))
    .rows(on)
    .await?
    .iter()
    .map(|row| {
        Ok((
            row.id("workspace_id")?,
            row.id("id")?,
            row.text("address")?,
            row.text("status_reason")?,
        ))
    })
    .collect()
}

/// The Bounce Shields of all workspaces (SAF-2), each with how many mails of the workspace came back
/// since a moment.
pub async fn list_shields(
    on: &mut impl Read,
    since: Timestamp,
) -> Result<Vec<(WorkspaceId, BounceShield, i64)>> {
    query(sql!(
        "SELECT w.id, w.bounce_shield, CAST(COALESCE((SELECT SUM(k.n) FROM event_counts k
             WHERE k.workspace_id = w.id AND k.hour >= $1 AND k.kind = 'email.bounced'), 0) AS BIGINT) AS bounces
         FROM workspaces w ORDER BY w.id"
    ))
    .bind(counts::hour_of(since))
    .rows(on)
    .await?
    .iter()
    .map(|row| {
        Ok((
            row.id("id")?,
            row.json("bounce_shield")?,
            row.int("bounces")?,
        ))
    })
    .collect()
}

/// The Bounce Shield of a workspace.
pub async fn find_shield(on: &mut impl Read, ws: WorkspaceId) -> Result<Option<BounceShield>> {
    let rows = query(sql!("SELECT bounce_shield FROM workspaces WHERE id = $1"))
        .bind(ws)
        .rows(on)
        .await?;
    rows.first()
        .map(|row| row.json("bounce_shield"))
        .transpose()
}

/// Changes it. False when there is no such workspace.
pub async fn set_shield(tx: &mut Tx, ws: WorkspaceId, shield: &BounceShield) -> Result<bool> {
    let n = query(sql!(
        "UPDATE workspaces SET bounce_shield = $2 WHERE id = $1"
    ))
    .bind(ws)
    .bind_json(shield)
    .execute(tx)
    .await?;
    Ok(n == 1)
}

/// What became of a workspace's last mails, at most so many, sent after a moment (SAF-2).
pub async fn measure_last(
    on: &mut impl Read,
    ws: WorkspaceId,
    mails: i64,
    after: Timestamp,
) -> Result<Measure> {
    let rows = query(sql!(
        "WITH last AS (SELECT e.occurred_at FROM events e WHERE e.workspace_id = $1 AND e.kind = 'email.sent' AND e.occurred_at > $2
                       ORDER BY e.occurred_at DESC LIMIT $3)
         SELECT (SELECT COUNT(*) FROM last) AS sends,
             (SELECT COUNT(*) FROM events b WHERE b.workspace_id = $1 AND b.kind = 'email.bounced' AND b.occurred_at > $2
                AND b.occurred_at >= (SELECT MIN(l.occurred_at) FROM last l)) AS bounces"
    ))
    .bind(ws)
    .bind(after)
    .bind(mails)
    .rows(on)
    .await?;
    let Some(row) = rows.first() else {
        return Ok(Measure::default());
    };
    Ok(Measure {
        sends: row.int("sends")?,
        bounces: row.int("bounces")?,
        ..Measure::default()
    })
}

/// Enrollments of running campaigns whose step was due before a moment and that nobody looks at
/// (SCH-11): without a live job, with a job that nobody claimed, or in a lane that isn't looked at.
/// What a lane holds back has its time there, and is none of them.
pub async fn list_forgotten(
    on: &mut impl Read,
    before: Timestamp,
    limit: i64,
) -> Result<Vec<(WorkspaceId, EnrollmentId)>> {
    query(sql!(
        "SELECT q.workspace_id, q.id FROM (
             SELECT e.workspace_id, e.id, e.campaign_id FROM enrollments e
             WHERE e.state IN ('queued', 'active', 'waiting') AND e.next_action_at <= $1
               AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.kind = 'send_step' AND j.subject_id = e.id AND j.state IN ('pending', 'processing'))
             UNION
             SELECT e.workspace_id, e.id, e.campaign_id FROM jobs j JOIN enrollments e ON e.id = j.subject_id
             WHERE j.kind = 'send_step' AND j.state = 'pending' AND j.lane IS NULL AND j.run_at <= $1
               AND e.state IN ('queued', 'active', 'waiting')
             UNION
             SELECT e.workspace_id, e.id, e.campaign_id FROM jobs j JOIN enrollments e ON e.id = j.subject_id LEFT JOIN lanes l ON l.id = j.lane
             WHERE j.kind = 'send_step' AND j.state = 'pending' AND j.lane IS NOT NULL AND j.run_at <= $1
               AND (l.id IS NULL OR l.due_at <= $1 OR l.due_at > CASE WHEN l.room_at > j.run_at THEN l.room_at ELSE j.run_at END)
               AND e.state IN ('queued', 'active', 'waiting')) q
         JOIN campaigns c ON c.id = q.campaign_id AND c.status = 'running' ORDER BY q.id LIMIT $2"
    ))
    .bind(before)
    .bind(limit)
    .rows(on)
    .await?
    .iter()
    .map(|row| Ok((row.id("workspace_id")?, row.id("id")?)))
    .collect()
}

/// Takes the plan from enrollments whose job still waits, or that have none: the planner gives them
/// their earliest legal time. One that a host has claimed meanwhile keeps what it has. How many.
pub async fn plan_anew(
    tx: &mut Tx,
    ws: WorkspaceId,
    ids: &[EnrollmentId],
    reason: &str,
    now: Timestamp,
) -> Result<u64> {
    query(sql!(
        "UPDATE jobs SET state = 'expired', finished_at = $3 WHERE workspace_id = $1 AND kind = 'send_step' AND state IN ('pending', 'processing') AND state = 'pending'
           AND subject_id {among $2}"
    ))
    .bind(ws)
    .bind_ids(ids)
    .bind(now)
    .execute(tx)
    .await?;
    query(sql!(
        "UPDATE enrollments SET next_action_at = NULL, reason = $3, updated_at = $4
         WHERE workspace_id = $1 AND id {among $2} AND state IN ('queued', 'active', 'waiting')
           AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.kind = 'send_step' AND j.subject_id = enrollments.id AND j.state IN ('pending', 'processing'))"
    ))
    .bind(ws)
    .bind_ids(ids)
    .bind(reason)
    .bind(now)
    .execute(tx)
    .await
}
