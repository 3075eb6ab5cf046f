use axum::extract::State;
use overture_domain::{id::kinds, messages::Label};
use overture_engine::{
    Env,
    inbox::{self, Relabel},
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::MessageOut;
use crate::{Answer, Body, Caller, Error, PathId, error::ErrorEnvelope};

/// What a message is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RelabelBody {
    /// `interested`, `meeting_request`, `question`, `neutral`, `not_interested`,
    /// `unsubscribe_request`, `wrong_person`, `referral`, `out_of_office`, `auto_reply`,
    /// `bounce_hard`, `bounce_soft`, `complaint` or `other`.
    #[schema(example = "out_of_office")]
    label: String,
    /// With `out_of_office`: the first day back.
    #[serde(default)]
    #[schema(example = "2026-03-09")]
    return_date: Option<String>,
}

/// Says by hand what a message that came in is. It has the effect that a classifier's word has: a
/// reply ends the sequence, `out_of_office` lets one that had ended on this reply go on after the
/// return, `unsubscribe_request` suppresses. A suppression is not lifted by another label.
#[utoipa::path(
    patch, path = "/messages/{id}", tag = "Messages", params(("id" = String, Path)), request_body = RelabelBody,
    responses((status = 200, body = Answer<MessageOut>), (status = 400, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope))
)]
pub(super) async fn relabel(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Message>,
    Body(body): Body<RelabelBody>,
) -> Result<Answer<MessageOut>, Error> {
    let ws = caller.allow("inbox:write")?;
    let label = body.label.parse::<Label>();
    let label = label.map_err(|error| Error::field("label", "unknown", error.to_string()))?;
    let until_day = body.return_date.map(|day| day.parse()).transpose();
    let until_day = until_day
        .map_err(|_| Error::field("returnDate", "invalid", "write a date as 2026-03-09"))?;
    let relabel = Relabel { label, until_day };
    let message = inbox::relabel(&env, ws, id, relabel, &caller.actor()).await?;
    Ok(Answer::new(message.into()))
}
