use axum::extract::State;
use overture_domain::id::kinds;
use overture_engine::{Env, Secret, mailboxes};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{MailboxOut, ServerIn};
use crate::{Answer, Body, Caller, Error, PathId, error::ErrorEnvelope};

/// What to change; a field that is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct MailboxPatch {
    sender_name: Option<String>,
    daily_limit: Option<i64>,
    timezone: Option<String>,
    signature_html: Option<String>,
    signature_text: Option<String>,
    user_name: Option<String>,
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<Secret>,
    smtp: Option<ServerIn>,
    imap: Option<ServerIn>,
    /// SHA-256 of the one certificate to accept; an empty text takes the pin back.
    pinned_certificate: Option<String>,
    files_sent: Option<bool>,
    /// Within how many minutes the server files every mail that it sends; 0: nobody knows.
    sent_within_minutes: Option<u32>,
}

/// Changes a mailbox. New servers or credentials are tested first; the old ones stay when the test
/// fails. Limits act at once.
#[utoipa::path(
    patch, path = "/mailboxes/{id}", tag = "Mailboxes", params(("id" = String, Path)), request_body = MailboxPatch,
    responses(
        (status = 200, body = Answer<MailboxOut>),
        (status = 400, body = ErrorEnvelope),
        (status = 404, body = ErrorEnvelope)
    )
)]
pub(super) async fn update(
    State(env): State<Env>,
    caller: Caller,
    PathId(id): PathId<kinds::Account>,
    Body(patch): Body<MailboxPatch>,
) -> Result<Answer<MailboxOut>, Error> {
    let ws = caller.allow("mailboxes:write")?;
    let change = mailboxes::MailboxChange {
        sender_name: patch.sender_name,
        daily_limit: patch.daily_limit,
        time_zone: patch.timezone,
        signature_html: patch.signature_html,
        signature_text: patch.signature_text,
        user_name: patch.user_name,
        password: patch.password,
        smtp: patch.smtp.map(Into::into),
        imap: patch.imap.map(Into::into),
        pinned_certificate: patch
            .pinned_certificate
            .map(|pin| Some(pin).filter(|pin| !pin.is_empty())),
        files_sent: patch.files_sent,
        sent_within_minutes: patch
            .sent_within_minutes
            .map(|minutes| (minutes > 0).then_some(minutes)),
    };
    let account = mailboxes::update(&env, ws, id, change, &caller.actor()).await?;
    Ok(Answer::new(account.into()))
}
