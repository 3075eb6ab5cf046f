use std::collections::BTreeMap;

use axum::extract::{Request, State};
use overture_engine::{Env, imports};
use serde::Deserialize;
use utoipa::IntoParams;

use super::ImportOut;
use crate::{Answer, Caller, Created, Error, Params, error::ErrorEnvelope, input};

/// The largest file.
pub(crate) const BODY_LIMIT: usize = 64 * 1024 * 1024;

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
    /// A JSON object: header of the file → field (`firstName`), `custom:NAME` or `ignore`.
    mapping: Option<String>,
}

/// Imports prospects from a CSV file: the body is the file as it is. Delimiter, encoding and the
/// usual headers are recognised; columns with other headers become custom fields. A file that can't
/// be read is refused whole; a row that can't is listed under `/imports/{id}/problems`.
#[utoipa::path(
    post, path = "/imports", tag = "Imports", params(How),
    request_body(content = String, content_type = "text/csv", example = "email,first name,plan\nada@example.com,Ada,team\n"),
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
    let file = input::body(request, &env).await?;
    let import = imports::create(&env, ws, &options, &file).await?;
    Ok(Created(import.into()))
}
