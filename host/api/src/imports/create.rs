use std::{collections::BTreeMap, io::Write};

use axum::{
    body::Body,
    extract::{Request, State},
};
use futures::StreamExt;
use overture_engine::{Env, imports};
use serde::Deserialize;
use utoipa::IntoParams;

use super::ImportOut;
use crate::{Answer, Caller, Created, Error, Params, error::ErrorEnvelope, request_id};

/// The largest file, where few rows are allowed; and the largest that may come with an idempotency
/// key.
pub(crate) const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// Bytes a row, where more rows are allowed than fit in [`BODY_LIMIT`].
const ROW: usize = 1024;

/// How to read the file.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct How {
    /// For people.
    #[serde(default)]
    file_name: String,
    /// The list that its people come to.
    list_id: Option<String>,
    /// Or a list of this name, made when there is none.
    list_name: Option<String>,
    /// People who are there already get the file's values, where it has some.
    #[serde(default)]
    update_existing: bool,
    /// Answer as soon as the file is looked through, with `state` `running`; `GET /imports/{id}` tells
    /// how far it is. Otherwise the answer comes when all rows are in.
    #[serde(default)]
    background: bool,
    /// A JSON object: header of the file → field (`firstName`), `custom:NAME` or `ignore`.
    mapping: Option<String>,
}

/// Imports prospects from a CSV file, or the first sheet of an .xlsx workbook: the body is the file as
/// it is. Delimiter, encoding and the usual headers are recognised; columns with other headers become custom fields. A file that can't
/// be read, or has more rows than are allowed, is refused whole; a row that can't be taken is listed
/// under `/imports/{id}/problems`, and so is one whose `linkedinUrl` is no profile: the person comes
/// without it.
#[utoipa::path(
    post, path = "/imports", tag = "Imports", params(How),
    request_body(content(
        (String = "text/csv", example = "email,first name,plan\nada@example.com,Ada,team\n"),
        (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    )),
    responses(
        (status = 201, body = Answer<ImportOut>),
        (status = 400, body = ErrorEnvelope),
        (status = 404, description = "There is no such list", body = ErrorEnvelope),
        (status = 413, body = ErrorEnvelope)
    )
)]
pub(super) async fn create(
    State(env): State<Env>,
    caller: Caller,
    Params(how): Params<How>,
    request: Request,
) -> Result<Created<ImportOut>, Error> {
    let ws = caller.allow("prospects:write")?;
    let mapping: BTreeMap<String, String> = match &how.mapping {
        None => BTreeMap::new(),
        Some(text) => serde_json::from_str(text).map_err(|error| {
            Error::field(
                "mapping",
                "invalid",
                format!("the mapping is no JSON object of texts: {error}"),
            )
        })?,
    };
    let list_id = how.list_id.map(|text| text.parse()).transpose();
    let options = imports::Options {
        file_name: how.file_name,
        list_id: list_id.map_err(|error: overture_domain::id::ParseIdError| {
            Error::field("listId", "invalid", error.to_string())
        })?,
        list_name: how.list_name,
        update_existing: how.update_existing,
        mapping,
    };
    let file = spooled(request.into_body(), &env).await?;
    let begun = imports::begin(&env, ws, &options, file).await?;
    let import = begun.import().clone();
    // A task of its own: a caller who hangs up must not end it half way.
    let running = tokio::spawn(request_id::carried(async move { begun.run(&env).await }));
    let import = match how.background {
        true => import,
        false => running.await.map_err(|_| Error::Broken)??,
    };
    Ok(Created(import.into()))
}

/// The body in a temporary file that has no name, so that it is gone with the process.
async fn spooled(body: Body, env: &Env) -> Result<std::fs::File, Error> {
    let most = BODY_LIMIT.max(env.config.import_max_rows.saturating_mul(ROW));
    let mut file = tempfile::tempfile().map_err(|error| unwritable(&error))?;
    let mut length = 0;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| {
            let message = format!("the body can't be read: {error}");
            Error::field("body", "unreadable", message)
        })?;
        length += chunk.len();
        if length > most {
            let message = format!(
                "the file is larger than {} MB: split it, or raise `engine.import_max_rows`",
                most / 1024 / 1024
            );
            return Err(overture_engine::Error::TooLarge(message).into());
        }
        let written = tokio::task::spawn_blocking(move || {
            let written = file.write_all(&chunk);
            written.map(|()| file)
        });
        file = written
            .await
            .map_err(|_| Error::Broken)?
            .map_err(|error| unwritable(&error))?;
    }
    Ok(file)
}

fn unwritable(error: &std::io::Error) -> Error {
    tracing::error!(%error, folder = %std::env::temp_dir().display(), "an uploaded file can't be kept in the temporary folder");
    Error::Broken
}
