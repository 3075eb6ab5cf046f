use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::{Env, lists};
use serde::Deserialize;
use utoipa::ToSchema;

use super::ListOut;
use crate::{Answer, Body, Caller, Error, PathId, error::ErrorEnvelope};

/// What to change; fields that are left out stay.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct ListPatch {
    /// Unique in the workspace, 1 to 200 characters.
    #[schema(example = "Trade fair 2026")]
    name: Option<String>,
    color: Option<String>,
}

/// Changes a list's name or colour.
#[utoipa::path(
    patch, path = "/lists/{id}", tag = "Lists", params(("id" = String, Path)), request_body = ListPatch,
    responses(
        (status = 200, body = Answer<ListOut>),
        (status = 400, body = ErrorEnvelope),
        (status = 404, body = ErrorEnvelope),
        (status = 409, description = "The name is taken", body = ErrorEnvelope)
    )
)]
pub(super) async fn update(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::List>,
    Body(patch): Body<ListPatch>,
) -> Result<Answer<ListOut>, Error> {
    let ws = caller.allow("prospects:write")?;
    let fields = lists::Fields {
        name: patch.name,
        color: patch.color,
    };
    Ok(Answer::new(
        lists::update(&env, ws, id, fields).await?.into(),
    ))
}
