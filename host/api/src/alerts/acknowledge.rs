use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::{Env, alerts};

use super::AlertOut;
use crate::{Answer, Caller, Error, PathId, error::ErrorEnvelope};

/// Says that somebody sees to an open alert: the first who does is kept. It stays open until its
/// cause is gone.
#[utoipa::path(
    post, path = "/alerts/{id}/acknowledge", tag = "Alerts", params(("id" = String, Path)),
    responses((status = 200, body = Answer<AlertOut>), (status = 404, body = ErrorEnvelope))
)]
pub(super) async fn acknowledge(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Alert>,
) -> Result<Answer<AlertOut>, Error> {
    let ws = caller.allow("alerts:write")?;
    let of_instance = caller.is_instance_admin();
    let alert = alerts::acknowledge(&env, ws, of_instance, id, &caller.actor()).await?;
    Ok(Answer::new(AlertOut::from(alert)))
}
