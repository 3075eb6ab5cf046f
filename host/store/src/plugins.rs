//! Which plugins were loaded, what they may do, and what they keep.

use overture_domain::{Timestamp, WorkspaceId, plugins::Plugin};
use serde_json::json;

use crate::{
    Read, Record, Result, Row, Tx,
    query::{query, sql},
};

impl Record for Plugin {
    const TABLE: &'static str = "plugins";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.text("id")?,
            version: row.text("version")?,
            digest: row.text("digest")?,
            source: row.parsed("source")?,
            manifest: row.json("manifest")?,
            grants: row.json("grants")?,
            enabled: row.bool("enabled")?,
            place: row.int("place")?,
            installed_at: row.time("installed_at")?,
            updated_at: row.time("updated_at")?,
        })
    }
}

/// Notes plugins that were loaded. A known one keeps its place, whether it is enabled, and when
/// it was installed.
pub async fn upsert(tx: &mut Tx, plugins: &[Plugin]) -> Result<()> {
    let rows: Vec<_> = plugins
        .iter()
        .map(|plugin| {
            json!({
                "id": plugin.id,
                "version": plugin.version,
                "digest": plugin.digest,
                "source": plugin.source,
                "manifest": plugin.manifest,
                "grants": plugin.grants,
                "enabled": plugin.enabled,
                "place": plugin.place,
                "installed_at": plugin.installed_at.as_micros(),
                "updated_at": plugin.updated_at.as_micros(),
            })
        })
        .collect();
    query(sql!(
        "INSERT INTO plugins (id, version, digest, source, manifest, grants, enabled, place, installed_at, updated_at)
         SELECT r.value->>'id', r.value->>'version', r.value->>'digest', r.value->>'source', r.value->'manifest', r.value->'grants',
                CAST(r.value->>'enabled' AS BOOLEAN), CAST(r.value->>'place' AS BIGINT),
                CAST(r.value->>'installed_at' AS BIGINT), CAST(r.value->>'updated_at' AS BIGINT)
         FROM {rows $1} WHERE TRUE
         ON CONFLICT (id) DO UPDATE SET version = excluded.version, digest = excluded.digest, source = excluded.source,
             manifest = excluded.manifest, grants = excluded.grants, updated_at = excluded.updated_at"
    ))
    .bind_json(&rows)
    .execute(tx)
    .await?;
    Ok(())
}

/// All plugins in the admin's order (CLS-4).
pub async fn list(on: &mut impl Read) -> Result<Vec<Plugin>> {
    query(sql!(
        "SELECT id, version, digest, source, manifest, grants, enabled, place, installed_at, updated_at
         FROM plugins ORDER BY place, id"
    ))
    .all(on)
    .await
}

/// Switches a plugin on or off. False when there is none.
pub async fn set_enabled(tx: &mut Tx, id: &str, enabled: bool, now: Timestamp) -> Result<bool> {
    let changed = query(sql!(
        "UPDATE plugins SET enabled = $2, updated_at = $3 WHERE id = $1"
    ))
    .bind(id)
    .bind(enabled)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(changed == 1)
}

/// Puts plugins into this order; others keep their place.
pub async fn set_order(tx: &mut Tx, ids: &[&str]) -> Result<()> {
    let rows: Vec<_> = ids
        .iter()
        .enumerate()
        .map(|(place, id)| json!({"id": id, "place": place}))
        .collect();
    query(sql!(
        "UPDATE plugins SET place = CAST(r.value->>'place' AS BIGINT) FROM {rows $1} WHERE plugins.id = r.value->>'id'"
    ))
    .bind_json(&rows)
    .execute(tx)
    .await?;
    Ok(())
}

/// A value that a plugin keeps in a workspace.
pub async fn value(
    on: &mut impl Read,
    ws: WorkspaceId,
    plugin: &str,
    key: &str,
) -> Result<Option<Vec<u8>>> {
    let rows = query(sql!(
        "SELECT value FROM plugin_values WHERE plugin_id = $1 AND workspace_id = $2 AND key = $3"
    ))
    .bind(plugin)
    .bind(ws)
    .bind(key)
    .rows(on)
    .await?;
    rows.first().map(|row| row.bytes("value")).transpose()
}

/// Sets a value, unless all keys and values of the plugin in the workspace would then hold more
/// than `quota` bytes (PLG-2): then nothing changes, and the answer is false.
pub async fn set_value(
    tx: &mut Tx,
    ws: WorkspaceId,
    plugin: &str,
    key: &str,
    value: &[u8],
    quota: i64,
) -> Result<bool> {
    // Two writers would each see the room that only one of them can have.
    query(sql!("SELECT id FROM plugins WHERE id = $1 {for_update}"))
        .bind(plugin)
        .rows(tx)
        .await?;
    let written = query(sql!(
        "INSERT INTO plugin_values (plugin_id, workspace_id, key, value)
         SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), $4
         WHERE (SELECT COALESCE(CAST(SUM(OCTET_LENGTH(v.key) + OCTET_LENGTH(v.value)) AS BIGINT), 0) FROM plugin_values v
                WHERE v.plugin_id = $1 AND v.workspace_id = $2 AND v.key <> $3) + $5 <= $6
         ON CONFLICT (plugin_id, workspace_id, key) DO UPDATE SET value = excluded.value"
    ))
    .bind(plugin)
    .bind(ws)
    .bind(key)
    .bind(value)
    .bind(i64::try_from(key.len() + value.len()).unwrap_or(i64::MAX))
    .bind(quota)
    .execute(tx)
    .await?;
    Ok(written == 1)
}

/// Forgets a value; one that isn't there is no error.
pub async fn delete_value(tx: &mut Tx, ws: WorkspaceId, plugin: &str, key: &str) -> Result<()> {
    query(sql!(
        "DELETE FROM plugin_values WHERE plugin_id = $1 AND workspace_id = $2 AND key = $3"
    ))
    .bind(plugin)
    .bind(ws)
    .bind(key)
    .execute(tx)
    .await?;
    Ok(())
}

/// Keys of a plugin in a workspace that start with `prefix`, sorted, at most `limit`.
pub async fn list_keys(
    on: &mut impl Read,
    ws: WorkspaceId,
    plugin: &str,
    prefix: &str,
    limit: i64,
) -> Result<Vec<String>> {
    query(sql!(
        "SELECT key FROM plugin_values
         WHERE plugin_id = $1 AND workspace_id = $2 AND SUBSTR(key, 1, LENGTH($3)) = $3
         ORDER BY key LIMIT $4"
    ))
    .bind(plugin)
    .bind(ws)
    .bind(prefix)
    .bind(limit)
    .rows(on)
    .await?
    .iter()
    .map(|row| row.text("key"))
    .collect()
}
