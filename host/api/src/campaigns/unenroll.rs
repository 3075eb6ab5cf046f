use axum::extract::State;
use overture_domain::{ProspectId, id::kinds};
use overture_engine::{Env, campaigns};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Answer, Body, Caller, Error, PathId, error::ErrorEnvelope};

/// Whom to take out; at least one field.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct UnenrollBody {
    #[schema(value_type = Vec<String>)]
    prospect_ids: Vec<ProspectId>,
    emails: Vec<String>,
}

/// What became of them.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UnenrolledOut {
    unenrolled_count: i64,
    /// Those who were named, also who was not in it or was through.
    total_processed: i64,
}

/// Takes people out of a campaign: nothing more is sent to them.
#[utoipa::path(
    delete, path = "/campaigns/{id}/enrollments", tag = "Campaigns", params(("id" = String, Path)), request_body = UnenrollBody,
    responses(
        (status = 200, body = Answer<UnenrolledOut>),
        (status = 400, body = ErrorEnvelope),
        (status = 404, body = ErrorEnvelope)
    )
)]
pub(super) async fn unenroll(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Campaign>,
    Body(body): Body<UnenrollBody>,
) -> Result<Answer<UnenrolledOut>, Error> {
    let ws = caller.allow("enrollments:write")?;
    let done = campaigns::unenroll(&env, ws, id, &body.prospect_ids, &body.emails).await?;
    Ok(Answer::new(UnenrolledOut {
        unenrolled_count: done.unenrolled_count,
        total_processed: done.total_processed,
    }))
}
