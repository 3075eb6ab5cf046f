//! Filters of prospects that a workspace keeps under a name (PR-3).

use overture_domain::{FilterId, WorkspaceId, filters::SavedFilter, names};

use crate::{
    Read, Record, Result, Row, Tx,
    query::{query, sql},
    slices::{self, Slice},
};

const COLUMNS: &str = "SELECT f.id, f.workspace_id, f.name, f.conditions, f.created_at, f.updated_at FROM filters f WHERE f.workspace_id = $1";

impl Record for SavedFilter {
    const TABLE: &'static str = "filters";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            workspace_id: row.id("workspace_id")?,
            name: row.text("name")?,
            filter: row.json("conditions")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
        })
    }
}

/// A new filter.
///
/// # Errors
/// [`Error::Unique`](crate::Error::Unique) where the workspace has one of this name.
pub async fn insert(tx: &mut Tx, saved: &SavedFilter) -> Result<()> {
    query(sql!(
        "INSERT INTO filters (id, workspace_id, name, conditions, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6)"
    ))
    .bind(saved.id)
    .bind(saved.workspace_id)
    .bind(&saved.name)
    .bind_json(&saved.filter)
    .bind(saved.created_at)
    .bind(saved.updated_at)
    .execute(tx)
    .await?;
    Ok(())
}

/// One filter.
pub async fn find(
    on: &mut impl Read,
    ws: WorkspaceId,
    id: FilterId,
) -> Result<Option<SavedFilter>> {
    query(sql!(COLUMNS))
        .bind(ws)
        .push_bind(" AND f.id = ", id)
        .optional(on)
        .await
}

names! {
    /// What filters can be sorted by.
    Sort { CreatedAt = "createdAt", Name = "name" }
}

impl slices::Sort for Sort {
    const DEFAULT: Self = Self::CreatedAt;

    fn column(self) -> Option<&'static str> {
        match self {
            Self::CreatedAt => None,
            Self::Name => Some("f.name"),
        }
    }
}

/// A page of filters.
pub async fn list(
    on: &mut impl Read,
    ws: WorkspaceId,
    slice: &Slice<Sort>,
) -> Result<Vec<SavedFilter>> {
    query(sql!(COLUMNS))
        .bind(ws)
        .slice("f.id", slice)
        .all(on)
        .await
}

/// Writes a filter's name and conditions; false when it is not there.
///
/// # Errors
/// As [`insert`].
pub async fn update(tx: &mut Tx, saved: &SavedFilter) -> Result<bool> {
    let n = query(sql!(
        "UPDATE filters SET name = $3, conditions = $4, updated_at = $5 WHERE workspace_id = $1 AND id = $2"
    ))
    .bind(saved.workspace_id)
    .bind(saved.id)
    .bind(&saved.name)
    .bind_json(&saved.filter)
    .bind(saved.updated_at)
    .execute(tx)
    .await?;
    Ok(n == 1)
}

/// Forgets a filter; false when it is not there.
pub async fn delete(tx: &mut Tx, ws: WorkspaceId, id: FilterId) -> Result<bool> {
    let n = query(sql!(
        "DELETE FROM filters WHERE workspace_id = $1 AND id = $2"
    ))
    .bind(ws)
    .bind(id)
    .execute(tx)
    .await?;
    Ok(n == 1)
}
