use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::Env;
use overture_store::prospects;

use super::ProspectOut;
use crate::{Answer, Caller, Error, PathId, error::ErrorEnvelope};

/// One prospect.
#[utoipa::path(
    get, path = "/prospects/{id}", tag = "Prospects", params(("id" = String, Path)),
    responses((status = 200, body = Answer<ProspectOut>), (status = 404, body = ErrorEnvelope))
)]
pub(super) async fn get(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Prospect>,
) -> Result<Answer<ProspectOut>, Error> {
    let ws = caller.allow("prospects:read")?;
    let on = &mut env.db.reader();
    let prospect = prospects::find(on, ws, id)
        .await?
        .ok_or(overture_engine::Error::NotFound("prospect"))?;
    Ok(Answer::new(ProspectOut::read(on, prospect).await?))
}
