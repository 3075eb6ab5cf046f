//! Named lists of prospects (PR-3).

use overture_domain::{ListId, ProspectId, Timestamp, WorkspaceId, names, prospects::List};

use crate::{
    Read, Record, Result, Row, Tx,
    query::{query, row, sql},
    slices::{self, Slice},
};

const COLUMNS: &str = "SELECT l.id, l.workspace_id, l.name, l.color, l.created_at, (SELECT COUNT(*) FROM list_members m WHERE m.list_id = l.id) AS prospect_count FROM lists l WHERE l.workspace_id = $1";

impl Record for List {
    const TABLE: &'static str = "lists";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            workspace_id: row.id("workspace_id")?,
            name: row.text("name")?,
            color: row.text("color")?,
            prospect_count: row.int("prospect_count")?,
            created_at: row.time("created_at")?,
        })
    }
}

/// A new list; its name is unique in the workspace.
pub async fn insert(tx: &mut Tx, list: &List) -> Result<()> {
    query(sql!(
        "INSERT INTO lists (id, workspace_id, name, color, created_at) VALUES ($1, $2, $3, $4, $5)"
    ))
    .bind(list.id)
    .bind(list.workspace_id)
    .bind(&list.name)
    .bind(&list.color)
    .bind(list.created_at)
    .execute(tx)
    .await?;
    Ok(())
}

/// One list.
pub async fn find(on: &mut impl Read, ws: WorkspaceId, id: ListId) -> Result<Option<List>> {
    query(sql!(COLUMNS))
        .bind(ws)
        .push_bind(" AND l.id = ", id)
        .optional(on)
        .await
}

/// The list of a name.
pub async fn find_by_name(on: &mut impl Read, ws: WorkspaceId, name: &str) -> Result<Option<List>> {
    query(sql!(COLUMNS))
        .bind(ws)
        .push_bind(" AND l.name = ", name)
        .optional(on)
        .await
}

/// A page of lists.
pub async fn list(on: &mut impl Read, ws: WorkspaceId, slice: &Slice<Sort>) -> Result<Vec<List>> {
    query(sql!(COLUMNS))
        .bind(ws)
        .slice("l.id", slice)
        .all(on)
        .await
}

names! {
    /// What lists can be sorted by.
    Sort { CreatedAt = "createdAt", Name = "name" }
}

impl slices::Sort for Sort {
    const DEFAULT: Self = Self::CreatedAt;

    fn column(self) -> Option<&'static str> {
        match self {
            Self::CreatedAt => None,
            Self::Name => Some("l.name"),
        }
    }
}

/// Writes a list's name and colour; false when it is not there.
pub async fn update(tx: &mut Tx, list: &List) -> Result<bool> {
    let n = query(sql!(
        "UPDATE lists SET name = $3, color = $4 WHERE workspace_id = $1 AND id = $2"
    ))
    .bind(list.workspace_id)
    .bind(list.id)
    .bind(&list.name)
    .bind(&list.color)
    .execute(tx)
    .await?;
    Ok(n == 1)
}

/// Deletes a list; its prospects stay, and imports that went into it don't name it any more. False
/// when it is not there.
pub async fn delete(tx: &mut Tx, ws: WorkspaceId, id: ListId) -> Result<bool> {
    for statement in [
        sql!("UPDATE imports SET list_id = NULL WHERE workspace_id = $1 AND list_id = $2"),
        sql!("DELETE FROM list_members WHERE workspace_id = $1 AND list_id = $2"),
    ] {
        query(statement).bind(ws).bind(id).execute(tx).await?;
    }
    let n = query(sql!(
        "DELETE FROM lists WHERE workspace_id = $1 AND id = $2"
    ))
    .bind(ws)
    .bind(id)
    .execute(tx)
    .await?;
    Ok(n == 1)
}

/// Puts prospects on a list; those on it stay once. How many came to it.
pub async fn add(
    tx: &mut Tx,
    ws: WorkspaceId,
    list: ListId,
    prospects: &[ProspectId],
    at: Timestamp,
) -> Result<u64> {
    let ids: Vec<_> = prospects.iter().map(|id| row! { v: id }).collect();
    // CROSS: SQLite takes the rows first. Otherwise it goes through all prospects of the workspace,
    // and through the rows for each of them.
    query(sql!(
        "INSERT INTO list_members (workspace_id, list_id, prospect_id, added_at)
         SELECT $1, $2, p.id, $3 FROM {rows $4} CROSS JOIN prospects p
         WHERE p.workspace_id = $1 AND p.id = r.value->>'v' AND EXISTS (SELECT 1 FROM lists l WHERE l.workspace_id = $1 AND l.id = $2)
         ON CONFLICT DO NOTHING"
    ))
    .bind(ws)
    .bind(list)
    .bind(at)
    .bind_json(&ids)
    .execute(tx)
    .await
}

/// Takes prospects off a list; how many were on it.
pub async fn remove(
    tx: &mut Tx,
    ws: WorkspaceId,
    list: ListId,
    prospects: &[ProspectId],
) -> Result<u64> {
    query(sql!(
        "DELETE FROM list_members WHERE workspace_id = $1 AND list_id = $2
           AND prospect_id {among $3}"
    ))
    .bind(ws)
    .bind(list)
    .bind_ids(prospects)
    .execute(tx)
    .await
}
