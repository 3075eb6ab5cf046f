use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::{Env, inbox};
use serde::Serialize;
use utoipa::ToSchema;

use super::{MessageOut, VerdictOut};
use crate::{Answer, Caller, Error, PathId, error::ErrorEnvelope};

/// A message with every word on what it is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessageDetailsOut {
    #[serde(flatten)]
    message: MessageOut,
    /// In the order in which they were given.
    verdicts: Vec<VerdictOut>,
}

/// One message, with what every classifier and person took it for.
#[utoipa::path(
    get, path = "/messages/{id}", tag = "Messages", params(("id" = String, Path)),
    responses((status = 200, body = Answer<MessageDetailsOut>), (status = 404, body = ErrorEnvelope))
)]
pub(super) async fn get(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Message>,
) -> Result<Answer<MessageDetailsOut>, Error> {
    let ws = caller.allow("inbox:read")?;
    let (message, verdicts) = inbox::message(&env, ws, id).await?;
    Ok(Answer::new(MessageDetailsOut {
        message: message.into(),
        verdicts: verdicts.into_iter().map(VerdictOut::from).collect(),
    }))
}
