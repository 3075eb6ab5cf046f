//! What the counters of caps say, what they should say, and setting them right (SAFE-5).

use overture_domain::{
    AccountId, CampaignId, EnrollmentId, ProspectId, Timestamp, WorkspaceId, campaigns::StepKind,
    caps::Cap,
};
use serde_json::json;

use crate::{
    Read, Record, Result, Row, Tx,
    query::{query, sql},
};

/// One counter as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    pub cap: Cap,
    pub subject: String,
    pub bucket: i64,
    pub used: i64,
    /// What was used when its calendar moved to another zone, and when that was: what happened
    /// before is in it.
    pub carried: i64,
    pub carried_at: Timestamp,
}

impl Record for Counter {
    const TABLE: &'static str = "cap_usage";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            cap: row.parsed("kind")?,
            subject: row.text("subject")?,
            bucket: row.int("bucket")?,
            used: row.int("used")?,
            carried: row.int("carried")?,
            carried_at: row.time("carried_at")?,
        })
    }
}

/// The counters of some caps. All of the workspace are read.
pub async fn list(on: &mut impl Read, ws: WorkspaceId, caps: &[Cap]) -> Result<Vec<Counter>> {
    let mut counters: Vec<Counter> = query(sql!(
        "SELECT kind, subject, bucket, used, carried, carried_at FROM cap_usage
         WHERE workspace_id = $1 ORDER BY subject, kind, bucket"
    ))
    .bind(ws)
    .all(on)
    .await?;
    counters.retain(|counter| caps.contains(&counter.cap));
    Ok(counters)
}

/// Those of the counters that are there.
pub async fn find(
    on: &mut impl Read,
    ws: WorkspaceId,
    keys: &[(Cap, &str, i64)],
) -> Result<Vec<Counter>> {
    let rows: Vec<_> = keys
        .iter()
        .map(|(cap, subject, bucket)| json!({"ws": ws, "cap": cap, "subject": subject, "bucket": bucket}))
        .collect();
    query(sql!(
        "SELECT u.kind, u.subject, u.bucket, u.used, u.carried, u.carried_at FROM {rows $1}
         JOIN cap_usage u ON u.workspace_id = r.value->>'ws' AND u.kind = r.value->>'cap' AND u.subject = r.value->>'subject'
          AND u.bucket = CAST(r.value->>'bucket' AS BIGINT)"
    ))
    .bind_json(&rows)
    .all(on)
    .await
}

/// Sets counters right: from what each was seen to say, 0 where it was not there, to what it
/// should say. Whoever calls holds the workspace's lock; a counter that a release has changed
/// since stays as it is. How many were set.
pub async fn set(tx: &mut Tx, ws: WorkspaceId, right: &[(Counter, i64)]) -> Result<u64> {
    if right.is_empty() {
        return Ok(0);
    }
    let rows: Vec<_> = right
        .iter()
        .map(|(seen, n)| json!({"ws": ws, "cap": seen.cap, "subject": seen.subject, "bucket": seen.bucket, "seen": seen.used, "n": n}))
        .collect();
    query(sql!(
        "INSERT INTO cap_usage (workspace_id, kind, subject, bucket, used)
         SELECT r.value->>'ws', r.value->>'cap', r.value->>'subject', CAST(r.value->>'bucket' AS BIGINT), 0 FROM {rows $1}
         WHERE TRUE ON CONFLICT DO NOTHING"
    ))
    .bind_json(&rows)
    .execute(tx)
    .await?;
    query(sql!(
        "UPDATE cap_usage SET used = CAST(r.value->>'n' AS BIGINT) FROM {rows $1}
         WHERE cap_usage.workspace_id = r.value->>'ws' AND cap_usage.kind = r.value->>'cap' AND cap_usage.subject = r.value->>'subject'
           AND cap_usage.bucket = CAST(r.value->>'bucket' AS BIGINT) AND cap_usage.used = CAST(r.value->>'seen' AS BIGINT)"
    ))
    .bind_json(&rows)
    .execute(tx)
    .await
}

/// Forgets counters that no decision looks at any more: for each cap those of buckets before this
/// one. How many.
pub async fn forget(tx: &mut Tx, before: &[(Cap, i64)]) -> Result<u64> {
    let rows: Vec<_> = before
        .iter()
        .map(|(cap, bucket)| json!({"cap": cap, "bucket": bucket}))
        .collect();
    query(sql!(
        "DELETE FROM cap_usage WHERE EXISTS (
             SELECT 1 FROM {rows $1} WHERE r.value->>'cap' = cap_usage.kind AND cap_usage.bucket < CAST(r.value->>'bucket' AS BIGINT))"
    ))
    .bind_json(&rows)
    .execute(tx)
    .await
}

/// A mail, or what else is sent, that counts under caps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Its Message-ID.
    pub external_id: String,
    pub campaign_id: CampaignId,
    pub account_id: AccountId,
    pub kind: StepKind,
    pub prospect_id: ProspectId,
    pub email: String,
    /// Which step it is.
    pub step_index: i64,
    pub at: Timestamp,
}

impl Record for Mail {
    const TABLE: &'static str = "actions";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            external_id: row.text("external_id")?,
            campaign_id: row.id("campaign_id")?,
            account_id: row.id("account_id")?,
            prospect_id: row.id("prospect_id")?,
            kind: row.parsed("step_kind")?,
            email: row.text("email")?,
            step_index: row.int("step_index")?,
            at: match row.opt_parsed("sent_at")? {
                Some(at) => at,
                None => row.time("at")?,
            },
        })
    }
}

/// Mails that went out since a moment, by their events.
pub async fn sent_since(
    on: &mut impl Read,
    ws: WorkspaceId,
    since: Timestamp,
) -> Result<Vec<Mail>> {
    query(sql!(
        "SELECT COALESCE(data->>'messageId', id) AS external_id, campaign_id, account_id, prospect_id, COALESCE(data->>'prospectEmail', '') AS email,
                COALESCE(CAST(data->>'stepIndex' AS BIGINT), -1) AS step_index, occurred_at AS at, data->>'sentAt' AS sent_at,
                CASE kind WHEN 'email.sent' THEN 'email' WHEN 'linkedin.invite_sent' THEN 'send_invite' ELSE 'send_message' END AS step_kind
         FROM events WHERE workspace_id = $1 AND occurred_at >= $2 AND kind IN ('email.sent', 'linkedin.invite_sent', 'linkedin.message_sent')
           AND campaign_id IS NOT NULL AND account_id IS NOT NULL AND prospect_id IS NOT NULL"
    ))
    .bind(ws)
    .bind(since)
    .all(on)
    .await
}

/// Mails that were handed out since a moment and went out, may have, or are on their way.
pub async fn handed_out_since(
    on: &mut impl Read,
    ws: WorkspaceId,
    since: Timestamp,
) -> Result<Vec<Mail>> {
    query(sql!(
        "SELECT a.external_id, a.campaign_id, a.account_id, e.prospect_id, p.email, a.step_index, a.handed_out_at AS at, CAST(NULL AS TEXT) AS sent_at, a.kind AS step_kind
         FROM actions a JOIN enrollments e ON e.id = a.enrollment_id JOIN prospects p ON p.id = e.prospect_id
         WHERE a.workspace_id = $1 AND a.handed_out_at >= $2 AND a.kind <> 'wait_accept' AND a.state IN ('handed_out', 'done', 'ambiguous')"
    ))
    .bind(ws)
    .bind(since)
    .all(on)
    .await
}

/// A mailbox that mails went out from, deleted or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Sender {
    pub id: AccountId,
    pub address: String,
    pub provider: String,
    pub preset: String,
    pub settings: serde_json::Value,
    pub time_zone: String,
}

impl Record for Sender {
    const TABLE: &'static str = "sending_accounts";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            address: row.text("address")?,
            provider: row.text("provider")?,
            preset: row.text("preset")?,
            settings: row.json("settings")?,
            time_zone: row.text("time_zone")?,
        })
    }
}

/// All mailboxes that a workspace has or had.
pub async fn senders(on: &mut impl Read, ws: WorkspaceId) -> Result<Vec<Sender>> {
    query(sql!(
        "SELECT id, address, provider, preset, settings, time_zone FROM sending_accounts WHERE workspace_id = $1"
    ))
    .bind(ws)
    .all(on)
    .await
}

/// A step that was put off alone, to a time of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutOff {
    pub enrollment_id: EnrollmentId,
    pub prospect_id: ProspectId,
    pub email: String,
    /// Why, for people.
    pub reason: String,
}

impl Record for PutOff {
    const TABLE: &'static str = "enrollments";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            enrollment_id: row.id("id")?,
            prospect_id: row.id("prospect_id")?,
            email: row.text("email")?,
            reason: row.text("reason")?,
        })
    }
}

/// Steps that were put off alone beyond a moment. One that was begun waits for its retry (SAF-4)
/// and is none of them.
pub async fn put_off_beyond(
    on: &mut impl Read,
    ws: WorkspaceId,
    after: Timestamp,
) -> Result<Vec<PutOff>> {
    query(sql!(
        "SELECT e.id, e.prospect_id, p.email, e.reason
         FROM jobs j JOIN enrollments e ON e.id = j.subject_id JOIN prospects p ON p.id = e.prospect_id
         WHERE j.kind = 'send_step' AND j.run_at > $2 AND j.workspace_id = $1 AND j.state = 'pending' AND j.lane IS NULL
           AND NOT EXISTS (SELECT 1 FROM actions a WHERE a.enrollment_id = e.id AND a.step_index = e.step_index AND a.state <> 'cancelled')"
    ))
    .bind(ws)
    .bind(after)
    .all(on)
    .await
}
