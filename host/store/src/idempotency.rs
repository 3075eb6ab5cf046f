//! What POST requests with an `Idempotency-Key` were answered (API-3).

use overture_domain::{Timestamp, WorkspaceId};

use crate::{
    Read, Record, Result, Row, Tx,
    query::{query, sql},
};

/// A request that carried a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The digest of method, path, query and body.
    pub request: String,
    /// Status and sealed body of its answer; none while it is under way, or when it was cut off.
    pub answer: Option<(u16, String)>,
    pub created_at: Timestamp,
}

impl Record for Request {
    const TABLE: &'static str = "idempotency_keys";

    fn from_row(row: &Row) -> Result<Self> {
        let status = row.opt_int("status")?;
        let status = status.and_then(|status| u16::try_from(status).ok());
        Ok(Self {
            request: row.text("request")?,
            answer: status.zip(row.opt_text("answer")?),
            created_at: row.time("created_at")?,
        })
    }
}

/// Takes a key for a request; false when the workspace has used it before.
pub async fn take(
    tx: &mut Tx,
    ws: WorkspaceId,
    key: &str,
    request: &str,
    at: Timestamp,
) -> Result<bool> {
    let n = query(sql!(
        "INSERT INTO idempotency_keys (workspace_id, key, request, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (workspace_id, key) DO NOTHING"
    ))
    .bind(ws)
    .bind(key)
    .bind(request)
    .bind(at)
    .execute(tx)
    .await?;
    Ok(n == 1)
}

/// The request that took a key.
pub async fn find(on: &mut impl Read, ws: WorkspaceId, key: &str) -> Result<Option<Request>> {
    query(sql!(
        "SELECT request, status, answer, created_at FROM idempotency_keys WHERE workspace_id = $1 AND key = $2"
    ))
    .bind(ws)
    .bind(key)
    .optional(on)
    .await
}

/// Keeps the answer of the request that took the key.
pub async fn answer(
    tx: &mut Tx,
    ws: WorkspaceId,
    key: &str,
    status: u16,
    answer: &str,
) -> Result<()> {
    query(sql!(
        "UPDATE idempotency_keys SET status = $3, answer = $4 WHERE workspace_id = $1 AND key = $2"
    ))
    .bind(ws)
    .bind(key)
    .bind(i64::from(status))
    .bind(answer)
    .execute(tx)
    .await?;
    Ok(())
}

/// Gives a key back: its request changed nothing.
pub async fn give_back(tx: &mut Tx, ws: WorkspaceId, key: &str) -> Result<()> {
    query(sql!(
        "DELETE FROM idempotency_keys WHERE workspace_id = $1 AND key = $2"
    ))
    .bind(ws)
    .bind(key)
    .execute(tx)
    .await?;
    Ok(())
}

/// Forgets the keys that were taken before a moment, of all workspaces.
pub async fn forget(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    query(sql!("DELETE FROM idempotency_keys WHERE created_at < $1"))
        .bind(before)
        .execute(tx)
        .await
}
