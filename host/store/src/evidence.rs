//! Sends that may have gone out (SAFE-3): what is known of them, when evidence is looked for, and
//! how they are settled.

use std::collections::HashSet;

use overture_domain::{
    ActionId, AttemptId, JobId, Timestamp, WorkspaceId,
    enrollments::{Action, ActionState, Outcome},
    messages::MailKey,
    people::Audit,
};
use serde_json::json;

use crate::{
    Read, Record, Result, Row, Tx, audit,
    query::{query, sql},
};

/// What the audit calls a send.
pub const SUBJECT: &str = "send";

/// A send of which nobody knows whether it went out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ambiguous {
    pub action: Action,
    pub prospect_email: String,
    /// The address that it was sent from.
    pub mailbox_address: String,
    /// The attempt of which nobody knows how it ended.
    pub attempt_id: Option<AttemptId>,
    /// When its body was about to go out.
    pub attempted_at: Timestamp,
    /// Since when nobody knows: by then no server takes it any more.
    pub since: Timestamp,
    /// When evidence is looked for next; none: only a person or a bounce decides.
    pub next_look_at: Option<Timestamp>,
}

impl Record for Ambiguous {
    const TABLE: &'static str = "actions";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            action: Action::from_row(row)?,
            prospect_email: row.text("prospect_email")?,
            mailbox_address: row.text("mailbox_address")?,
            attempt_id: row.opt_id("attempt_id")?,
            attempted_at: row.time("attempted_at")?,
            since: row.time("since")?,
            next_look_at: row.opt_time("next_look_at")?,
        })
    }
}

const AMBIGUOUS: &str = "SELECT a.id, a.workspace_id, a.campaign_id, a.enrollment_id, a.step_id, a.step_index, a.variant_id, a.account_id, a.channel, a.kind,
        a.state, a.external_id, a.deferrals, a.last_error, a.handed_out_at, a.done_at,
        p.email AS prospect_email, s.address AS mailbox_address, t.id AS attempt_id, COALESCE(t.at, a.handed_out_at) AS attempted_at,
        COALESCE(t.outcome_at, t.at, a.handed_out_at) AS since, j.run_at AS next_look_at
     FROM actions a
     JOIN enrollments e ON e.id = a.enrollment_id
     JOIN prospects p ON p.id = e.prospect_id
     JOIN sending_accounts s ON s.id = a.account_id
     LEFT JOIN attempts t ON t.action_id = a.id AND t.outcome = 'ambiguous'
     LEFT JOIN jobs j ON j.kind = 'find_send' AND j.subject_id = a.id AND j.state IN ('pending', 'processing')
     WHERE a.state = 'ambiguous'";

/// A page of a workspace's ambiguous sends, the oldest first.
pub async fn list(
    on: &mut impl Read,
    ws: WorkspaceId,
    after: Option<ActionId>,
    limit: i64,
) -> Result<Vec<Ambiguous>> {
    let mut query = query(sql!(AMBIGUOUS)).push_bind(" AND a.workspace_id = ", ws);
    if let Some(after) = after {
        query = query.push_bind(" AND a.id > ", after);
    }
    query
        .push_bind(" ORDER BY a.id LIMIT ", limit)
        .all(on)
        .await
}

/// Those of these sends that are ambiguous.
pub async fn find(on: &mut impl Read, ws: WorkspaceId, ids: &[ActionId]) -> Result<Vec<Ambiguous>> {
    query(sql!(AMBIGUOUS))
        .push_bind(" AND a.workspace_id = ", ws)
        .push_among(" AND a.id ", ids)
        .push(" ORDER BY a.id")
        .all(on)
        .await
}

/// The ambiguous sends with these Message-IDs.
pub async fn find_by_external_ids(
    on: &mut impl Read,
    ws: WorkspaceId,
    external_ids: &[&str],
) -> Result<Vec<Ambiguous>> {
    query(sql!(AMBIGUOUS))
        .push_bind(" AND a.workspace_id = ", ws)
        .push_among(" AND a.external_id ", external_ids)
        .push(" ORDER BY a.id")
        .all(on)
        .await
}

/// The ambiguous send of a step.
pub async fn find_by_step(on: &mut impl Read, mail: MailKey) -> Result<Option<Ambiguous>> {
    query(sql!(AMBIGUOUS))
        .push_bind(" AND a.workspace_id = ", mail.workspace_id)
        .push_bind(" AND a.enrollment_id = ", mail.enrollment_id)
        .push_bind(" AND a.step_index = ", mail.step_index)
        .optional(on)
        .await
}

/// Lets evidence be looked for at a time. A send for which it is looked already keeps its time.
pub async fn plan_look(
    tx: &mut Tx,
    ws: WorkspaceId,
    looks: &[(JobId, ActionId, Timestamp)],
    now: Timestamp,
) -> Result<()> {
    let rows: Vec<_> = looks
        .iter()
        .map(|(job, action, at)| json!({"id": job, "v": action, "at": at.as_micros()}))
        .collect();
    query(sql!(
        "INSERT INTO jobs (id, workspace_id, kind, subject_id, state, run_at, created_at)
         SELECT r.value->>'id', $1, 'find_send', r.value->>'v', 'pending', CAST(r.value->>'at' AS BIGINT), $3
         FROM {rows $2} WHERE TRUE
         ON CONFLICT DO NOTHING"
    ))
    .bind(ws)
    .bind_json(&rows)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

/// An ambiguous send and what became of it.
#[derive(Clone, Debug)]
pub struct Settled {
    pub action_id: ActionId,
    pub state: ActionState,
    pub outcome: Outcome,
    /// Who says so, and by what.
    pub audit: Audit,
}

/// Settles ambiguous sends, with their audit rows (SAFE-4), and looks for no more evidence. One
/// that has been settled meanwhile keeps its word. The ids of those that it settled.
pub async fn settle(
    tx: &mut Tx,
    ws: WorkspaceId,
    settled: &[Settled],
    now: Timestamp,
) -> Result<HashSet<ActionId>> {
    let rows: Vec<_> = settled
        .iter()
        .map(|one| {
            json!({
                "v": one.action_id,
                "state": one.state,
                "outcome": one.outcome,
                "detail": one.audit.reason,
            })
        })
        .collect();
    let ids: HashSet<ActionId> = query(sql!(
        "UPDATE actions SET state = r.value->>'state', last_error = NULL, done_at = CASE WHEN r.value->>'state' = 'done' THEN CAST($3 AS BIGINT) END
         FROM {rows $2} WHERE {also actions.workspace_id = $1} AND actions.id = r.value->>'v' AND actions.state = 'ambiguous'
         RETURNING actions.id"
    ))
    .bind(ws)
    .bind_json(&rows)
    .bind(now)
    .rows(tx)
    .await?
    .iter()
    .map(|row| row.id("id"))
    .collect::<Result<_>>()?;
    query(sql!(
        "UPDATE attempts SET outcome = r.value->>'outcome', outcome_at = $3, detail = r.value->>'detail'
         FROM {rows $2} WHERE attempts.workspace_id = $1 AND attempts.action_id = r.value->>'v'
           AND (attempts.outcome IS NULL OR attempts.outcome <> 'not_sent') AND attempts.outcome = 'ambiguous'"
    ))
    .bind(ws)
    .bind_json(&rows)
    .bind(now)
    .execute(tx)
    .await?;
    query(sql!(
        "UPDATE jobs SET state = 'completed', host_id = NULL, leased_at = NULL, finished_at = $3
         WHERE workspace_id = $1 AND kind = 'find_send' AND state IN ('pending', 'processing')
           AND subject_id {among $2}"
    ))
    .bind(ws)
    .bind_ids(settled.iter().map(|one| one.action_id))
    .bind(now)
    .execute(tx)
    .await?;
    let audits = settled.iter().filter(|one| ids.contains(&one.action_id));
    let audits: Vec<_> = audits.map(|one| &one.audit).collect();
    audit::insert_all(tx, &audits).await?;
    Ok(ids)
}
