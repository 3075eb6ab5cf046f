//! Prospects on their way through campaigns: where they stand, and how their way ends.
//!
//! When the next step runs stands in [`jobs`](crate::jobs), together with the job (SCH-3).
//!
//! In set-based writes the workspace travels with each row: SQLite then looks every row up by its
//! id, where with the workspace as a parameter of its own it would go through the whole workspace.

mod ends;
mod parked;
mod read;

pub(crate) use ends::{cancel_actions, end_jobs};
pub use ends::{finish, finish_by_prospects, finish_campaign, reopen};
pub use parked::{
    has_returned, hold, park, resume, resume_campaign, resume_prospects, resume_with_accounts,
    unplan,
};
pub use read::{
    Filter, Standing, among, count_by_state, custom_fields, find, last_mails, list, list_at_domain,
    list_by_ids, list_by_prospects, list_next_of_account, list_next_of_campaign, standing,
};

use overture_domain::{
    AccountId, CampaignId, EnrollmentId, Timestamp, WorkspaceId,
    enrollments::Enrollment,
    messages::Label,
    prospects::{Prospect, email_domain, email_key},
};

use crate::{
    Record, Result, Row, Tx,
    query::{query, row, sql},
};

/// Whoever waits in a lane without room acts when there is some, and waits for that reason.
macro_rules! select {
    ($from:literal, $condition:literal) => {
        concat!(
            "SELECT e.id, e.workspace_id, e.campaign_id, e.prospect_id, e.account_id, e.state, e.step_index, e.not_before, e.label, e.created_at, e.updated_at, e.finished_at,
    CASE WHEN l.room_at > e.next_action_at THEN l.reason ELSE e.reason END AS reason,
    CASE WHEN l.room_at > e.next_action_at THEN l.room_at ELSE e.next_action_at END AS next_action_at
    FROM ",
            $from,
            " LEFT JOIN jobs j ON j.kind = 'send_step' AND j.subject_id = e.id AND j.state IN ('pending', 'processing')
    LEFT JOIN lanes l ON l.id = j.lane
    WHERE ",
            $condition
        )
    };
}
const COLUMNS: &str = select!("enrollments e", "e.workspace_id = $1");
const BY_PROSPECT: &str = select!(
    "{rows $1} CROSS JOIN enrollments e",
    "e.prospect_id = r.value->>'v' AND {also e.workspace_id = r.value->>'ws'} ORDER BY e.id"
);
const BY_ID: &str = select!(
    "{rows $1} CROSS JOIN enrollments e",
    "e.id = r.value->>'v' AND e.workspace_id = r.value->>'ws'"
);

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
            row! {
                ws: ws,
                id: id,
                prospect: prospect.id,
                key: email_key(&prospect.email),
                domain: email_domain(&prospect.email),
            }
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

/// Sets what the last reply of an enrollment was judged to be (CLS-1).
pub async fn set_labels(
    tx: &mut Tx,
    ws: WorkspaceId,
    labels: &[(EnrollmentId, Label)],
) -> Result<()> {
    let rows: Vec<_> = labels
        .iter()
        .map(|(id, label)| row! { ws: ws, v: id, label: label.name() })
        .collect();
    query(sql!(
        "UPDATE enrollments SET label = r.value->>'label'
         FROM {rows $1} WHERE enrollments.workspace_id = r.value->>'ws' AND enrollments.id = r.value->>'v'"
    ))
    .bind_json(&rows)
    .later(tx);
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
        .map(|(id, account)| row! { ws: ws, v: id, account: account })
        .collect();
    query(sql!(
        "UPDATE enrollments SET state = 'active', reason = '', account_id = r.value->>'account', updated_at = $2
         FROM {rows $1} WHERE enrollments.workspace_id = r.value->>'ws' AND enrollments.id = r.value->>'v'
           AND enrollments.state IN ('queued', 'active', 'waiting')"
    ))
    .bind_json(&rows)
    .bind(now)
    .later(tx);
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
    .later(tx);
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
        .map(|(id, step)| row! { ws: ws, v: id, step: step })
        .collect();
    query(sql!(
        "UPDATE enrollments SET state = 'active', next_action_at = NULL, reason = '', updated_at = $2,
             step_index = enrollments.step_index + CASE WHEN enrollments.step_index = CAST(r.value->>'step' AS BIGINT) THEN 1 ELSE 0 END
         FROM {rows $1} WHERE enrollments.workspace_id = r.value->>'ws' AND enrollments.id = r.value->>'v'
           AND enrollments.state IN ('queued', 'active', 'waiting', 'ambiguous_send')"
    ))
    .bind_json(&rows)
    .bind(now)
    .later(tx);
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
         WHERE workspace_id = $1 AND kind = 'send_step' AND subject_id = $2 AND state IN ('pending', 'processing') AND state = 'pending'"
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
        .later(tx);
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
         WHERE workspace_id = $1 AND kind = 'send_step' AND state IN ('pending', 'processing') AND state = 'pending'
           AND subject_id IN (SELECT e.id FROM enrollments e WHERE e.workspace_id = $1 AND e.account_id = $2
               AND e.state IN ('queued', 'active', 'waiting'))"
    ))
    .bind(ws)
    .bind(account)
    .bind(now)
    .later(tx);
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
