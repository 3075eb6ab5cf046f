//! Workspaces, users, API keys, and the few values that belong to the whole instance.

use overture_domain::{
    ApiKeyId, Timestamp, UserId, WorkspaceId,
    people::{ApiKey, Role, User, Workspace},
    prospects::email_key,
};

use crate::{
    Read, Record, Result, Row, Tx,
    query::{query, sql},
};

impl Record for Workspace {
    const TABLE: &'static str = "workspaces";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            name: row.text("name")?,
            postal_address: row.text("postal_address")?,
            time_zone: row.text("time_zone")?,
            created_at: row.time("created_at")?,
        })
    }
}

impl Record for User {
    const TABLE: &'static str = "users";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            email: row.text("email")?,
            display_name: row.text("display_name")?,
            instance_admin: row.bool("instance_admin")?,
            created_at: row.time("created_at")?,
        })
    }
}

impl Record for ApiKey {
    const TABLE: &'static str = "api_keys";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            workspace_id: row.id("workspace_id")?,
            created_by: row.opt_id("created_by")?,
            name: row.text("name")?,
            prefix: row.text("prefix")?,
            scopes: row.json("scopes")?,
            requests_per_minute: row
                .opt_int("requests_per_minute")?
                .map(|n| u32::try_from(n).unwrap_or(u32::MAX)),
            expires_at: row.opt_time("expires_at")?,
            last_used_at: row.opt_time("last_used_at")?,
            revoked_at: row.opt_time("revoked_at")?,
            created_at: row.time("created_at")?,
        })
    }
}

/// A value of the instance, such as the check of its master key.
pub async fn instance_value(on: &mut impl Read, key: &str) -> Result<Option<String>> {
    let rows = query(sql!("SELECT value FROM instance WHERE key = $1"))
        .bind(key)
        .rows(on)
        .await?;
    rows.first().map(|row| row.text("value")).transpose()
}

/// Sets a value of the instance.
pub async fn set_instance_value(tx: &mut Tx, key: &str, value: &str) -> Result<()> {
    query(sql!(
        "INSERT INTO instance (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    ))
    .bind(key)
    .bind(value)
    .execute(tx)
    .await?;
    Ok(())
}

/// A new workspace.
pub async fn insert_workspace(tx: &mut Tx, workspace: &Workspace) -> Result<()> {
    query(sql!(
        "INSERT INTO workspaces (id, name, postal_address, time_zone, created_at) VALUES ($1, $2, $3, $4, $5)"
    ))
    .bind(workspace.id)
    .bind(&workspace.name)
    .bind(&workspace.postal_address)
    .bind(&workspace.time_zone)
    .bind(workspace.created_at)
    .execute(tx)
    .await?;
    Ok(())
}

/// One workspace.
pub async fn find_workspace(on: &mut impl Read, id: WorkspaceId) -> Result<Option<Workspace>> {
    query(sql!(
        "SELECT id, name, postal_address, time_zone, created_at FROM workspaces WHERE id = $1"
    ))
    .bind(id)
    .optional(on)
    .await
}

/// Locks a workspace until the transaction ends: whoever reserves caps of its subjects does so
/// first (CAP-2). False when it doesn't exist.
pub async fn lock_workspace(tx: &mut Tx, id: WorkspaceId) -> Result<bool> {
    let rows = query(sql!("SELECT id FROM workspaces WHERE id = $1 {for_update}"))
        .bind(id)
        .rows(tx)
        .await?;
    Ok(!rows.is_empty())
}

/// All workspaces, oldest first.
pub async fn list_workspaces(on: &mut impl Read) -> Result<Vec<Workspace>> {
    query(sql!(
        "SELECT id, name, postal_address, time_zone, created_at FROM workspaces ORDER BY id"
    ))
    .all(on)
    .await
}

/// A new user; the address is unique in the instance.
pub async fn insert_user(tx: &mut Tx, user: &User, password_hash: &str) -> Result<()> {
    query(sql!(
        "INSERT INTO users (id, email, email_key, display_name, password_hash, instance_admin, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)"
    ))
    .bind(user.id)
    .bind(&user.email)
    .bind(email_key(&user.email))
    .bind(&user.display_name)
    .bind(password_hash)
    .bind(user.instance_admin)
    .bind(user.created_at)
    .execute(tx)
    .await?;
    Ok(())
}

/// The user of an address.
pub async fn find_user(on: &mut impl Read, email: &str) -> Result<Option<User>> {
    query(sql!(
        "SELECT id, email, display_name, instance_admin, created_at FROM users WHERE email_key = $1"
    ))
    .bind(email_key(email))
    .optional(on)
    .await
}

/// How many users the instance has.
pub async fn count_users(on: &mut impl Read) -> Result<i64> {
    query(sql!("SELECT COUNT(*) AS n FROM users"))
        .number(on)
        .await
}

/// Makes a user a member of a workspace.
pub async fn insert_member(
    tx: &mut Tx,
    ws: WorkspaceId,
    user: UserId,
    role: Role,
    at: Timestamp,
) -> Result<()> {
    query(sql!(
        "INSERT INTO members (workspace_id, user_id, role, created_at) VALUES ($1, $2, $3, $4)"
    ))
    .bind(ws)
    .bind(user)
    .bind(role.name())
    .bind(at)
    .execute(tx)
    .await?;
    Ok(())
}

/// The workspaces of a user with the role there, oldest first.
pub async fn list_memberships(
    on: &mut impl Read,
    user: UserId,
) -> Result<Vec<(WorkspaceId, Role)>> {
    query(sql!(
        "SELECT workspace_id, role FROM members WHERE user_id = $1 ORDER BY workspace_id"
    ))
    .bind(user)
    .rows(on)
    .await?
    .iter()
    .map(|row| Ok((row.id("workspace_id")?, row.parsed("role")?)))
    .collect()
}

/// A new API key, by the hash of its text (API-1).
pub async fn insert_key(tx: &mut Tx, key: &ApiKey, hash: &str) -> Result<()> {
    query(sql!(
        "INSERT INTO api_keys (id, workspace_id, created_by, name, prefix, hash, scopes, requests_per_minute, expires_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
    ))
    .bind(key.id)
    .bind(key.workspace_id)
    .bind(key.created_by)
    .bind(&key.name)
    .bind(&key.prefix)
    .bind(hash)
    .bind_json(&key.scopes)
    .bind(key.requests_per_minute.map(i64::from))
    .bind(key.expires_at)
    .bind(key.created_at)
    .execute(tx)
    .await?;
    Ok(())
}

/// The key with this hash, whatever its workspace: the key says which workspace a request is for.
pub async fn find_key_by_hash(on: &mut impl Read, hash: &str) -> Result<Option<ApiKey>> {
    query(sql!(
        "SELECT id, workspace_id, created_by, name, prefix, scopes, requests_per_minute, expires_at, last_used_at, revoked_at, created_at
         FROM api_keys WHERE hash = $1"
    ))
    .bind(hash)
    .optional(on)
    .await
}

/// Notes that a key was used; at most once a minute, so that reads stay reads.
pub async fn touch_key(tx: &mut Tx, id: ApiKeyId, at: Timestamp) -> Result<()> {
    query(sql!("UPDATE api_keys SET last_used_at = $2 WHERE id = $1"))
        .bind(id)
        .bind(at)
        .execute(tx)
        .await?;
    Ok(())
}

/// Revokes a key at once; false when it is not there or was revoked before.
pub async fn revoke_key(tx: &mut Tx, ws: WorkspaceId, id: ApiKeyId, at: Timestamp) -> Result<bool> {
    let n = query(sql!("UPDATE api_keys SET revoked_at = $3 WHERE workspace_id = $1 AND id = $2 AND revoked_at IS NULL"))
        .bind(ws)
        .bind(id)
        .bind(at)
        .execute(tx)
        .await?;
    Ok(n == 1)
}
