//! Status changes (SAFE-4). Whoever writes a status writes its row here first, in the same
//! transaction; the database refuses the status otherwise.

use overture_domain::{AuditId, WorkspaceId, people::Audit};
use serde_json::json;

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

/// The same for a set.
pub(crate) async fn insert_all(tx: &mut Tx, rows: &[&Audit]) -> Result<()> {
    let rows: Vec<_> = rows
        .iter()
        .map(|audit| {
            json!({
                "id": audit.id,
                "ws": audit.workspace_id,
                "kind": audit.subject_kind,
                "subject": audit.subject_id,
                "from": audit.from_status,
                "to": audit.to_status,
                "reason": audit.reason,
                "actor": audit.actor,
                "at": audit.at.as_micros(),
            })
        })
        .collect();
    query(sql!(
        "INSERT INTO audit (id, workspace_id, subject_kind, subject_id, from_status, to_status, reason, actor, at)
         SELECT r.value->>'id', r.value->>'ws', r.value->>'kind', r.value->>'subject', r.value->>'from', r.value->>'to',
                r.value->>'reason', r.value->>'actor', CAST(r.value->>'at' AS BIGINT)
         FROM {rows $1}"
    ))
    .bind_json(&rows)
    .execute(tx)
    .await?;
    Ok(())
}

/// The status changes of one campaign, account or send, oldest first.
pub async fn list(on: &mut impl Read, ws: WorkspaceId, subject_id: &str) -> Result<Vec<Audit>> {
    query(sql!(
        "SELECT id, workspace_id, subject_kind, subject_id, from_status, to_status, reason, actor, at
         FROM audit WHERE workspace_id = $1 AND subject_kind IN ('campaign', 'account', 'send') AND subject_id = $2
         ORDER BY at, id"
    ))
    .bind(ws)
    .bind(subject_id)
    .all(on)
    .await
}
