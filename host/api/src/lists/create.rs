use axum::extract::State;
use overture_engine::{Env, lists};
use serde::Deserialize;
use utoipa::ToSchema;

use super::ListOut;
use crate::{Answer, Body, Caller, Created, Error, error::ErrorEnvelope};

/// A list to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ListIn {
    /// Unique in the workspace, 1 to 200 characters.
    #[schema(example = "Trade fair")]
    name: String,
    #[serde(default)]
    color: String,
}

/// Makes a list.
#[utoipa::path(
    post, path = "/lists", tag = "Lists", request_body = ListIn,
    responses(
        (status = 201, body = Answer<ListOut>),
        (status = 400, body = ErrorEnvelope),
        (status = 409, description = "The name is taken", body = ErrorEnvelope)
    )
)]
pub(super) async fn create(
    State(env): State<Env>,
    caller: Caller,
    Body(body): Body<ListIn>,
) -> Result<Created<ListOut>, Error> {
    let ws = caller.allow("prospects:write")?;
    let fields = lists::Fields {
        name: Some(body.name),
        color: Some(body.color),
    };
    let list = lists::create(&env, ws, fields).await?;
    Ok(Created(list.into()))
}
