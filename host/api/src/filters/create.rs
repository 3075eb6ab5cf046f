use axum::extract::State;
use overture_engine::{Env, filters};
use serde::Deserialize;
use utoipa::ToSchema;

use super::SavedFilterOut;
use crate::{
    Answer, Body, Caller, Created, Error, error::ErrorEnvelope, prospects::filter::FilterBody,
};

/// A filter to keep.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SavedFilterIn {
    /// Unique in the workspace, 1 to 200 characters.
    #[schema(example = "Fair, not yet replied")]
    name: String,
    /// With at least one condition.
    filter: FilterBody,
}

/// Keeps a filter of prospects under a name.
#[utoipa::path(
    post, path = "/filters", tag = "Filters", request_body = SavedFilterIn,
    responses(
        (status = 201, body = Answer<SavedFilterOut>),
        (status = 400, body = ErrorEnvelope),
        (status = 409, description = "The name is taken", body = ErrorEnvelope)
    )
)]
pub(super) async fn create(
    State(env): State<Env>,
    caller: Caller,
    Body(body): Body<SavedFilterIn>,
) -> Result<Created<SavedFilterOut>, Error> {
    let ws = caller.allow("prospects:write")?;
    let fields = filters::Fields {
        name: Some(body.name),
        filter: Some(body.filter.read("filter.")?),
    };
    Ok(Created(filters::create(&env, ws, fields).await?.into()))
}
