use axum::extract::State;
use overture_domain::{ListId, ProspectId, id::kinds};
use overture_engine::{
    Env,
    campaigns::{self, Enroll},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Answer, Body, Caller, Error, PathId, error::ErrorEnvelope};

/// Whom to enroll; at least one field.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct EnrollBody {
    #[schema(value_type = Vec<String>)]
    prospect_ids: Vec<ProspectId>,
    #[schema(value_type = Vec<String>)]
    list_ids: Vec<ListId>,
    /// Of prospects that the workspace has.
    emails: Vec<String>,
    /// Also those who are on their way in another campaign.
    also_active_elsewhere: bool,
}

/// What became of them.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct EnrolledOut {
    enrolled: i64,
    /// Entered as `suppressed`: they are never sent to.
    suppressed: i64,
    already_enrolled: i64,
    active_elsewhere: i64,
    /// Ids and addresses that the workspace doesn't know.
    not_found: i64,
}

/// Enrolls people.
#[utoipa::path(
    post, path = "/campaigns/{id}/enrollments", tag = "Campaigns", params(("id" = String, Path)), request_body = EnrollBody,
    responses(
        (status = 200, body = Answer<EnrolledOut>),
        (status = 400, body = ErrorEnvelope),
        (status = 404, body = ErrorEnvelope),
        (status = 409, description = "The only one named is in it already", body = ErrorEnvelope)
    )
)]
pub(super) async fn enroll(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Campaign>,
    Body(body): Body<EnrollBody>,
) -> Result<Answer<EnrolledOut>, Error> {
    let ws = caller.allow("enrollments:write")?;
    let who = Enroll {
        prospect_ids: body.prospect_ids,
        list_ids: body.list_ids,
        emails: body.emails,
        also_active_elsewhere: body.also_active_elsewhere,
    };
    let enrolled = campaigns::enroll(&env, ws, id, &who, &caller.actor()).await?;
    Ok(Answer::new(EnrolledOut {
        enrolled: enrolled.enrolled,
        suppressed: enrolled.suppressed,
        already_enrolled: enrolled.already_enrolled,
        active_elsewhere: enrolled.active_elsewhere,
        not_found: enrolled.not_found,
    }))
}
