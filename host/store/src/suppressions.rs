//! Addresses and domains that are never written to (SUP-1).

use std::collections::HashSet;

use overture_domain::{
    SuppressionId, WorkspaceId,
    prospects::{Suppression, SuppressionKind, email_domain, email_key},
};
use serde_json::json;

use crate::{
    Read, Record, Result, Row, Tx,
    query::{query, row, sql},
    slices::{ByAge, Slice},
};

const COLUMNS: &str = "SELECT s.id, s.workspace_id, s.kind, s.value, s.source, s.reason, s.created_at FROM suppressions s WHERE s.workspace_id = $1";

impl Record for Suppression {
    const TABLE: &'static str = "suppressions";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            workspace_id: row.id("workspace_id")?,
            kind: row.parsed("kind")?,
            value: row.text("value")?,
            source: row.parsed("source")?,
            reason: row.text("reason")?,
            created_at: row.time("created_at")?,
        })
    }
}

/// Adds suppressions; the first reason for an address stays. How many were new.
pub async fn insert(tx: &mut Tx, suppressions: &[Suppression]) -> Result<u64> {
    let rows: Vec<_> = suppressions
        .iter()
        .map(|suppression| {
            json!({
                "id": suppression.id,
                "workspace_id": suppression.workspace_id,
                "kind": suppression.kind,
                "value": suppression.value,
                "value_key": email_key(&suppression.value),
                "source": suppression.source,
                "reason": suppression.reason,
                "created_at": suppression.created_at.as_micros(),
            })
        })
        .collect();
    query(sql!(
        "INSERT INTO suppressions (id, workspace_id, kind, value, value_key, source, reason, created_at)
         SELECT r.value->>'id', r.value->>'workspace_id', r.value->>'kind', r.value->>'value', r.value->>'value_key',
                r.value->>'source', r.value->>'reason', CAST(r.value->>'created_at' AS BIGINT)
         FROM {rows $1} WHERE TRUE
         ON CONFLICT (workspace_id, kind, value_key) DO NOTHING"
    ))
    .bind_json(&rows)
    .execute(tx)
    .await
}

/// Which of these addresses are suppressed, by themselves or by their domain; as
/// [`email_key`] writes them.
pub async fn among(
    on: &mut impl Read,
    ws: WorkspaceId,
    emails: &[String],
) -> Result<HashSet<String>> {
    let rows: Vec<_> = emails
        .iter()
        .map(|email| row! { key: email_key(email), domain: email_domain(email) })
        .collect();
    query(sql!(
        "SELECT DISTINCT r.value->>'key' AS email FROM {rows $2}
         WHERE EXISTS (SELECT 1 FROM suppressions s WHERE s.workspace_id = $1 AND s.kind = 'email' AND s.value_key = r.value->>'key')
            OR EXISTS (SELECT 1 FROM suppressions s WHERE s.workspace_id = $1 AND s.kind = 'domain' AND s.value_key = r.value->>'domain')"
    ))
    .bind(ws)
    .bind_json(&rows)
    .rows(on)
    .await?
    .iter()
    .map(|row| row.text("email"))
    .collect()
}

/// A page of suppressions.
pub async fn list(
    on: &mut impl Read,
    ws: WorkspaceId,
    kind: Option<SuppressionKind>,
    slice: &Slice<ByAge>,
) -> Result<Vec<Suppression>> {
    let mut page = query(sql!(COLUMNS)).bind(ws);
    if let Some(kind) = kind {
        page = page.push_bind(" AND s.kind = ", kind.name());
    }
    page.slice("s.id", slice).all(on).await
}

/// Takes a suppression back; false when it is not there.
pub async fn delete(tx: &mut Tx, ws: WorkspaceId, id: SuppressionId) -> Result<bool> {
    let n = query(sql!(
        "DELETE FROM suppressions WHERE workspace_id = $1 AND id = $2"
    ))
    .bind(ws)
    .bind(id)
    .execute(tx)
    .await?;
    Ok(n == 1)
}
