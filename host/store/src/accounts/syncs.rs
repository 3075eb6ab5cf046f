//! When accounts are read, and how that ended (MB-8).

use overture_domain::{
    AccountId, Timestamp, WorkspaceId,
    accounts::{Account, SyncError},
};

use crate::{
    Read, Record, Result, Row, Tx,
    query::{query, sql},
};

/// Takes up to `limit` accounts whose sync is due, longest due first, and puts their next one to
/// `lease`: should this host die, another takes them then. Connected ones, and those that a
/// refused sign-in has disconnected, until it has been refused [`MAX_AUTH_FAILURES`] times in a
/// row. Accounts of a network are looked at whatever holds them: their service says when it is
/// over (LI-2, LI-12).
pub async fn claim_syncs(
    tx: &mut Tx,
    now: Timestamp,
    lease: Timestamp,
    limit: i64,
) -> Result<Vec<Account>> {
    query(sql!(
        "UPDATE sending_accounts SET sync_due_at = $2 WHERE id IN (
             SELECT id FROM sending_accounts
             WHERE sync_due_at <= $1 AND deleted_at IS NULL
               AND (status = 'connected' OR (status = 'disconnected' AND auth_failures BETWEEN 1 AND 9)
                 OR (channel <> 'mail' AND status IN ('connecting', 'needs_verification', 'disconnected', 'restricted')))
             ORDER BY sync_due_at, id LIMIT $3 {skip_locked})
         RETURNING id, workspace_id, channel, provider, preset, address, sender_name, status, status_reason,
             status_audit_id, settings, daily_limit, time_zone, signature_html, signature_text, next_send_at,
             backoff_until, backoff_rung, auth_failures, sync_cursor, sync_due_at, synced_at, sync_error, created_at, updated_at"
    ))
    .bind(now)
    .bind(lease)
    .bind(limit)
    .all(tx)
    .await
}

/// When the next sync of an account that [`claim_syncs`] would take is due.
pub async fn next_sync_at(on: &mut impl Read) -> Result<Option<Timestamp>> {
    let rows = query(sql!(
        "SELECT sync_due_at FROM sending_accounts WHERE deleted_at IS NULL
           AND (status = 'connected' OR (status = 'disconnected' AND auth_failures BETWEEN 1 AND 9)
                 OR (channel <> 'mail' AND status IN ('connecting', 'needs_verification', 'disconnected', 'restricted')))
         ORDER BY sync_due_at LIMIT 1"
    ))
    .rows(on)
    .await?;
    rows.first().map(|row| row.time("sync_due_at")).transpose()
}

/// An account whose folders are to be watched (MB-8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    pub workspace_id: WorkspaceId,
    pub id: AccountId,
    pub folders: Vec<String>,
    /// Changes with settings and credentials: then the watch begins anew.
    pub updated_at: Timestamp,
}

impl Record for Watched {
    const TABLE: &'static str = "sending_accounts";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            workspace_id: row.id("workspace_id")?,
            id: row.id("id")?,
            folders: row.json("watch")?,
            updated_at: row.time("updated_at")?,
        })
    }
}

/// Every connected account whose provider asked for its folders to be watched.
pub async fn list_watched(on: &mut impl Read) -> Result<Vec<Watched>> {
    query(sql!(
        "SELECT workspace_id, id, watch, updated_at FROM sending_accounts
         WHERE status = 'connected' AND deleted_at IS NULL AND watch IS NOT NULL ORDER BY id"
    ))
    .all(on)
    .await
}

/// Asks for a sync at `at` where none is due before: a watched folder changed, a person asked.
pub async fn request_sync(
    tx: &mut Tx,
    ws: WorkspaceId,
    id: AccountId,
    at: Timestamp,
) -> Result<bool> {
    let n = query(sql!(
        "UPDATE sending_accounts SET sync_due_at = $3
         WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL AND sync_due_at > $3"
    ))
    .bind(ws)
    .bind(id)
    .bind(at)
    .execute(tx)
    .await?;
    Ok(n == 1)
}

/// How a sync ended. The due time is set only where nobody asked for an earlier one meanwhile:
/// `claimed` is what [`claim_syncs`] returned.
#[derive(Clone, Debug)]
pub struct SyncDone<'a> {
    pub claimed: &'a Account,
    pub next: Timestamp,
    pub at: Timestamp,
}

impl SyncDone<'_> {
    /// Saves the cursor, in the transaction of what the page brought, and forgets the last error.
    /// False when another host moved the cursor first; then nothing of the page may be kept.
    /// `watch` are the folders whose changes call for the next sync.
    pub async fn save(&self, tx: &mut Tx, cursor: &str, watch: &[String]) -> Result<bool> {
        let n = query(sql!(
            "UPDATE sending_accounts SET sync_cursor = $4, synced_at = $5, sync_error = NULL, auth_failures = 0, watch = $8,
                 sync_due_at = CASE WHEN sync_due_at = $6 OR sync_due_at > $7 THEN $7 ELSE sync_due_at END
             WHERE workspace_id = $1 AND id = $2 AND sync_cursor IS NOT DISTINCT FROM $3"
        ))
        .bind(self.claimed.workspace_id)
        .bind(self.claimed.id)
        .bind(self.claimed.sync_cursor.clone())
        .bind(cursor)
        .bind(self.at)
        .bind(self.claimed.sync_due_at)
        .bind(self.next)
        .bind_json(&watch)
        .execute(tx)
        .await?;
        Ok(n == 1)
    }

    /// Notes why it failed (MB-3); the cursor stays.
    pub async fn fail(&self, tx: &mut Tx, error: &SyncError) -> Result<()> {
        query(sql!(
            "UPDATE sending_accounts SET sync_error = $3,
                 sync_due_at = CASE WHEN sync_due_at = $4 OR sync_due_at > $5 THEN $5 ELSE sync_due_at END
             WHERE workspace_id = $1 AND id = $2"
        ))
        .bind(self.claimed.workspace_id)
        .bind(self.claimed.id)
        .bind_json(error)
        .bind(self.claimed.sync_due_at)
        .bind(self.next)
        .execute(tx)
        .await?;
        Ok(())
    }
}
