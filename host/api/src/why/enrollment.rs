use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::{
    Env,
    sends::{self, About},
};

use super::WhyOut;
use crate::{Answer, Caller, Error, PathId, error::ErrorEnvelope};

/// Why the next mail of an enrollment has not gone out, when it may, and what would change that.
#[utoipa::path(
    get, path = "/enrollments/{id}/why", operation_id = "why_enrollment", tag = "Campaigns", params(("id" = String, Path)),
    responses((status = 200, body = Answer<WhyOut>), (status = 404, body = ErrorEnvelope))
)]
pub(super) async fn enrollment(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Enrollment>,
) -> Result<Answer<WhyOut>, Error> {
    let ws = caller.allow("campaigns:read")?;
    let answer = sends::why(&env, ws, About::Enrollment(id)).await?;
    Ok(Answer::new(answer.into()))
}
