use axum::extract::State;
use overture_domain::{ProspectId, id::kinds};
use overture_engine::{Env, lists};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Answer, Body, Caller, Error, PathId, error::ErrorEnvelope};

/// Prospects of the workspace.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Members {
    #[schema(value_type = Vec<String>, max_items = 1000)]
    prospect_ids: Vec<ProspectId>,
}

impl Members {
    /// # Errors
    /// When there are too many for a request.
    pub(super) fn ids(&self) -> Result<&[ProspectId], Error> {
        match self.prospect_ids.as_slice() {
            ids if ids.len() <= 1_000 => Ok(ids),
            _ => {
                let message = "at most 1,000 prospects a request";
                Err(Error::field("prospectIds", "too_many", message))
            }
        }
    }
}

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Added {
    /// Prospects that were not on the list before. Unknown ids are left out.
    added_count: u64,
}

/// Puts prospects on a list.
#[utoipa::path(
    post, path = "/lists/{id}/prospects", tag = "Lists", params(("id" = String, Path)), request_body = Members,
    responses((status = 200, body = Answer<Added>), (status = 404, body = ErrorEnvelope))
)]
pub(super) async fn add(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::List>,
    Body(body): Body<Members>,
) -> Result<Answer<Added>, Error> {
    let ws = caller.allow("prospects:write")?;
    let added_count = lists::add(&env, ws, id, body.ids()?).await?;
    Ok(Answer::new(Added { added_count }))
}
