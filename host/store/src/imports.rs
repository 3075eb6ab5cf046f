//! Imports of prospects and the rows that did not become one (PR-2).

use overture_domain::{
    HostId, ImportId, ListId, Timestamp, WorkspaceId, names,
    prospects::{Import, ImportState},
};

use crate::{
    Read, Record, Result, Row, Tx,
    query::{query, row, sql},
};

impl Record for Import {
    const TABLE: &'static str = "imports";

    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            workspace_id: row.id("workspace_id")?,
            file_name: row.text("file_name")?,
            list_id: row.opt_id("list_id")?,
            state: row.parsed("state")?,
            failure: row.text("failure")?,
            header: row.json("header")?,
            total_rows: row.int("total_rows")?,
            created_rows: row.int("created_rows")?,
            updated_rows: row.int("updated_rows")?,
            duplicate_rows: row.int("duplicate_rows")?,
            suppressed_rows: row.int("suppressed_rows")?,
            invalid_rows: row.int("invalid_rows")?,
            incomplete_rows: row.int("incomplete_rows")?,
            created_at: row.time("created_at")?,
            finished_at: row.opt_time("finished_at")?,
        })
    }
}

names! {
    /// What is to be said of a row: why it did not become a prospect, or that one of its values did
    /// not come with it.
    Trouble {
        Duplicate = "duplicate",
        Suppressed = "suppressed",
        Invalid = "invalid",
        Incomplete = "incomplete",
    }
}

/// A row that did not become a prospect, or not with all its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where the record begins in the file, from 1.
    pub line: i64,
    pub result: Trouble,
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
    /// Among those created and updated.
    pub incomplete: i64,
}

const COLUMNS: &str = "SELECT i.id, i.workspace_id, i.file_name, i.list_id, i.state, i.failure, i.header, i.total_rows, i.created_rows, i.updated_rows, i.duplicate_rows, i.suppressed_rows, i.invalid_rows, i.incomplete_rows, i.created_at, i.finished_at FROM imports i WHERE i.workspace_id = $1";

/// A new import, which this host runs.
pub async fn insert(tx: &mut Tx, import: &Import, host: HostId) -> Result<()> {
    query(sql!(
        "INSERT INTO imports (id, workspace_id, file_name, list_id, state, header, total_rows, created_at, host_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
    ))
    .bind(import.id)
    .bind(import.workspace_id)
    .bind(&import.file_name)
    .bind(import.list_id)
    .bind(import.state.name())
    .bind_json(&import.header)
    .bind(import.total_rows)
    .bind(import.created_at)
    .bind(host)
    .execute(tx)
    .await?;
    Ok(())
}

/// Adds a batch's counts and problems, in the transaction of its prospects. False when the import
/// is no longer running: then nothing of the batch may be kept.
pub async fn record(
    tx: &mut Tx,
    ws: WorkspaceId,
    id: ImportId,
    counts: Counts,
    problems: &[Problem],
) -> Result<bool> {
    let running = query(sql!(
        "UPDATE imports SET created_rows = created_rows + $3, updated_rows = updated_rows + $4, duplicate_rows = duplicate_rows + $5,
                suppressed_rows = suppressed_rows + $6, invalid_rows = invalid_rows + $7, incomplete_rows = incomplete_rows + $8
         WHERE workspace_id = $1 AND id = $2 AND state = 'running'"
    ))
    .bind(ws)
    .bind(id)
    .bind(counts.created)
    .bind(counts.updated)
    .bind(counts.duplicate)
    .bind(counts.suppressed)
    .bind(counts.invalid)
    .bind(counts.incomplete)
    .execute(tx)
    .await?;
    if problems.is_empty() {
        return Ok(running == 1);
    }
    let rows: Vec<_> = problems
        .iter()
        .map(|problem| {
            row! { line: problem.line, result: problem.result, reason: &problem.reason, record: &problem.record }
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
    Ok(running == 1)
}

/// Ends a running import; with a `failure` it has failed.
pub async fn finish(
    tx: &mut Tx,
    ws: WorkspaceId,
    id: ImportId,
    failure: &str,
    at: Timestamp,
) -> Result<()> {
    let state = match failure {
        "" => ImportState::Finished,
        _ => ImportState::Failed,
    };
    query(sql!(
        "UPDATE imports SET state = $3, failure = $4, finished_at = $5 WHERE workspace_id = $1 AND id = $2 AND state = 'running'"
    ))
    .bind(ws)
    .bind(id)
    .bind(state.name())
    .bind(failure)
    .bind(at)
    .execute(tx)
    .await?;
    Ok(())
}

/// Fails what hosts were importing whose last heartbeat is older than `alive_since`, except `own`'s:
/// they died, and the file with them. How many.
pub async fn fail_dead(
    tx: &mut Tx,
    own: HostId,
    alive_since: Timestamp,
    failure: &str,
    at: Timestamp,
) -> Result<u64> {
    query(sql!(
        "UPDATE imports SET state = 'failed', failure = $3, finished_at = $4
         WHERE state = 'running' AND host_id <> $1 AND host_id NOT IN (SELECT h.id FROM hosts h WHERE h.heartbeat_at >= $2)"
    ))
    .bind(own)
    .bind(alive_since)
    .bind(failure)
    .bind(at)
    .execute(tx)
    .await
}

/// Fails what this host is importing, as it stops. How many.
pub async fn fail_own(tx: &mut Tx, own: HostId, failure: &str, at: Timestamp) -> Result<u64> {
    query(sql!(
        "UPDATE imports SET state = 'failed', failure = $2, finished_at = $3 WHERE state = 'running' AND host_id = $1"
    ))
    .bind(own)
    .bind(failure)
    .bind(at)
    .execute(tx)
    .await
}

/// Whether an import writes into a list at this moment.
pub async fn is_running_into(on: &mut impl Read, ws: WorkspaceId, list: ListId) -> Result<bool> {
    let running = query(sql!(
        "SELECT 1 AS running FROM imports WHERE workspace_id = $1 AND list_id = $2 AND state = 'running' LIMIT 1"
    ))
    .bind(ws)
    .bind(list)
    .rows(on)
    .await?;
    Ok(!running.is_empty())
}

/// One import.
pub async fn find(on: &mut impl Read, ws: WorkspaceId, id: ImportId) -> Result<Option<Import>> {
    query(sql!(COLUMNS))
        .bind(ws)
        .push_bind(" AND i.id = ", id)
        .optional(on)
        .await
}

/// A page of imports, newest first.
pub async fn list(
    on: &mut impl Read,
    ws: WorkspaceId,
    before: Option<ImportId>,
    limit: i64,
) -> Result<Vec<Import>> {
    let mut page = query(sql!(COLUMNS)).bind(ws);
    if let Some(before) = before {
        page = page.push_bind(" AND i.id < ", before);
    }
    page.push_bind(" ORDER BY i.id DESC LIMIT ", limit)
        .all(on)
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
