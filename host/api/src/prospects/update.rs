use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::{Env, prospects};

use super::{ProspectOut, ProspectPatch};
use crate::{Answer, Body, Caller, Error, PathId, error::ErrorEnvelope};

/// Changes the fields that are given. `customFields` replaces all custom fields. An `email` is taken
/// where none was known: what waited for it goes on.
#[utoipa::path(
    patch, path = "/prospects/{id}", tag = "Prospects", params(("id" = String, Path)), request_body = ProspectPatch,
    responses(
        (status = 200, body = Answer<ProspectOut>),
        (status = 400, body = ErrorEnvelope),
        (status = 404, body = ErrorEnvelope),
        (status = 409, description = "The prospect has another address, or another prospect has this one", body = ErrorEnvelope)
    )
)]
pub(super) async fn update(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Prospect>,
    Body(patch): Body<ProspectPatch>,
) -> Result<Answer<ProspectOut>, Error> {
    let ws = caller.allow("prospects:write")?;
    let prospect = prospects::update(&env, ws, id, patch.into()).await?;
    let on = &mut env.db.reader();
    Ok(Answer::new(ProspectOut::read(on, prospect).await?))
}
