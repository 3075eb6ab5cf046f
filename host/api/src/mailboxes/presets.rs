use axum::extract::State;
use overture_engine::{Env, mailboxes};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Answer, Caller, Error};

/// A mail service whose settings are known.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PresetOut {
    /// The plugin that knows it.
    provider: String,
    /// `gmail`, `fastmail`...
    key: String,
    name: String,
    /// Which password is needed and where it is made.
    password_hint: String,
    /// Mail domains that it is proposed for.
    domains: Vec<String>,
    smtp: Option<ServerOut>,
    imap: Option<ServerOut>,
    /// The service's own limit.
    recipients_per_day: Option<u32>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ServerOut {
    host: String,
    port: u16,
}

/// The mail services whose settings are known.
#[utoipa::path(get, path = "/mailboxes/presets", tag = "Mailboxes", responses((status = 200, body = Answer<Vec<PresetOut>>)))]
pub(super) async fn presets(
    State(env): State<Env>,
    caller: Caller,
) -> Result<Answer<Vec<PresetOut>>, Error> {
    let ws = caller.allow("mailboxes:read")?;
    let presets = mailboxes::presets(&env, ws)
        .await
        .into_iter()
        .map(|known| PresetOut {
            provider: known.provider,
            key: known.preset.key,
            name: known.preset.name,
            password_hint: known.preset.password_hint,
            domains: known.preset.domains,
            smtp: known.preset.smtp.map(|server| ServerOut {
                host: server.host,
                port: server.port,
            }),
            imap: known.preset.imap.map(|server| ServerOut {
                host: server.host,
                port: server.port,
            }),
            recipients_per_day: known.preset.recipients_per_day,
        });
    Ok(Answer::new(presets.collect()))
}
