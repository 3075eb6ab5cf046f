//! Steps that were handed out, and every attempt to bring them out (SAFE-3).

use std::collections::{HashMap, HashSet};

use overture_domain::{
    AccountId, ActionId, AttemptId, EnrollmentId, Timestamp, WorkspaceId,
    enrollments::{Action, ActionState, Attempt, Outcome},
};

use crate::{
    Read, Record, Result, Row, Tx, Write,
    query::{query, row, sql},
};

impl Record for Action {
    const TABLE: &'static str = "actions";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            workspace_id: row.id("workspace_id")?,
            campaign_id: row.id("campaign_id")?,
            enrollment_id: row.id("enrollment_id")?,
            step_id: row.id("step_id")?,
            step_index: row.int("step_index")?,
            variant_id: row.opt_id("variant_id")?,
            account_id: row.id("account_id")?,
            channel: row.parsed("channel")?,
            kind: row.parsed("kind")?,
            state: row.parsed("state")?,
            external_id: row.text("external_id")?,
            deferrals: row.int("deferrals")?,
            last_error: row.opt_text("last_error")?,
            handed_out_at: row.time("handed_out_at")?,
            done_at: row.opt_time("done_at")?,
        })
    }
}

impl Record for Attempt {
    const TABLE: &'static str = "attempts";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            workspace_id: row.id("workspace_id")?,
            action_id: row.id("action_id")?,
            external_id: row.text("external_id")?,
            at: row.time("at")?,
            outcome: row.opt_parsed("outcome")?,
            outcome_at: row.opt_time("outcome_at")?,
            detail: row.opt_text("detail")?,
        })
    }
}

/// New actions, handed out for the first time.
pub async fn insert(tx: &mut Tx, actions: &[Action]) -> Result<()> {
    if actions.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = actions
        .iter()
        .map(|action| {
            row! {
                id: action.id,
                workspace_id: action.workspace_id,
                campaign_id: action.campaign_id,
                enrollment_id: action.enrollment_id,
                step_id: action.step_id,
                step_index: action.step_index,
                variant_id: action.variant_id,
                account_id: action.account_id,
                channel: action.channel,
                kind: action.kind,
                state: action.state,
                external_id: &action.external_id,
                at: action.handed_out_at.as_micros(),
            }
        })
        .collect();
    query(sql!(
        "INSERT INTO actions (id, workspace_id, campaign_id, enrollment_id, step_id, step_index, variant_id, account_id, channel, kind, state, external_id, handed_out_at)
         SELECT r.value->>'id', r.value->>'workspace_id', r.value->>'campaign_id', r.value->>'enrollment_id', r.value->>'step_id',
                CAST(r.value->>'step_index' AS BIGINT), r.value->>'variant_id', r.value->>'account_id', r.value->>'channel', r.value->>'kind', r.value->>'state',
                r.value->>'external_id', CAST(r.value->>'at' AS BIGINT)
         FROM {rows $1}"
    ))
    .bind_json(&rows)
    .later(tx);
    Ok(())
}

/// Hands actions out again, with the same Message-ID (SEQ-4), from the account that is given.
pub async fn hand_out_again(
    tx: &mut Tx,
    again: &[(ActionId, AccountId)],
    now: Timestamp,
) -> Result<()> {
    if again.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = again
        .iter()
        .map(|(id, account)| row! { v: *id, account: *account })
        .collect();
    query(sql!(
        "UPDATE actions SET state = 'handed_out', account_id = r.value->>'account', handed_out_at = $2
         FROM {rows $1} WHERE actions.id = r.value->>'v' AND actions.state IN ('handed_out', 'retrying')"
    ))
    .bind_json(&rows)
    .bind(now)
    .later(tx);
    Ok(())
}

/// The actions of enrollments, oldest first.
pub async fn list_by_enrollments(
    on: &mut impl Read,
    ws: WorkspaceId,
    enrollments: &[EnrollmentId],
) -> Result<Vec<Action>> {
    query(sql!(
        "SELECT id, workspace_id, campaign_id, enrollment_id, step_id, step_index, variant_id, account_id, channel, kind, state, external_id,
                deferrals, last_error, handed_out_at, done_at
         FROM actions WHERE workspace_id = $1 AND enrollment_id {among $2}
         ORDER BY handed_out_at, id"
    ))
    .bind(ws)
    .bind_ids(enrollments)
    .all(on)
    .await
}

/// One action.
pub async fn find(on: &mut impl Read, ws: WorkspaceId, id: ActionId) -> Result<Option<Action>> {
    query(sql!(
        "SELECT id, workspace_id, campaign_id, enrollment_id, step_id, step_index, variant_id, account_id, channel, kind, state, external_id,
                deferrals, last_error, handed_out_at, done_at
         FROM actions WHERE workspace_id = $1 AND id = $2"
    ))
    .bind(ws)
    .bind(id)
    .optional(on)
    .await
}

/// The attempts of an action, oldest first.
pub async fn list_attempts(
    on: &mut impl Read,
    ws: WorkspaceId,
    action: ActionId,
) -> Result<Vec<Attempt>> {
    query(sql!(
        "SELECT id, workspace_id, action_id, external_id, at, outcome, outcome_at, detail FROM attempts
         WHERE workspace_id = $1 AND action_id = $2 ORDER BY at, id"
    ))
    .bind(ws)
    .bind(action)
    .all(on)
    .await
}

/// Which of the actions have an attempt of which nobody knows that it sent nothing: they must not
/// be tried again (SAFE-3). With that attempt: the database lets no action have two.
pub async fn attempted(
    on: &mut impl Read,
    ws: WorkspaceId,
    actions: &[ActionId],
) -> Result<HashMap<ActionId, AttemptId>> {
    query(sql!(
        "SELECT action_id, id FROM attempts WHERE workspace_id = $1 AND action_id {among $2}
           AND (outcome IS NULL OR outcome <> 'not_sent')"
    ))
    .bind(ws)
    .bind_ids(actions)
    .rows(on)
    .await?
    .iter()
    .map(|row| Ok((row.id("action_id")?, row.id("id")?)))
    .collect()
}

/// Keeps actions as they are until this transaction ends, and lets no attempt begin meanwhile. What
/// they are.
pub async fn lock(tx: &mut Tx, ids: &[ActionId]) -> Result<HashMap<ActionId, ActionState>> {
    query(sql!(
        "SELECT id, state FROM actions WHERE id {among $1} ORDER BY id {for_update}"
    ))
    .bind_ids(ids)
    .rows(tx)
    .await?
    .iter()
    .map(|row| Ok((row.id("id")?, row.parsed("state")?)))
    .collect()
}

/// Commits attempts right before their bodies go out (SAFE-3). One is refused where its action was
/// cancelled meanwhile or waits for another turn, or where an earlier attempt may have sent the
/// mail: then nothing may go out. The ids of those that may. The actions stay as they are until the
/// commit.
pub async fn insert_attempts(
    on: &mut impl Write,
    attempts: &[Attempt],
) -> Result<HashSet<AttemptId>> {
    let rows: Vec<_> = attempts
        .iter()
        .map(|attempt| {
            row! {
                id: attempt.id,
                action: attempt.action_id,
                external_id: &attempt.external_id,
                at: attempt.at.as_micros(),
            }
        })
        .collect();
    query(sql!(
        "INSERT INTO attempts (id, workspace_id, action_id, external_id, at)
         SELECT r.value->>'id', a.workspace_id, a.id, r.value->>'external_id', CAST(r.value->>'at' AS BIGINT)
         FROM {rows $1} JOIN actions a ON a.id = r.value->>'action' AND a.state = 'handed_out'
         WHERE TRUE ORDER BY a.id {for_share}
         ON CONFLICT DO NOTHING RETURNING id"
    ))
    .bind_json(&rows)
    .rows(on)
    .await?
    .iter()
    .map(|row| row.id("id"))
    .collect()
}

/// A mail that went out came back undelivered: its attempt has sent nothing after all, and the
/// action may be handed out again (SAF-4). `refusals` are added to its deferrals. How many it has
/// now; None where it has not gone out.
pub async fn take_back(
    tx: &mut Tx,
    ws: WorkspaceId,
    id: ActionId,
    refusals: i64,
    words: &str,
    now: Timestamp,
) -> Result<Option<i64>> {
    let taken = query(sql!(
        "UPDATE actions SET state = 'retrying', deferrals = actions.deferrals + $3, last_error = $4, done_at = NULL
         WHERE workspace_id = $1 AND id = $2 AND state = 'done' RETURNING deferrals"
    ))
    .bind(ws)
    .bind(id)
    .bind(refusals)
    .bind(words)
    .rows(tx)
    .await?;
    query(sql!(
        "UPDATE attempts SET outcome = 'not_sent', outcome_at = $3, detail = $4
         WHERE workspace_id = $1 AND action_id = $2 AND (outcome IS NULL OR outcome <> 'not_sent') AND outcome = 'sent'"
    ))
    .bind(ws)
    .bind(id)
    .bind(now)
    .bind(words)
    .later(tx);
    taken.first().map(|row| row.int("deferrals")).transpose()
}

/// How a turn of an action ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub action_id: ActionId,
    pub state: ActionState,
    /// Soft refusals so far (SAF-4).
    pub deferrals: i64,
    pub error: Option<String>,
    /// The attempt of this turn, and what became of it; None: it has none, or one that was denied.
    pub attempt: Option<(AttemptId, Outcome)>,
    /// The server's words.
    pub detail: Option<String>,
}

/// Notes that an attempt sent nothing, where it stands in the database. Its outcome is this alone:
/// another attempt of the same action keeps its own.
pub async fn deny_attempt(tx: &mut Tx, id: AttemptId, detail: &str, now: Timestamp) -> Result<()> {
    query(sql!(
        "UPDATE attempts SET outcome = 'not_sent', outcome_at = $2, detail = $3 WHERE id = $1 AND outcome IS NULL"
    ))
    .bind(id)
    .bind(now)
    .bind(detail)
    .later(tx);
    Ok(())
}

/// Writes how turns ended: what became of the attempt of each, and of its action. An attempt that
/// was settled meanwhile keeps its outcome, and so does its action. A turn that has sent nothing
/// leaves an action alone in which the attempt of another may have (SAFE-3), and one that was
/// cancelled meanwhile. The actions that it wrote.
pub async fn end(tx: &mut Tx, ended: &[Ended], now: Timestamp) -> Result<HashSet<ActionId>> {
    let attempted: Vec<_> = ended
        .iter()
        .filter_map(|end| Some((end, end.attempt?)))
        .map(|(end, (id, outcome))| row! { v: id, outcome: outcome, detail: &end.detail })
        .collect();
    let mut told: HashSet<AttemptId> = HashSet::new();
    if !attempted.is_empty() {
        told = query(sql!(
            "UPDATE attempts SET outcome = r.value->>'outcome', outcome_at = $2, detail = r.value->>'detail'
             FROM {rows $1} WHERE attempts.id = r.value->>'v' AND (attempts.outcome IS NULL OR attempts.outcome = 'ambiguous')
             RETURNING attempts.id"
        ))
        .bind_json(&attempted)
        .bind(now)
        .rows(tx)
        .await?
        .iter()
        .map(|row| row.id("id"))
        .collect::<Result<_>>()?;
    }
    let rows: Vec<_> = ended
        .iter()
        .filter(|end| end.attempt.is_none_or(|(id, _)| told.contains(&id)))
        .map(|end| {
            row! {
                v: end.action_id,
                state: end.state,
                deferrals: end.deferrals,
                error: &end.error,
                attempt: end.attempt.map(|(id, _)| id),
            }
        })
        .collect();
    if rows.is_empty() {
        return Ok(HashSet::new());
    }
    query(sql!(
        "UPDATE actions SET state = r.value->>'state', deferrals = CAST(r.value->>'deferrals' AS BIGINT), last_error = r.value->>'error',
             done_at = CASE WHEN r.value->>'state' = 'done' THEN CAST($2 AS BIGINT) END
         FROM {rows $1} WHERE actions.id = r.value->>'v'
           AND (actions.state IN ('handed_out', 'retrying', 'ambiguous') OR r.value->>'state' = 'done'
                OR (r.value->>'state' = 'ambiguous' AND actions.state = 'cancelled'))
           AND (r.value->>'attempt' IS NOT NULL OR NOT EXISTS (
                SELECT 1 FROM attempts t WHERE t.action_id = actions.id AND (t.outcome IS NULL OR t.outcome <> 'not_sent')))
         RETURNING actions.id"
    ))
    .bind_json(&rows)
    .bind(now)
    .rows(tx)
    .await?
    .iter()
    .map(|row| row.id("id"))
    .collect()
}

/// How many steps were handed out to an account since a moment and went out (CAP-3).
pub async fn count_done_since(
    on: &mut impl Read,
    ws: WorkspaceId,
    account: AccountId,
    since: Timestamp,
) -> Result<i64> {
    query(sql!(
        "SELECT COUNT(*) AS n FROM actions
         WHERE workspace_id = $1 AND handed_out_at >= $3 AND kind <> 'wait_accept' AND account_id = $2 AND done_at IS NOT NULL"
    ))
    .bind(ws)
    .bind(account)
    .bind(since)
    .number(on)
    .await
}
