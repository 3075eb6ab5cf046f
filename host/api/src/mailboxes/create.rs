use axum::extract::State;
use overture_engine::{Env, Secret, mailboxes};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{LegOut, MailboxOut, ServerIn};
use crate::{Answer, Body, Caller, Created, Error, error::ErrorEnvelope};

/// A mailbox to connect. The preset of its provider fills what is left out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct MailboxIn {
    #[schema(example = "ada@example.com")]
    email_address: String,
    #[serde(default)]
    #[schema(example = "Ada Example")]
    sender_name: String,
    /// The provider plugin; by default the one that has the preset.
    provider: Option<String>,
    /// A key of `/mailboxes/presets`; by default the one for the address's domain, else `custom`.
    preset: Option<String>,
    /// By default the address.
    user_name: Option<String>,
    /// An app password where the provider wants one. Stored sealed, never shown.
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<Secret>,
    smtp: Option<ServerIn>,
    imap: Option<ServerIn>,
    /// SHA-256 of the one certificate to accept, hexadecimal.
    pinned_certificate: Option<String>,
    /// Whether the server files sent mails into Sent by itself.
    files_sent: Option<bool>,
    /// Within how many minutes it files every mail: one that broke off and is not there by then is
    /// sent again. By default what is known of the service.
    sent_within_minutes: Option<u32>,
    /// Settings of a provider that dials no servers.
    #[schema(value_type = Option<Object>)]
    settings: Option<serde_json::Value>,
    daily_limit: Option<i64>,
    timezone: Option<String>,
    #[serde(default)]
    signature_html: String,
    #[serde(default)]
    signature_text: String,
    /// Save it also when the test fails, with status error.
    #[serde(default)]
    save_anyway: bool,
}

/// The mailbox and how its test went.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConnectedOut {
    #[serde(flatten)]
    mailbox: MailboxOut,
    test: Vec<LegOut>,
    /// Campaigns that the same address left when it was deleted. To rejoin one, add the mailbox to
    /// its `mailboxIds`.
    left_campaigns: Vec<LeftOut>,
}

/// A campaign that a mailbox may rejoin.
#[derive(Debug, Serialize, ToSchema)]
struct LeftOut {
    #[schema(example = "cmp_01kjq5t3k8e9v8z2m4n6p7r8s9")]
    id: String,
    #[schema(example = "Spring outreach")]
    name: String,
}

/// Connects a mailbox. Its connections are tested for real; when one fails nothing is saved and the
/// error names each leg, unless `saveAnyway`.
#[utoipa::path(
    post, path = "/mailboxes", tag = "Mailboxes", request_body = MailboxIn,
    responses(
        (status = 201, body = Answer<ConnectedOut>),
        (status = 400, body = ErrorEnvelope),
        (status = 409, description = "The workspace has this address already", body = ErrorEnvelope)
    )
)]
pub(super) async fn create(
    State(env): State<Env>,
    caller: Caller,
    Body(body): Body<MailboxIn>,
) -> Result<Created<ConnectedOut>, Error> {
    let ws = caller.allow("mailboxes:write")?;
    let new = mailboxes::NewMailbox {
        address: body.email_address,
        sender_name: body.sender_name,
        provider: body.provider,
        preset: body.preset,
        user_name: body.user_name,
        password: body.password,
        smtp: body.smtp.map(Into::into),
        imap: body.imap.map(Into::into),
        pinned_certificate: body.pinned_certificate,
        files_sent: body.files_sent,
        sent_within_minutes: body.sent_within_minutes,
        settings: body.settings,
        daily_limit: body.daily_limit,
        time_zone: body.timezone,
        signature_html: body.signature_html,
        signature_text: body.signature_text,
        save_anyway: body.save_anyway,
    };
    let connected = mailboxes::connect(&env, ws, new, &caller.actor()).await?;
    Ok(Created(ConnectedOut {
        mailbox: connected.account.into(),
        test: connected.legs.into_iter().map(LegOut::from).collect(),
        left_campaigns: (connected.left.into_iter())
            .map(|(id, name)| LeftOut {
                id: id.to_string(),
                name,
            })
            .collect(),
    }))
}
