//! How the way of enrollments ends, and begins again.

use overture_domain::{
    CampaignId, EnrollmentId, ProspectId, Timestamp, WorkspaceId,
    enrollments::{Enrollment, EnrollmentState, JobState},
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    Result, Tx,
    query::{query, sql},
};

use super::list_by_prospects;

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
         WHERE workspace_id = $1 AND id {among $2}
           AND (state IN ('queued', 'active', 'waiting', 'pending_template_fix', 'pending_template_variable_resolution',
                   'paused_account', 'unresolved_url', 'invalid_prospect', 'ambiguous_send') OR ($6 AND state = 'completed'))
         RETURNING id, workspace_id, campaign_id, prospect_id, account_id, state, reason, step_index, next_action_at, not_before, label, created_at, updated_at, finished_at"
    ))
    .bind(ws)
    .bind_ids(ids)
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
        .later(tx);
    }
    Ok(opened)
}

/// Takes back what was planned or begun for enrollments that are over and has not gone out: live
/// jobs, and actions without an attempt that may have been taken. Of one that may have, nobody else
/// would tell any more, should its process have died: it is ambiguous until its process does
/// (SAFE-3).
async fn cancel(
    tx: &mut Tx,
    over: impl Iterator<Item = &Enrollment>,
    now: Timestamp,
) -> Result<()> {
    let over: Vec<&Enrollment> = over.collect();
    if over.is_empty() {
        return Ok(());
    }
    end_jobs(tx, &rows_of(&over), JobState::Expired, now).await?;
    doubt_actions(tx, &rows_of(&over), now).await?;
    cancel_actions(tx, over.into_iter()).await
}

/// Attempts of enrollments `v` of workspaces `ws` of which nobody has told how they ended.
async fn doubt_actions(tx: &mut Tx, rows: &[Value], now: Timestamp) -> Result<()> {
    let attempted: Vec<Value> = query(sql!(
        "UPDATE attempts SET outcome = 'ambiguous', outcome_at = $2
         WHERE outcome IS NULL AND action_id IN (
             SELECT a.id FROM {rows $1} CROSS JOIN actions a
             WHERE a.enrollment_id = r.value->>'v' AND a.workspace_id = r.value->>'ws' AND a.state IN ('handed_out', 'retrying'))
         RETURNING action_id"
    ))
    .bind_json(&rows)
    .bind(now)
    .rows(tx)
    .await?
    .iter()
    .map(|row| Ok(json!({"v": row.text("action_id")?})))
    .collect::<Result<_>>()?;
    if attempted.is_empty() {
        return Ok(());
    }
    query(sql!(
        "UPDATE actions SET state = 'ambiguous', last_error = $2
         FROM {rows $1} WHERE actions.id = r.value->>'v'"
    ))
    .bind_json(&attempted)
    .bind("its way ended before it was known whether it went out")
    .later(tx);
    Ok(())
}

fn rows_of(over: &[&Enrollment]) -> Vec<Value> {
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
         FROM {rows $1} WHERE actions.enrollment_id = r.value->>'v' AND {also actions.workspace_id = r.value->>'ws'}
           AND actions.state IN ('handed_out', 'retrying')
           AND NOT EXISTS (SELECT 1 FROM attempts t WHERE t.action_id = actions.id AND (t.outcome IS NULL OR t.outcome <> 'not_sent'))"
    ))
    .bind_json(&rows_of(&over))
    .later(tx);
    Ok(())
}

/// Ends the live jobs of enrollments `v` of workspaces `ws`.
pub(crate) async fn end_jobs(
    tx: &mut Tx,
    rows: &[impl Serialize],
    state: JobState,
    now: Timestamp,
) -> Result<()> {
    query(sql!(
        "UPDATE jobs SET state = $3, host_id = NULL, leased_at = NULL, finished_at = $2
         FROM {rows $1} WHERE jobs.subject_id = r.value->>'v' AND {also jobs.workspace_id = r.value->>'ws'}
           AND jobs.kind = 'send_step' AND jobs.state IN ('pending', 'processing')"
    ))
    .bind_json(&rows)
    .bind(now)
    .bind(state.name())
    .later(tx);
    Ok(())
}
