use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::{Env, lists};
use serde::Serialize;
use utoipa::ToSchema;

use super::add::Members;
use crate::{Answer, Body, Caller, Error, PathId, error::ErrorEnvelope};

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Removed {
    /// Prospects that were on the list.
    removed_count: u64,
}

/// Takes prospects off a list; they stay in the workspace.
#[utoipa::path(
    delete, path = "/lists/{id}/prospects", tag = "Lists", params(("id" = String, Path)), request_body = Members,
    responses((status = 200, body = Answer<Removed>), (status = 404, body = ErrorEnvelope))
)]
pub(super) async fn remove(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::List>,
    Body(body): Body<Members>,
) -> Result<Answer<Removed>, Error> {
    let ws = caller.allow("prospects:write")?;
    let removed_count = lists::remove(&env, ws, id, body.ids()?).await?;
    Ok(Answer::new(Removed { removed_count }))
}
