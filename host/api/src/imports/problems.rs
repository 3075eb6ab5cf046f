use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::Env;
use overture_store::imports;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Caller, Error, Page, PageParams, Params, PathId, error::ErrorEnvelope};

/// A row that did not become a prospect, or not with all its values.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProblemOut {
    /// Where it begins in the file, from 1.
    line: i64,
    /// duplicate, suppressed, invalid or incomplete.
    result: String,
    reason: String,
    /// The row as it stood in the file.
    record: Vec<String>,
}

/// The rows of an import that did not become prospects, or lost a value that made no sense
/// (`incomplete`), in the order of the file.
#[utoipa::path(
    get, path = "/imports/{id}/problems", tag = "Imports", params(("id" = String, Path), PageParams),
    responses((status = 200, body = Page<ProblemOut>), (status = 404, body = ErrorEnvelope))
)]
pub(super) async fn problems(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Import>,
    Params(params): Params<PageParams>,
) -> Result<Page<ProblemOut>, Error> {
    let ws = caller.allow("prospects:read")?;
    let limit = params.limit()?;
    let mut on = env.db.reader();
    imports::find(&mut on, ws, id)
        .await?
        .ok_or(overture_engine::Error::NotFound("import"))?;
    let rows = imports::problems(&mut on, ws, id, params.after()?.unwrap_or(0), limit + 1).await?;
    Ok(Page::new(
        rows,
        limit,
        |row| row.line.to_string(),
        |row| ProblemOut {
            line: row.line,
            result: row.result.to_string(),
            reason: row.reason,
            record: row.record,
        },
    ))
}
