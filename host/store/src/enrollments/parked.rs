//! Enrollments that are held, and go on.

use overture_domain::{
    CampaignId, EnrollmentId, ProspectId, Timestamp, WorkspaceId,
    enrollments::{Enrollment, EnrollmentState, JobState},
};
use serde_json::json;

use crate::{
    Read, Result, Tx,
    query::{Query, query, sql},
};

use super::ends::end_jobs;

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
    end_jobs(tx, &rows, JobState::Expired, now).await?;
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
    .later(tx);
    end_jobs(tx, &rows, JobState::Expired, now).await
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
         WHERE workspace_id = $1 AND kind = 'send_step' AND subject_id = $2 AND state IN ('pending', 'processing') AND state = 'pending' AND run_at < $3"
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
        .later(tx);
    }
    Ok(held == 1)
}

fn resuming(ws: WorkspaceId, from: EnrollmentState, now: Timestamp) -> Query {
    query(sql!(RESUME))
        .bind(from.name())
        .bind(now)
        .push_bind(" AND workspace_id = ", ws)
}

const RESUME: &str = "UPDATE enrollments SET state = 'active', reason = '', next_action_at = NULL, updated_at = $2 WHERE state = $1";

const RESUMED: &str = " RETURNING id, workspace_id, campaign_id, prospect_id, account_id, state, reason, step_index, next_action_at, not_before, label, created_at, updated_at, finished_at";

/// Lets parked enrollments of a campaign act again, for instance after a template was mended
/// (TPL-4). Their next step is planned by the part `campaigns`. Those that changed.
pub async fn resume_campaign(
    tx: &mut Tx,
    ws: WorkspaceId,
    campaign: CampaignId,
    from: EnrollmentState,
    now: Timestamp,
) -> Result<Vec<Enrollment>> {
    resuming(ws, from, now)
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
    resuming(ws, from, now)
        .push_among(" AND id ", ids)
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
    resuming(ws, from, now)
        .push_among(" AND prospect_id ", prospects)
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
