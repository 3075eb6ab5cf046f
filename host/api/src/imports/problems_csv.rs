use axum::{
    body::{Body, Bytes},
    extract::State,
    http::header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    response::IntoResponse,
};
use futures::stream;
use overture_domain::{id::kinds, prospects::Import};
use overture_engine::{Env, imports as engine};
use overture_store::imports::{self, Problem};

use crate::{Caller, Error, PathId, error::ErrorEnvelope};

/// Rows that are read at a time.
const ROWS: i64 = 500;

/// The rows of an import that did not become prospects as a CSV file: the columns of the import,
/// then line, result and reason. Mended it can be imported again. Values that a spreadsheet would
/// take for formulas begin with an apostrophe.
#[utoipa::path(
    get, path = "/imports/{id}/problems.csv", tag = "Imports", params(("id" = String, Path)),
    responses(
        (status = 200, body = String, content_type = "text/csv", example = "email,name,import line,import result,import reason\nnobody,Bob,3,invalid,`nobody`: the address has no @\n"),
        (status = 404, body = ErrorEnvelope)
    )
)]
pub(super) async fn problems_csv(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Import>,
) -> Result<impl IntoResponse, Error> {
    let ws = caller.allow("prospects:read")?;
    let import = imports::find(&mut env.db.reader(), ws, id)
        .await?
        .ok_or(overture_engine::Error::NotFound("import"))?;
    let header = Bytes::from(engine::problems_header(&import.header));
    let rows = stream::try_unfold((env, import, 0), |(env, import, after)| async move {
        let rows = rows(&env, &import, after).await?;
        Ok::<_, overture_store::Error>(rows.last().map(|last| {
            let lines = engine::problems_csv(&rows, import.header.len());
            (Bytes::from(lines), (env.clone(), import.clone(), last.line))
        }))
    });
    let file = stream::StreamExt::chain(stream::iter([Ok(header)]), rows);
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (
            CONTENT_DISPOSITION,
            format!("attachment; filename=\"{id}-problems.csv\""),
        ),
    ];
    Ok((headers, Body::from_stream(file)))
}

async fn rows(env: &Env, import: &Import, after: i64) -> overture_store::Result<Vec<Problem>> {
    let (ws, id) = (import.workspace_id, import.id);
    imports::problems(&mut env.db.reader(), ws, id, after, ROWS).await
}
