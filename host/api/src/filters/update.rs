use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::{Env, filters};
use serde::Deserialize;
use utoipa::ToSchema;

use super::SavedFilterOut;
use crate::{
    Answer, Body, Caller, Error, PathId, error::ErrorEnvelope, prospects::filter::FilterBody,
};

/// What to change; fields that are left out stay.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct SavedFilterPatch {
    /// Unique in the workspace, 1 to 200 characters.
    name: Option<String>,
    /// Replaces all conditions.
    filter: Option<FilterBody>,
}

/// Changes a saved filter's name or conditions.
#[utoipa::path(
    patch, path = "/filters/{id}", tag = "Filters", params(("id" = String, Path)), request_body = SavedFilterPatch,
    responses(
        (status = 200, body = Answer<SavedFilterOut>),
        (status = 400, body = ErrorEnvelope),
        (status = 404, body = ErrorEnvelope),
        (status = 409, description = "The name is taken", body = ErrorEnvelope)
    )
)]
pub(super) async fn update(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Filter>,
    Body(patch): Body<SavedFilterPatch>,
) -> Result<Answer<SavedFilterOut>, Error> {
    let ws = caller.allow("prospects:write")?;
    let filter = patch.filter.map(|filter| filter.read("filter."));
    let fields = filters::Fields {
        name: patch.name,
        filter: filter.transpose()?,
    };
    let saved = filters::update(&env, ws, id, fields).await?;
    Ok(Answer::new(saved.into()))
}
