//! Steps that are done: what they leave behind, a statement a kind for all of a group, of whatever
//! workspaces.

use overture_domain::{
    EnrollmentId, Timestamp, WorkspaceId,
    campaigns::StepKind,
    enrollments::{Enrollment, JobState},
};

use crate::{
    Record, Result, Row, Tx, enrollments,
    query::{query, row, sql},
};

/// A step that went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    pub workspace_id: WorkspaceId,
    pub enrollment_id: EnrollmentId,
    pub step_index: i64,
}

/// An enrollment that has gone on.
#[derive(Clone, Debug, PartialEq)]
pub struct GoneOn {
    pub enrollment: Enrollment,
    /// The step at which it stands now, and its delay in minutes. None: its sequence is through,
    /// and it is completed.
    pub next: Option<(StepKind, i64)>,
}

impl Record for GoneOn {
    const TABLE: &'static str = Enrollment::TABLE;

    fn from_row(row: &Row) -> Result<Self> {
        let next = match row.opt_parsed("next_kind")? {
            Some(kind) => Some((kind, row.int("next_delay")?)),
            None => None,
        };
        Ok(Self {
            enrollment: Enrollment::from_row(row)?,
            next,
        })
    }
}

/// One further, where the enrollment still stands at the step that is done.
macro_rules! next_index {
    () => {
        "enrollments.step_index + CASE WHEN enrollments.step_index = CAST(r.value->>'step' AS BIGINT) THEN 1 ELSE 0 END"
    };
}

macro_rules! has_next {
    () => {
        concat!(
            "EXISTS (SELECT 1 FROM steps s WHERE s.campaign_id = enrollments.campaign_id AND s.step_index = ",
            next_index!(),
            ")"
        )
    };
}

/// Steps went out. Their live jobs end, whoever has them: a send that lost its lease and went out
/// all the same leaves no second turn behind (SAFE-3). Their enrollments stand at the next step,
/// unplanned, or are completed where there is none; those that are over or parked stay as they are,
/// and are left out of the answer. Of several for one enrollment, all are at the same step.
pub async fn write(tx: &mut Tx, done: &[Done], now: Timestamp) -> Result<Vec<GoneOn>> {
    if done.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<_> = done
        .iter()
        .map(|done| {
            row! {
                ws: done.workspace_id,
                v: done.enrollment_id,
                step: done.step_index,
            }
        })
        .collect();
    enrollments::end_jobs(tx, &rows, JobState::Completed, now).await?;
    let gone_on: Vec<GoneOn> = query(sql!(concat!(
        "UPDATE enrollments SET next_action_at = NULL, updated_at = $2,
             step_index = ", next_index!(), ",
             state = CASE WHEN ", has_next!(), " THEN 'active' ELSE 'completed' END,
             reason = CASE WHEN ", has_next!(), " THEN '' ELSE 'the sequence is through' END,
             finished_at = CASE WHEN ", has_next!(), " THEN NULL ELSE CAST($2 AS BIGINT) END
         FROM {rows $1} WHERE enrollments.workspace_id = r.value->>'ws' AND enrollments.id = r.value->>'v'
           AND enrollments.state IN ('queued', 'active', 'waiting', 'ambiguous_send')
         RETURNING enrollments.id, enrollments.workspace_id, enrollments.campaign_id, enrollments.prospect_id, enrollments.account_id,
             enrollments.state, enrollments.reason, enrollments.step_index, enrollments.next_action_at, enrollments.not_before,
             enrollments.label, enrollments.created_at, enrollments.updated_at, enrollments.finished_at,
             (SELECT s.kind FROM steps s WHERE s.campaign_id = enrollments.campaign_id AND s.step_index = enrollments.step_index) AS next_kind,
             (SELECT s.delay_minutes FROM steps s WHERE s.campaign_id = enrollments.campaign_id AND s.step_index = enrollments.step_index) AS next_delay"
    )))
    .bind_json(&rows)
    .bind(now)
    .all(tx)
    .await?;
    let through = gone_on.iter().filter(|gone_on| gone_on.next.is_none());
    enrollments::cancel_actions(tx, through.map(|gone_on| &gone_on.enrollment)).await?;
    Ok(gone_on)
}
