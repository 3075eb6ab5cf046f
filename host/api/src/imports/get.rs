use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::Env;
use overture_store::imports;

use super::ImportOut;
use crate::{Answer, Caller, Error, PathId, error::ErrorEnvelope};

/// One import.
#[utoipa::path(
    get, path = "/imports/{id}", tag = "Imports", params(("id" = String, Path)),
    responses((status = 200, body = Answer<ImportOut>), (status = 404, body = ErrorEnvelope))
)]
pub(super) async fn get(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Import>,
) -> Result<Answer<ImportOut>, Error> {
    let ws = caller.allow("prospects:read")?;
    let import = imports::find(&mut env.db.reader(), ws, id)
        .await?
        .ok_or(overture_engine::Error::NotFound("import"))?;
    Ok(Answer::new(import.into()))
}
