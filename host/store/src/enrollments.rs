//! Prospects on their way through campaigns: where they stand, and how their way ends.
//!
//! When the next step runs stands in [`jobs`](crate::jobs), together with the job (SCH-3).
//!
//! In set-based writes the workspace travels with each row: SQLite then looks every row up by its
//! id, where with the workspace as a parameter of its own it would go through the whole workspace.

mod read;

pub use read::{
    Filter, Standing, among, count_by_state, custom_fields, find, last_mails, list, list_at_domain,
    list_by_ids, list_by_prospects, list_next_of_account, list_next_of_campaign, standing,
};

use overture_domain::{
    AccountId, CampaignId, EnrollmentId, ProspectId, Timestamp, WorkspaceId,
    enrollments::{Enrollment, EnrollmentState},
    messages::Label,
    prospects::{Prospect, email_domain, email_key},
};
use serde_json::json;

use crate::{
    Read, Record, Result, Row, Tx,
    query::{query, sql},
};

/// Whoever waits in a lane without room acts when there is some, and waits for that reason.
const COLUMNS: &str = "SELECT e.id, e.workspace_id, e.campaign_id, e.prospect_id, e.account_id, e.state, e.step_index, e.not_before, e.label, e.created_at, e.updated_at, e.finished_at,
    CASE WHEN l.room_at > e.next_action_at THEN l.reason ELSE e.reason END AS reason,
    CASE WHEN l.room_at > e.next_action_at THEN l.room_at ELSE e.next_action_at END AS next_action_at
    FROM enrollments e
    LEFT JOIN jobs j ON j.kind = 'send_step' AND j.subject_id = e.id AND j.state IN ('pending', 'processing')
    LEFT JOIN lanes l ON l.id = j.lane
    WHERE e.workspace_id = $1";

impl Record for Enrollment {
    const TABLE: &'static str = "enrollments";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            workspace_id: row.id("workspace_id")?,
            campaign_id: row.id("campaign_id")?,
            prospect_id: row.id("prospect_id")?,
            account_id: row.opt_id("account_id")?,
            state: row.parsed("state")?,
            reason: row.text("reason")?,
            step_index: row.int("step_index")?,
            next_action_at: row.opt_time("next_action_at")?,
            not_before: row.opt_time("not_before")?,
            label: row.opt_parsed("label")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            finished_at: row.opt_time("finished_at")?,
        })
    }
}

fn values<T: serde::Serialize>(ids: &[T]) -> Vec<serde_json::Value> {
    ids.iter().map(|id| json!({ "v": id })).collect()
}

/// Puts prospects into a campaign (SEQ-7). Who is in it already is left out, and so is who is on
/// its way in another campaign, unless `also_active_elsewhere`. Who must not be written to enters
/// as `suppressed`. Those that were written.
pub async fn insert(
    tx: &mut Tx,
    ws: WorkspaceId,
    campaign: CampaignId,
    enrollments: &[(EnrollmentId, &Prospect)],
    also_active_elsewhere: bool,
    now: Timestamp,
) -> Result<Vec<Enrollment>> {
    let rows: Vec<_> = enrollments
        .iter()
        .map(|(id, prospect)| {
            json!({
                "ws": ws,
                "id": id,
                "prospect": prospect.id,
                "key": email_key(&prospect.email),
                "domain": email_domain(&prospect.email),
            })
        })
        .collect();
    query(sql!(
        "INSERT INTO enrollments (id, workspace_id, campaign_id, prospect_id, state, reason, step_index, created_at, updated_at, finished_at)
         SELECT q.id, $1, $2, q.prospect, CASE WHEN q.why = '' THEN 'queued' ELSE 'suppressed' END, q.why, 0, $4, $4,
                CASE WHEN q.why = '' THEN NULL ELSE CAST($4 AS BIGINT) END
         FROM (SELECT r.value->>'id' AS id, p.id AS prospect,
                   CASE WHEN p.status <> 'active' THEN 'the prospect is ' || p.status
                        WHEN EXISTS (SELECT 1 FROM suppressions s WHERE s.workspace_id = $1 AND s.kind = 'email' AND s.value_key = r.value->>'key')
                          OR EXISTS (SELECT 1 FROM suppressions s WHERE s.workspace_id = $1 AND s.kind = 'domain' AND s.value_key = r.value->>'domain')
                        THEN 'the address is suppressed' ELSE '' END AS why
               FROM {rows $3} JOIN prospects p ON p.workspace_id = r.value->>'ws' AND p.id = r.value->>'prospect'
               WHERE $5 OR NOT EXISTS (SELECT 1 FROM enrollments o WHERE o.prospect_id = p.id AND o.campaign_id <> $2
                   AND o.state IN ('queued', 'active', 'waiting', 'pending_template_fix', 'pending_template_variable_resolution',
                       'paused_account', 'unresolved_url', 'invalid_prospect', 'ambiguous_send'))) q
         WHERE TRUE
         ON CONFLICT (campaign_id, prospect_id) DO NOTHING
         RETURNING id, workspace_id, campaign_id, prospect_id, account_id, state, reason, step_index, next_action_at, not_before, label, created_at, updated_at, finished_at"
    ))
    .bind(ws)
    .bind(campaign)
    .bind_json(&rows)
    .bind(now)
    .bind(also_active_elsewhere)
    .all(tx)
    .await
}

/// Ends the way of enrollments: sets state and reason, and cancels what was planned or begun for
/// them but has not gone out. An ended one stays as it ended, with one exception: a reply, bounce
/// or unsubscribe after the last step counts more than `completed`. Those that changed.
pub async fn finish(
    tx: &mut Tx,
    ws: WorkspaceId,
    ids: &[EnrollmentId],
    state: EnrollmentState,
    reason: &str,
    now: Timestamp,
) -> Result<Vec<Enrollment>> {
    use EnrollmentState::{Bounced, Replied, Unsubscribed};
    let outranks = matches!(state, Bounced | Replied | Unsubscribed);
    let finished: Vec<Enrollment> = query(sql!(
        "UPDATE enrollments SET state = $3, reason = $4, next_action_at = NULL, finished_at = $5, updated_at = $5
         WHERE workspace_id = $1 AND id IN (SELECT r.value->>'v' FROM {rows $2})
           AND (state IN ('queued', 'active', 'waiting', 'pending_template_fix', 'pending_template_variable_resolution',
                   'paused_account', 'unresolved_url', 'invalid_prospect', 'ambiguous_send') OR ($6 AND state = 'completed'))
         RETURNING id, workspace_id, campaign_id, prospect_id, account_id, state, reason, step_index, next_action_at, not_before, label, created_at, updated_at, finished_at"
    ))
    .bind(ws)
    .bind_json(&values(ids))
    .bind(state.name())
    .bind(reason)
    .bind(now)
    .bind(outranks)
    .all(tx)
    .await?;
    cancel(tx, finished.iter(), now).await?;
    Ok(finished)
}

/// Ends all enrollments of prospects that are not over, in all campaigns (SUP-1, SEQ-3).
pub async fn finish_by_prospects(
    tx: &mut Tx,
    ws: WorkspaceId,
    prospects: &[ProspectId],
    state: EnrollmentState,
    reason: &str,
    now: Timestamp,
) -> Result<Vec<Enrollment>> {
    let ids: Vec<_> = list_by_prospects(tx, ws, prospects)
        .await?
        .into_iter()
        .filter(|enrollment| enrollment.state.is_open() || enrollment.state.is_parked())
        .map(|enrollment| enrollment.id)
        .collect();
    finish(tx, ws, &ids, state, reason, now).await
}

/// Ends what is not over in a campaign (SEQ-11: its end date). What may have gone out waits for
/// its answer.
pub async fn finish_campaign(
    tx: &mut Tx,
    ws: WorkspaceId,
    campaign: CampaignId,
    reason: &str,
    now: Timestamp,
) -> Result<Vec<Enrollment>> {
    let ids = query(sql!(
        "SELECT id FROM enrollments WHERE workspace_id = $1 AND campaign_id = $2
           AND state IN ('queued', 'active', 'waiting', 'pending_template_fix', 'pending_template_variable_resolution',
               'paused_account', 'unresolved_url', 'invalid_prospect')"
    ))
    .bind(ws)
    .bind(campaign)
    .rows(tx)
    .await?
    .iter()
    .map(|row| row.id("id"))
    .collect::<Result<Vec<EnrollmentId>>>()?;
    finish(tx, ws, &ids, EnrollmentState::Stopped, reason, now).await
}

/// Something fixable holds them (SAFE-2): each gets its parked state and the reason, and its job
/// is over until it is resumed.
pub async fn park(
    tx: &mut Tx,
    ws: WorkspaceId,
    parked: &[(EnrollmentId, EnrollmentState, String)],
    now: Timestamp,
) -> Result<u64> {
    if parked.is_empty() {
        return Ok(0);
    }
    let rows: Vec<_> = parked
        .iter()
        .map(|(id, state, reason)| json!({"ws": ws, "v": id, "state": state, "reason": reason}))
        .collect();
    let n = query(sql!(
        "UPDATE enrollments SET state = r.value->>'state', reason = r.value->>'reason', next_action_at = NULL, updated_at = $2
         FROM {rows $1} WHERE enrollments.workspace_id = r.value->>'ws' AND enrollments.id = r.value->>'v'
           AND enrollments.state IN ('queued', 'active', 'waiting')"
    ))
    .bind_json(&rows)
    .bind(now)
    .execute(tx)
    .await?;
    expire_jobs(tx, &rows, now).await?;
    Ok(n)
}

/// Takes the plan from open enrollments, for instance of a paused campaign: their next step is
/// planned anew when they may act again.
pub async fn unplan(
    tx: &mut Tx,
    ws: WorkspaceId,
    unplanned: &[(EnrollmentId, String)],
    now: Timestamp,
) -> Result<()> {
    if unplanned.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = unplanned
        .iter()
        .map(|(id, reason)| json!({"ws": ws, "v": id, "reason": reason}))
        .collect();
    query(sql!(
        "UPDATE enrollments SET reason = r.value->>'reason', next_action_at = NULL, updated_at = $2
         FROM {rows $1} WHERE enrollments.workspace_id = r.value->>'ws' AND enrollments.id = r.value->>'v'
           AND enrollments.state IN ('queued', 'active', 'waiting')"
    ))
    .bind_json(&rows)
    .bind(now)
    .execute(tx)
    .await?;
    expire_jobs(tx, &rows, now).await
}

/// The person is away: no step before `until` (CLS-2). A step that was to run earlier is planned
/// anew by the part `campaigns`; one that runs later stays where it is (SAFE-1). Only enrollments
/// that are not over. Whether it was one.
pub async fn hold(
    tx: &mut Tx,
    ws: WorkspaceId,
    id: EnrollmentId,
    until: Timestamp,
    reason: &str,
    now: Timestamp,
) -> Result<bool> {
    let held = query(sql!(
        "UPDATE enrollments SET not_before = CASE WHEN not_before > $3 THEN not_before ELSE $3 END, updated_at = $4
         WHERE workspace_id = $1 AND id = $2
           AND state IN ('queued', 'active', 'waiting', 'pending_template_fix', 'pending_template_variable_resolution',
               'paused_account', 'unresolved_url', 'invalid_prospect', 'ambiguous_send')"
    ))
    .bind(ws)
    .bind(id)
    .bind(until)
    .bind(now)
    .execute(tx)
    .await?;
    let moved = query(sql!(
        "UPDATE jobs SET state = 'expired', finished_at = $4
         WHERE workspace_id = $1 AND kind = 'send_step' AND subject_id = $2 AND state = 'pending' AND run_at < $3"
    ))
    .bind(ws)
    .bind(id)
    .bind(until)
    .bind(now)
    .execute(tx)
    .await?;
    if moved > 0 {
        query(sql!(
            "UPDATE enrollments SET next_action_at = NULL, reason = $3 WHERE workspace_id = $1 AND id = $2"
        ))
        .bind(ws)
        .bind(id)
        .bind(reason)
        .execute(tx)
        .await?;
    }
    Ok(held == 1)
}

/// Cancels what was planned or begun and has not gone out: live jobs, and actions without an
/// attempt that may have been taken.
/// Lets an enrollment that ended in `from` act again, also the step that was begun and cancelled
/// when it ended; its next step is planned by the part `campaigns`. None where it is elsewhere.
pub async fn reopen(
    tx: &mut Tx,
    ws: WorkspaceId,
    id: EnrollmentId,
    from: EnrollmentState,
    now: Timestamp,
) -> Result<Option<Enrollment>> {
    let opened: Option<Enrollment> = query(sql!(
        "UPDATE enrollments SET state = 'active', reason = '', next_action_at = NULL, finished_at = NULL, updated_at = $4
         WHERE workspace_id = $1 AND id = $2 AND state = $3
         RETURNING id, workspace_id, campaign_id, prospect_id, account_id, state, reason, step_index, next_action_at, not_before, label, created_at, updated_at, finished_at"
    ))
    .bind(ws)
    .bind(id)
    .bind(from.name())
    .bind(now)
    .optional(tx)
    .await?;
    if opened.is_some() {
        query(sql!(
            "UPDATE actions SET state = 'retrying' WHERE workspace_id = $1 AND enrollment_id = $2 AND state = 'cancelled'
               AND NOT EXISTS (SELECT 1 FROM attempts t WHERE t.action_id = actions.id AND (t.outcome IS NULL OR t.outcome <> 'not_sent'))"
        ))
        .bind(ws)
        .bind(id)
        .execute(tx)
        .await?;
    }
    Ok(opened)
}

/// Takes back what has not gone out of enrollments that are over.
pub(crate) async fn cancel(
    tx: &mut Tx,
    over: impl Iterator<Item = &Enrollment>,
    now: Timestamp,
) -> Result<()> {
    let over: Vec<&Enrollment> = over.collect();
    if over.is_empty() {
        return Ok(());
    }
    expire_jobs(tx, &rows_of(&over), now).await?;
    cancel_actions(tx, over.into_iter()).await
}

fn rows_of(over: &[&Enrollment]) -> Vec<serde_json::Value> {
    let row = |over: &&Enrollment| json!({"ws": over.workspace_id, "v": over.id});
    over.iter().map(row).collect()
}

/// The same of those whose live jobs have ended.
pub(crate) async fn cancel_actions(
    tx: &mut Tx,
    over: impl Iterator<Item = &Enrollment>,
) -> Result<()> {
    let over: Vec<&Enrollment> = over.collect();
    if over.is_empty() {
        return Ok(());
    }
    query(sql!(
        "UPDATE actions SET state = 'cancelled'
         WHERE enrollment_id IN (SELECT e.id FROM {rows $1} CROSS JOIN enrollments e WHERE e.id = r.value->>'v' AND e.workspace_id = r.value->>'ws')
           AND state IN ('handed_out', 'retrying')
           AND NOT EXISTS (SELECT 1 FROM attempts t WHERE t.action_id = actions.id AND (t.outcome IS NULL OR t.outcome <> 'not_sent'))"
    ))
    .bind_json(&rows_of(&over))
    .execute(tx)
    .await?;
    Ok(())
}

/// Ends the live jobs of enrollments `v` of workspaces `ws`.
async fn expire_jobs(tx: &mut Tx, rows: &[serde_json::Value], now: Timestamp) -> Result<()> {
    query(sql!(
        "UPDATE jobs SET state = 'expired', host_id = NULL, leased_at = NULL, finished_at = $2
         WHERE kind = 'send_step' AND state IN ('pending', 'processing')
           AND subject_id IN (SELECT e.id FROM {rows $1} CROSS JOIN enrollments e WHERE e.id = r.value->>'v' AND e.workspace_id = r.value->>'ws')"
    ))
    .bind_json(&rows)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

/// Lets parked enrollments of a campaign act again, for instance after a template was mended
/// (TPL-4). Their next step is planned by the part `campaigns`. Those that changed.
pub async fn resume_campaign(
    tx: &mut Tx,
    ws: WorkspaceId,
    campaign: CampaignId,
    from: EnrollmentState,
    now: Timestamp,
) -> Result<Vec<Enrollment>> {
    query(sql!(RESUME))
        .bind(from.name())
        .bind(now)
        .push_bind(" AND workspace_id = ", ws)
        .push_bind(" AND campaign_id = ", campaign)
        .push(RESUMED)
        .all(tx)
        .await
}

/// The same for single enrollments.
pub async fn resume(
    tx: &mut Tx,
    ws: WorkspaceId,
    ids: &[EnrollmentId],
    from: EnrollmentState,
    now: Timestamp,
) -> Result<Vec<Enrollment>> {
    query(sql!(RESUME))
        .bind(from.name())
        .bind(now)
        .push_bind(" AND workspace_id = ", ws)
        .push_bind(
            " AND id IN (SELECT r.value->>'v' FROM {rows ",
            json!(values(ids)),
        )
        .push("})")
        .push(RESUMED)
        .all(tx)
        .await
}

/// The same for the enrollments of prospects whose data has changed (TPL-4).
pub async fn resume_prospects(
    tx: &mut Tx,
    ws: WorkspaceId,
    prospects: &[ProspectId],
    from: EnrollmentState,
    now: Timestamp,
) -> Result<Vec<Enrollment>> {
    query(sql!(RESUME))
        .bind(from.name())
        .bind(now)
        .push_bind(" AND workspace_id = ", ws)
        .push_bind(
            " AND prospect_id IN (SELECT r.value->>'v' FROM {rows ",
            json!(values(prospects)),
        )
        .push("})")
        .push(RESUMED)
        .all(tx)
        .await
}

/// The same in all workspaces for those whose account is connected again (MB-3).
pub async fn resume_with_accounts(tx: &mut Tx, now: Timestamp) -> Result<Vec<Enrollment>> {
    query(sql!(RESUME))
        .bind(EnrollmentState::PausedAccount.name())
        .bind(now)
        // The text that the partial index knows.
        .push(" AND state = 'paused_account' AND account_id IN (SELECT a.id FROM sending_accounts a WHERE a.status = 'connected' AND a.deleted_at IS NULL)")
        .push(RESUMED)
        .all(tx)
        .await
}

/// Whether anybody waits for an account that is connected again.
pub async fn has_returned(on: &mut impl Read) -> Result<bool> {
    // From the few who wait, not from all accounts.
    let rows = query(sql!(
        "SELECT e.id FROM enrollments e CROSS JOIN sending_accounts a
         WHERE e.state = 'paused_account' AND a.id = e.account_id AND a.status = 'connected' AND a.deleted_at IS NULL LIMIT 1"
    ))
    .rows(on)
    .await?;
    Ok(!rows.is_empty())
}

const RESUME: &str = "UPDATE enrollments SET state = 'active', reason = '', next_action_at = NULL, updated_at = $2 WHERE state = $1";
const RESUMED: &str = " RETURNING id, workspace_id, campaign_id, prospect_id, account_id, state, reason, step_index, next_action_at, not_before, label, created_at, updated_at, finished_at";

/// Sets what the last reply of an enrollment was judged to be (CLS-1).
pub async fn set_label(tx: &mut Tx, ws: WorkspaceId, id: EnrollmentId, label: Label) -> Result<()> {
    query(sql!(
        "UPDATE enrollments SET label = $3 WHERE workspace_id = $1 AND id = $2"
    ))
    .bind(ws)
    .bind(id)
    .bind(label.name())
    .execute(tx)
    .await?;
    Ok(())
}

/// Marks enrollments as acting, each with the account that its mails go out from (ROT-1).
pub async fn set_acting(
    tx: &mut Tx,
    ws: WorkspaceId,
    acting: &[(EnrollmentId, AccountId)],
    now: Timestamp,
) -> Result<()> {
    if acting.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = acting
        .iter()
        .map(|(id, account)| json!({"ws": ws, "v": id, "account": account}))
        .collect();
    query(sql!(
        "UPDATE enrollments SET state = 'active', reason = '', account_id = r.value->>'account', updated_at = $2
         FROM {rows $1} WHERE enrollments.workspace_id = r.value->>'ws' AND enrollments.id = r.value->>'v'
           AND enrollments.state IN ('queued', 'active', 'waiting')"
    ))
    .bind_json(&rows)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

/// Something else than time brings the next step of an open enrollment on (SEQ-5).
pub async fn set_waiting(
    tx: &mut Tx,
    ws: WorkspaceId,
    id: EnrollmentId,
    now: Timestamp,
) -> Result<()> {
    query(sql!(
        "UPDATE enrollments SET state = 'waiting', updated_at = $3 WHERE workspace_id = $1 AND id = $2 AND state IN ('queued', 'active')"
    ))
    .bind(ws)
    .bind(id)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

/// A step of these enrollments is done: whoever stands at its place moves on to the next, which is
/// to be planned. Those that are over stay; those that an edit has moved elsewhere meanwhile
/// (SEQ-8) are planned anew from there.
pub async fn advance(
    tx: &mut Tx,
    ws: WorkspaceId,
    done: &[(EnrollmentId, i64)],
    now: Timestamp,
) -> Result<()> {
    if done.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = done
        .iter()
        .map(|(id, step)| json!({"ws": ws, "v": id, "step": step}))
        .collect();
    query(sql!(
        "UPDATE enrollments SET state = 'active', next_action_at = NULL, reason = '', updated_at = $2,
             step_index = enrollments.step_index + CASE WHEN enrollments.step_index = CAST(r.value->>'step' AS BIGINT) THEN 1 ELSE 0 END
         FROM {rows $1} WHERE enrollments.workspace_id = r.value->>'ws' AND enrollments.id = r.value->>'v'
           AND enrollments.state IN ('queued', 'active', 'waiting', 'ambiguous_send')"
    ))
    .bind_json(&rows)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

/// The last step of an enrollment has to go out again, because its mail came back: the enrollment
/// stands at it once more, unplanned, also when it was through. False where it is not at the step
/// behind, is over in another way, or a host works on that step: then nothing changes.
pub async fn step_back(
    tx: &mut Tx,
    ws: WorkspaceId,
    id: EnrollmentId,
    step_index: i64,
    now: Timestamp,
) -> Result<bool> {
    // Whoever claims the job waits for this transaction, or was here first.
    let planned = query(sql!(
        "UPDATE jobs SET state = 'expired', finished_at = $3
         WHERE workspace_id = $1 AND kind = 'send_step' AND subject_id = $2 AND state = 'pending'"
    ))
    .bind(ws)
    .bind(id)
    .bind(now)
    .execute(tx)
    .await?;
    let back = query(sql!(
        "UPDATE enrollments SET state = 'active', step_index = $3, next_action_at = NULL, reason = '', finished_at = NULL, updated_at = $4
         WHERE workspace_id = $1 AND id = $2 AND step_index = $3 + 1 AND state IN ('queued', 'active', 'waiting', 'completed')
           AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.kind = 'send_step' AND j.subject_id = enrollments.id AND j.state = 'processing')"
    ))
    .bind(ws)
    .bind(id)
    .bind(step_index)
    .bind(now)
    .execute(tx)
    .await?;
    if planned > 0 && back == 0 {
        query(sql!(
            "UPDATE enrollments SET next_action_at = NULL WHERE workspace_id = $1 AND id = $2"
        ))
        .bind(ws)
        .bind(id)
        .execute(tx)
        .await?;
    }
    Ok(back == 1)
}

/// Takes a deleted account from the enrollments that it sent for: they go on from another, an
/// hour later (MB-5). Call it in the transaction that deletes the account. How many.
pub async fn leave_account(
    tx: &mut Tx,
    ws: WorkspaceId,
    account: AccountId,
    now: Timestamp,
) -> Result<u64> {
    query(sql!(
        "UPDATE jobs SET run_at = CASE WHEN run_at > $3 THEN run_at ELSE $3 END + 3600000000, lane = NULL
         WHERE workspace_id = $1 AND kind = 'send_step' AND state = 'pending'
           AND subject_id IN (SELECT e.id FROM enrollments e WHERE e.workspace_id = $1 AND e.account_id = $2
               AND e.state IN ('queued', 'active', 'waiting'))"
    ))
    .bind(ws)
    .bind(account)
    .bind(now)
    .execute(tx)
    .await?;
    query(sql!(
        "UPDATE enrollments SET account_id = NULL, updated_at = $3,
             state = CASE WHEN state = 'paused_account' THEN 'active' ELSE state END,
             reason = CASE WHEN state = 'paused_account' THEN '' ELSE reason END,
             next_action_at = (SELECT j.run_at FROM jobs j WHERE j.kind = 'send_step' AND j.subject_id = enrollments.id AND j.state IN ('pending', 'processing'))
         WHERE workspace_id = $1 AND account_id = $2 AND state IN ('queued', 'active', 'waiting', 'paused_account')"
    ))
    .bind(ws)
    .bind(account)
    .bind(now)
    .execute(tx)
    .await
}
