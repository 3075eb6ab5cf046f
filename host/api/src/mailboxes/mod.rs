//! `/mailboxes`

mod create;
mod delete;
mod get;
mod list;
mod pause;
mod presets;
mod resume;
mod test;
mod update;

use overture_domain::{
    Timestamp,
    accounts::{Account, MailServer, SyncError, TlsMode},
};
use overture_engine::mailboxes::{self, Leg, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

endpoints! {
    list::list, create::create;
    presets::presets;
    get::get, update::update, delete::delete;
    test::test;
    pause::pause;
    resume::resume;
}

/// A mailbox that campaigns send from. Credentials are never part of an answer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MailboxOut {
    #[schema(example = "acc_01kjq5t3k8e9v8z2m4n6p7r8s9")]
    id: String,
    #[schema(example = "ada@example.com")]
    email_address: String,
    sender_name: String,
    /// The plugin that talks to the mail service.
    provider: String,
    preset: String,
    /// connecting, connected, disconnected, error or paused.
    status: String,
    /// Why, for people; empty when connected.
    status_reason: String,
    /// Servers and the like, without credentials.
    #[schema(value_type = Object)]
    settings: serde_json::Value,
    /// Campaign and hand-written mails a day.
    daily_limit: i64,
    timezone: String,
    signature_html: String,
    signature_text: String,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_synced_at: Option<Timestamp>,
    /// Why the last look into the inbox failed.
    last_sync_error: Option<SyncErrorOut>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// Where a sync failed and what the server said.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SyncErrorOut {
    /// How far it came: dns, tcp, tls, greeting, auth, select or fetch; plugin where the provider
    /// itself failed.
    stage: String,
    /// Stable: auth_invalid, tls_expired, connection_refused...
    code: String,
    /// The server's own words.
    reply: Option<String>,
    detail: String,
    /// What to do.
    fix: String,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

impl From<SyncError> for SyncErrorOut {
    fn from(error: SyncError) -> Self {
        Self {
            fix: mailboxes::fix(&error),
            stage: error.stage,
            code: error.code,
            reply: error.reply,
            detail: error.detail,
            at: error.at,
        }
    }
}

impl From<Account> for MailboxOut {
    fn from(account: Account) -> Self {
        Self {
            id: account.id.to_string(),
            email_address: account.address,
            sender_name: account.sender_name,
            provider: account.provider,
            preset: account.preset,
            status: account.status.to_string(),
            status_reason: account.status_reason,
            settings: account.settings,
            daily_limit: account.daily_limit,
            timezone: account.time_zone,
            signature_html: account.signature_html,
            signature_text: account.signature_text,
            last_synced_at: account.synced_at,
            last_sync_error: account.sync_error.map(SyncErrorOut::from),
            created_at: account.created_at,
            updated_at: account.updated_at,
        }
    }
}

/// Where a mail server is.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ServerIn {
    #[schema(example = "smtp.example.com")]
    host: String,
    #[schema(example = 587)]
    port: u16,
    /// `starttls` (587, 143) or `implicit` (465, 993).
    #[schema(value_type = String, example = "starttls")]
    tls: TlsMode,
}

impl From<ServerIn> for MailServer {
    fn from(server: ServerIn) -> Self {
        Self {
            host: server.host,
            port: server.port,
            tls: server.tls,
        }
    }
}

/// One leg of a connection test.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LegOut {
    /// `smtp`, `imap`, or what the provider calls its own.
    name: String,
    ok: bool,
    problem: Option<ProblemOut>,
}

/// Why a leg doesn't work.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ProblemOut {
    /// How far it came: dns, tcp, tls, auth...
    stage: String,
    /// Stable: auth_invalid, tls_self_signed, connection_refused...
    code: String,
    /// The server's own words.
    reply: Option<String>,
    /// What to do.
    fix: String,
    /// SHA-256 of a refused certificate, for pinning.
    certificate: Option<String>,
}

impl From<Leg> for LegOut {
    fn from(leg: Leg) -> Self {
        Self {
            name: leg.name,
            ok: leg.problem.is_none(),
            problem: leg.problem.map(ProblemOut::from),
        }
    }
}

impl From<Problem> for ProblemOut {
    fn from(problem: Problem) -> Self {
        Self {
            stage: problem.stage,
            code: problem.code,
            reply: problem.reply,
            fix: problem.fix,
            certificate: problem.certificate,
        }
    }
}
