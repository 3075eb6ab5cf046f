//! Status changes (SAFE-4). Whoever writes a status writes its row here first, in the same
//! transaction; the database refuses the status otherwise.

use overture_domain::{AuditId, WorkspaceId, people::Audit};

use crate::{
    Read, Record, Result, Row, Tx,
    query::{query, sql},
};

impl Record for Audit {
    const TABLE: &'static str = "audit";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            workspace_id: row.id("workspace_id")?,
            subject_kind: row.text("subject_kind")?,
            subject_id: row.text("subject_id")?,
            from_status: row.opt_text("from_status")?,
            to_status: row.text("to_status")?,
            reason: row.text("reason")?,
            actor: row.text("actor")?,
            at: row.time("at")?,
        })
    }
}

/// Writes the row that allows a status change.
pub(crate) async fn insert(tx: &mut Tx, audit: &Audit) -> Result<AuditId> {
    query(sql!(
        "INSERT INTO audit (id, workspace_id, subject_kind, subject_id, from_status, to_status, reason, actor, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
    ))
    .bind(audit.id)
    .bind(audit.workspace_id)
    .bind(&audit.subject_kind)
    .bind(&audit.subject_id)
    .bind(audit.from_status.clone())
    .bind(&audit.to_status)
    .bind(&audit.reason)
    .bind(&audit.actor)
    .bind(audit.at)
    .execute(tx)
    .await?;
    Ok(audit.id)
}

/// The status changes of one campaign or account, oldest first.
pub async fn list(on: &mut impl Read, ws: WorkspaceId, subject_id: &str) -> Result<Vec<Audit>> {
    query(sql!(
        "SELECT id, workspace_id, subject_kind, subject_id, from_status, to_status, reason, actor, at
         FROM audit WHERE workspace_id = $1 AND subject_kind IN ('campaign', 'account') AND subject_id = $2
         ORDER BY at, id"
    ))
    .bind(ws)
    .bind(subject_id)
    .all(on)
    .await
}
