//! Imports of prospects and the rows that did not become one (PR-2).

use overture_domain::{ImportId, Timestamp, WorkspaceId, names, prospects::Import};
use serde_json::json;

use crate::{
    Read, Record, Result, Row, Tx,
    query::{query, sql},
};

impl Record for Import {
    const TABLE: &'static str = "imports";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            workspace_id: row.id("workspace_id")?,
            file_name: row.text("file_name")?,
            list_id: row.opt_id("list_id")?,
            created_rows: row.int("created_rows")?,
            updated_rows: row.int("updated_rows")?,
            duplicate_rows: row.int("duplicate_rows")?,
            suppressed_rows: row.int("suppressed_rows")?,
            invalid_rows: row.int("invalid_rows")?,
            created_at: row.time("created_at")?,
            finished_at: row.opt_time("finished_at")?,
        })
    }
}

names! {
    /// Why a row did not become a prospect.
    Rejected { Duplicate = "duplicate", Suppressed = "suppressed", Invalid = "invalid" }
}

/// A row that did not become a prospect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where the record begins in the file, from 1.
    pub line: i64,
    pub result: Rejected,
    /// For people.
    pub reason: String,
    /// The record as it stood in the file.
    pub record: Vec<String>,
}

/// How many rows ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub created: i64,
    pub updated: i64,
    pub duplicate: i64,
    pub suppressed: i64,
    pub invalid: i64,
}

/// A new import.
pub async fn insert(tx: &mut Tx, import: &Import) -> Result<()> {
    query(sql!("INSERT INTO imports (id, workspace_id, file_name, list_id, created_at) VALUES ($1, $2, $3, $4, $5)"))
        .bind(import.id)
        .bind(import.workspace_id)
        .bind(&import.file_name)
        .bind(import.list_id)
        .bind(import.created_at)
        .execute(tx)
        .await?;
    Ok(())
}

/// Adds a batch's counts and problems, in the transaction of its prospects.
pub async fn record(
    tx: &mut Tx,
    ws: WorkspaceId,
    id: ImportId,
    counts: Counts,
    problems: &[Problem],
) -> Result<()> {
    query(sql!(
        "UPDATE imports SET created_rows = created_rows + $3, updated_rows = updated_rows + $4, duplicate_rows = duplicate_rows + $5,
                suppressed_rows = suppressed_rows + $6, invalid_rows = invalid_rows + $7
         WHERE workspace_id = $1 AND id = $2"
    ))
    .bind(ws)
    .bind(id)
    .bind(counts.created)
    .bind(counts.updated)
    .bind(counts.duplicate)
    .bind(counts.suppressed)
    .bind(counts.invalid)
    .execute(tx)
    .await?;
    let rows: Vec<_> = problems
        .iter()
        .map(|problem| {
            json!({ "line": problem.line, "result": problem.result, "reason": problem.reason, "record": problem.record })
        })
        .collect();
    query(sql!(
        "INSERT INTO import_problems (workspace_id, import_id, line, result, reason, record)
         SELECT $1, $2, CAST(r.value->>'line' AS BIGINT), r.value->>'result', r.value->>'reason', r.value->'record' FROM {rows $3}"
    ))
    .bind(ws)
    .bind(id)
    .bind_json(&rows)
    .execute(tx)
    .await?;
    Ok(())
}

/// Marks an import as done.
pub async fn finish(tx: &mut Tx, ws: WorkspaceId, id: ImportId, at: Timestamp) -> Result<()> {
    query(sql!(
        "UPDATE imports SET finished_at = $3 WHERE workspace_id = $1 AND id = $2"
    ))
    .bind(ws)
    .bind(id)
    .bind(at)
    .execute(tx)
    .await?;
    Ok(())
}

/// One import.
pub async fn find(on: &mut impl Read, ws: WorkspaceId, id: ImportId) -> Result<Option<Import>> {
    query(sql!(
        "SELECT id, workspace_id, file_name, list_id, created_rows, updated_rows, duplicate_rows, suppressed_rows, invalid_rows, created_at, finished_at
         FROM imports WHERE workspace_id = $1 AND id = $2"
    ))
    .bind(ws)
    .bind(id)
    .optional(on)
    .await
}

/// A page of an import's problems in the order of the file.
pub async fn problems(
    on: &mut impl Read,
    ws: WorkspaceId,
    id: ImportId,
    after_line: i64,
    limit: i64,
) -> Result<Vec<Problem>> {
    query(sql!(
        "SELECT line, result, reason, record FROM import_problems
         WHERE workspace_id = $1 AND import_id = $2 AND line > $3 ORDER BY line LIMIT $4"
    ))
    .bind(ws)
    .bind(id)
    .bind(after_line)
    .bind(limit)
    .rows(on)
    .await?
    .iter()
    .map(|row| {
        Ok(Problem {
            line: row.int("line")?,
            result: row.parsed("result")?,
            reason: row.text("reason")?,
            record: row.json("record")?,
        })
    })
    .collect()
}
