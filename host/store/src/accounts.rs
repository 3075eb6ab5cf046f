//! Sending accounts: their settings, their sealed credentials and their pace.

mod syncs;

pub use syncs::{SyncDone, Watched, claim_syncs, list_watched, next_sync_at, request_sync};

use std::collections::HashMap;

use overture_domain::{
    AccountId, AuditId, Timestamp, WorkspaceId,
    accounts::{Account, AccountStatus, Channel},
    names,
    people::Audit,
    prospects::email_key,
};
use serde_json::json;

use crate::{
    Error, Read, Record, Result, Row, Tx, audit,
    query::{query, sql},
    slices::{self, Slice},
};

impl Record for Account {
    const TABLE: &'static str = "sending_accounts";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            workspace_id: row.id("workspace_id")?,
            channel: row.parsed("channel")?,
            provider: row.text("provider")?,
            preset: row.text("preset")?,
            address: row.text("address")?,
            sender_name: row.text("sender_name")?,
            status: row.parsed("status")?,
            status_reason: row.text("status_reason")?,
            status_audit_id: row.id("status_audit_id")?,
            settings: row.json("settings")?,
            daily_limit: row.int("daily_limit")?,
            time_zone: row.text("time_zone")?,
            signature_html: row.text("signature_html")?,
            signature_text: row.text("signature_text")?,
            next_send_at: row.time("next_send_at")?,
            backoff_until: row.time("backoff_until")?,
            backoff_rung: row.int("backoff_rung")?,
            auth_failures: row.int("auth_failures")?,
            sync_cursor: row.opt_text("sync_cursor")?,
            sync_due_at: row.time("sync_due_at")?,
            synced_at: row.opt_time("synced_at")?,
            sync_error: row.opt_json("sync_error")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
        })
    }
}

/// Who changed a status and why (SAFE-4): what its audit row says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusChange {
    pub audit_id: AuditId,
    /// What it must be now; `None` for a new account.
    pub from: Option<AccountStatus>,
    pub to: AccountStatus,
    /// For people.
    pub reason: String,
    /// A user, a key, or the part of the engine that did it.
    pub actor: String,
    pub at: Timestamp,
}

impl StatusChange {
    fn audit(&self, ws: WorkspaceId, id: AccountId) -> Audit {
        Audit {
            id: self.audit_id,
            workspace_id: ws,
            subject_kind: "account".to_owned(),
            subject_id: id.to_string(),
            from_status: self.from.map(|status| status.name().to_owned()),
            to_status: self.to.name().to_owned(),
            reason: self.reason.clone(),
            actor: self.actor.clone(),
            at: self.at,
        }
    }

    /// What the account's own row says: a connected one needs no reason.
    fn status_reason(&self) -> &str {
        match self.to {
            AccountStatus::Connected => "",
            _ => &self.reason,
        }
    }
}

/// A new account with its sealed credentials, and the audit row of its first status. Of `account`,
/// status, reason and audit id are those of `change`.
///
/// # Errors
/// [`Error::Unique`] when the workspace has the address on that channel.
pub async fn insert(
    tx: &mut Tx,
    account: &Account,
    credentials: Option<&str>,
    change: &StatusChange,
) -> Result<()> {
    audit::insert(tx, &change.audit(account.workspace_id, account.id)).await?;
    query(sql!(
        "INSERT INTO sending_accounts (id, workspace_id, channel, provider, preset, address, address_key, sender_name,
             status, status_reason, status_audit_id, settings, credentials, daily_limit, time_zone,
             signature_html, signature_text, next_send_at, sync_due_at, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $20)"
    ))
    .bind(account.id)
    .bind(account.workspace_id)
    .bind(account.channel.name())
    .bind(&account.provider)
    .bind(&account.preset)
    .bind(&account.address)
    .bind(email_key(&account.address))
    .bind(&account.sender_name)
    .bind(change.to.name())
    .bind(change.status_reason())
    .bind(change.audit_id)
    .bind_json(&account.settings)
    .bind(credentials.map(str::to_owned))
    .bind(account.daily_limit)
    .bind(&account.time_zone)
    .bind(&account.signature_html)
    .bind(&account.signature_text)
    .bind(account.next_send_at)
    .bind(account.sync_due_at)
    .bind(account.created_at)
    .execute(tx)
    .await?;
    Ok(())
}

/// Gives a deleted account back to whoever connects its address again: with its id come its pace,
/// its back-off and what it sent today, so that no day has a second quota (CAP-2). All else is that
/// of `account`, which has its id.
///
/// # Errors
/// [`Error::Unique`] when the workspace has the address on that channel, or has it back already.
pub async fn revive(
    tx: &mut Tx,
    account: &Account,
    credentials: Option<&str>,
    change: &StatusChange,
) -> Result<()> {
    audit::insert(tx, &change.audit(account.workspace_id, account.id)).await?;
    let n = query(sql!(
        "UPDATE sending_accounts SET deleted_at = NULL, preset = $3, address = $4, sender_name = $5, status = $6, status_reason = $7,
             status_audit_id = $8, settings = $9, credentials = $10, daily_limit = $11, time_zone = $12, signature_html = $13,
             signature_text = $14, auth_failures = 0, sync_error = NULL, sync_due_at = $15, updated_at = $16,
             sync_cursor = CASE WHEN provider = $17 THEN sync_cursor END, provider = $17
         WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NOT NULL"
    ))
    .bind(account.workspace_id)
    .bind(account.id)
    .bind(&account.preset)
    .bind(&account.address)
    .bind(&account.sender_name)
    .bind(change.to.name())
    .bind(change.status_reason())
    .bind(change.audit_id)
    .bind_json(&account.settings)
    .bind(credentials.map(str::to_owned))
    .bind(account.daily_limit)
    .bind(&account.time_zone)
    .bind(&account.signature_html)
    .bind(&account.signature_text)
    .bind(account.sync_due_at)
    .bind(account.updated_at)
    .bind(&account.provider)
    .execute(tx)
    .await?;
    if n == 1 { Ok(()) } else { Err(Error::Unique) }
}

macro_rules! select {
    ($where:literal) => {
        concat!(
            "SELECT id, workspace_id, channel, provider, preset, address, sender_name, status, status_reason, status_audit_id, settings, daily_limit, time_zone, signature_html, signature_text, next_send_at, backoff_until, backoff_rung, auth_failures, sync_cursor, sync_due_at, synced_at, sync_error, created_at, updated_at FROM sending_accounts WHERE ",
            $where
        )
    };
}

const COLUMNS: &str = select!("deleted_at IS NULL");
const DELETED: &str = select!("deleted_at IS NOT NULL");

/// One account.
pub async fn find(on: &mut impl Read, ws: WorkspaceId, id: AccountId) -> Result<Option<Account>> {
    query(sql!(COLUMNS))
        .push_bind(" AND workspace_id = ", ws)
        .push_bind(" AND id = ", id)
        .optional(on)
        .await
}

/// One account, locked until the transaction ends: for a change of what it was.
pub async fn lock(tx: &mut Tx, ws: WorkspaceId, id: AccountId) -> Result<Option<Account>> {
    query(sql!(COLUMNS))
        .push_bind(" AND workspace_id = ", ws)
        .push_bind(" AND id = ", id)
        .push(" {for_update}")
        .optional(tx)
        .await
}

/// The account of an address.
pub async fn find_by_address(
    on: &mut impl Read,
    ws: WorkspaceId,
    channel: Channel,
    address: &str,
) -> Result<Option<Account>> {
    query(sql!(COLUMNS))
        .push_bind(" AND workspace_id = ", ws)
        .push_bind(" AND channel = ", channel.name())
        .push_bind(" AND address_key = ", email_key(address))
        .optional(on)
        .await
}

/// The account of an address that was deleted last.
pub async fn find_deleted(
    on: &mut impl Read,
    ws: WorkspaceId,
    channel: Channel,
    address: &str,
) -> Result<Option<Account>> {
    query(sql!(DELETED))
        .push_bind(" AND workspace_id = ", ws)
        .push_bind(" AND channel = ", channel.name())
        .push_bind(" AND address_key = ", email_key(address))
        .push(" ORDER BY deleted_at DESC, id DESC LIMIT 1")
        .optional(on)
        .await
}

/// Those of the ids that are accounts of the workspace, in the order of their ids.
pub async fn find_all(
    on: &mut impl Read,
    ws: WorkspaceId,
    ids: &[AccountId],
) -> Result<Vec<Account>> {
    let ids: Vec<_> = ids.iter().map(|id| json!({"id": id})).collect();
    query(sql!(COLUMNS))
        .push_bind(" AND workspace_id = ", ws)
        .push_bind(
            " AND id IN (SELECT r.value->>'id' FROM {rows ",
            serde_json::Value::Array(ids),
        )
        .push("}) ORDER BY id")
        .all(on)
        .await
}

/// The accounts of all workspaces, for the operator.
pub async fn list_all(on: &mut impl Read) -> Result<Vec<Account>> {
    query(sql!(COLUMNS)).push(" ORDER BY id").all(on).await
}

/// A page of the workspace's accounts on a channel, oldest first, after `after`.
pub async fn list(
    on: &mut impl Read,
    ws: WorkspaceId,
    filter: &Filter,
    slice: &Slice<Sort>,
) -> Result<Vec<Account>> {
    let mut page = query(sql!(COLUMNS)).push_bind(" AND workspace_id = ", ws);
    if let Some(channel) = filter.channel {
        page = page.push_bind(" AND channel = ", channel.name());
    }
    if let Some(status) = filter.status {
        page = page.push_bind(" AND status = ", status.name());
    }
    if let Some(address) = &filter.address {
        page = page.push_bind(" AND address_key = ", email_key(address));
    }
    page.slice("id", slice).all(on).await
}

names! {
    /// What lists of mailboxes can be sorted by.
    Sort { CreatedAt = "createdAt", Address = "emailAddress" }
}

impl slices::Sort for Sort {
    const DEFAULT: Self = Self::CreatedAt;

    fn column(self) -> Option<&'static str> {
        match self {
            Self::CreatedAt => None,
            Self::Address => Some("address_key"),
        }
    }
}

/// What to list; empty fields don't filter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub channel: Option<Channel>,
    pub status: Option<AccountStatus>,
    /// In any case.
    pub address: Option<String>,
}

/// The sealed credentials of an account; only the vault can read them (OPS-4).
pub async fn credentials(
    on: &mut impl Read,
    ws: WorkspaceId,
    id: AccountId,
) -> Result<Option<String>> {
    let rows = query(sql!(
        "SELECT credentials FROM sending_accounts WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL"
    ))
    .bind(ws)
    .bind(id)
    .rows(on)
    .await?;
    Ok(rows
        .first()
        .map(|row| row.opt_text("credentials"))
        .transpose()?
        .flatten())
}

/// The same for several accounts; those without credentials are left out.
pub async fn list_credentials(
    on: &mut impl Read,
    ws: WorkspaceId,
    ids: &[AccountId],
) -> Result<HashMap<AccountId, String>> {
    query(sql!(
        "SELECT id, credentials FROM sending_accounts
         WHERE workspace_id = $1 AND id {among $2} AND deleted_at IS NULL AND credentials IS NOT NULL"
    ))
    .bind(ws)
    .bind_ids(ids)
    .rows(on)
    .await?
    .iter()
    .map(|row| Ok((row.id("id")?, row.text("credentials")?)))
    .collect()
}

/// Changes a status together with its audit row (SAFE-4). False, and nothing written, when the
/// account is not there or not in `change.from`.
pub async fn set_status(
    tx: &mut Tx,
    ws: WorkspaceId,
    id: AccountId,
    change: &StatusChange,
) -> Result<bool> {
    let now = query(sql!(
        "SELECT status FROM sending_accounts WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL {for_update}"
    ))
    .bind(ws)
    .bind(id)
    .rows(tx)
    .await?;
    let now: Option<AccountStatus> = now.first().map(|row| row.parsed("status")).transpose()?;
    if now.is_none() || now != change.from {
        return Ok(false);
    }
    audit::insert(tx, &change.audit(ws, id)).await?;
    let n = query(sql!(
        "UPDATE sending_accounts SET status = $3, status_reason = $4, status_audit_id = $5, updated_at = $6
         WHERE workspace_id = $1 AND id = $2"
    ))
    .bind(ws)
    .bind(id)
    .bind(change.to.name())
    .bind(change.status_reason())
    .bind(change.audit_id)
    .bind(change.at)
    .execute(tx)
    .await?;
    Ok(n == 1)
}

/// What a user may change in place. Every field is written: read the account, change it, write it.
/// `credentials` and `settings` only after a passing test (MB-11); limits act at the next tick
/// (MB-4).
pub async fn update(tx: &mut Tx, account: &Account, credentials: Option<&str>) -> Result<bool> {
    let n = query(sql!(
        "UPDATE sending_accounts SET preset = $3, sender_name = $4, settings = $5, credentials = COALESCE($6, credentials),
             daily_limit = $7, time_zone = $8, signature_html = $9, signature_text = $10, updated_at = $11
         WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL"
    ))
    .bind(account.workspace_id)
    .bind(account.id)
    .bind(&account.preset)
    .bind(&account.sender_name)
    .bind_json(&account.settings)
    .bind(credentials.map(str::to_owned))
    .bind(account.daily_limit)
    .bind(&account.time_zone)
    .bind(&account.signature_html)
    .bind(&account.signature_text)
    .bind(account.updated_at)
    .execute(tx)
    .await?;
    Ok(n == 1)
}

/// Marks an account as deleted; its rows, sends and messages stay (MB-5).
pub async fn delete(tx: &mut Tx, ws: WorkspaceId, id: AccountId, at: Timestamp) -> Result<bool> {
    let n = query(sql!(
        "UPDATE sending_accounts SET deleted_at = $3, credentials = NULL, updated_at = $3
         WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL"
    ))
    .bind(ws)
    .bind(id)
    .bind(at)
    .execute(tx)
    .await?;
    Ok(n == 1)
}

/// Moves pacers on (SCH-4): no hand-out of the account before its moment. A pacer never goes back.
pub async fn advance_pacers(tx: &mut Tx, moments: &[(AccountId, Timestamp)]) -> Result<()> {
    if moments.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = moments
        .iter()
        .map(|(id, at)| json!({"id": id, "at": at.as_micros()}))
        .collect();
    query(sql!(
        "UPDATE sending_accounts SET next_send_at = CAST(r.value->>'at' AS BIGINT) FROM {rows $1}
         WHERE sending_accounts.id = r.value->>'id' AND sending_accounts.next_send_at < CAST(r.value->>'at' AS BIGINT)"
    ))
    .bind_json(&rows)
    .later(tx);
    Ok(())
}

/// Sets the rung of the back-off ladder and until when nothing is sent (CAP-3).
pub async fn set_backoff(
    tx: &mut Tx,
    ws: WorkspaceId,
    id: AccountId,
    rung: i64,
    until: Timestamp,
) -> Result<()> {
    query(sql!(
        "UPDATE sending_accounts SET backoff_rung = $3, backoff_until = $4 WHERE workspace_id = $1 AND id = $2"
    ))
    .bind(ws)
    .bind(id)
    .bind(rung)
    .bind(until)
    .execute(tx)
    .await?;
    Ok(())
}

/// Counts one more refused sign-in in a row (MB-3); how many there are now.
pub async fn add_auth_failure(tx: &mut Tx, ws: WorkspaceId, id: AccountId) -> Result<i64> {
    query(sql!(
        "UPDATE sending_accounts SET auth_failures = auth_failures + 1 WHERE workspace_id = $1 AND id = $2
         RETURNING auth_failures AS n"
    ))
    .bind(ws)
    .bind(id)
    .number(tx)
    .await
}

/// A sign-in worked: the row of failures is over.
pub async fn clear_auth_failures(tx: &mut Tx, ws: WorkspaceId, id: AccountId) -> Result<()> {
    query(sql!(
        "UPDATE sending_accounts SET auth_failures = 0 WHERE workspace_id = $1 AND id = $2 AND auth_failures > 0"
    ))
    .bind(ws)
    .bind(id)
    .execute(tx)
    .await?;
    Ok(())
}

/// Refused sign-ins in a row after which only a person connects an account again (MB-3, SAF-3).
pub const MAX_AUTH_FAILURES: i64 = 10;
