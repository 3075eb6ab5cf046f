//! What mail providers answer, as the engine sees it.

use overture_domain::Timestamp;

use super::wit;
use crate::{
    capabilities::mailbox::{Failure, MailRef, Reply, SubmissionRecord},
    error::CallError,
    types::timestamp,
};

/// How TLS begins on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsMode {
    /// From the first byte (ports 465, 993).
    Implicit,
    /// After a command (ports 587, 143).
    Starttls,
}

/// A server of a mail service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How TLS begins.
    pub tls: TlsMode,
}

/// How an account signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthKind {
    /// The account's own password.
    Password,
    /// A password made for one application.
    AppPassword,
    /// OAuth with Google.
    OauthGoogle,
    /// OAuth with Microsoft.
    OauthMicrosoft,
}

/// A mail service whose settings are known (MB-1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preset {
    /// `gmail`, `fastmail`...; kept with the account.
    pub key: String,
    /// What people read.
    pub name: String,
    /// None where the user must say it, or where nothing is dialled.
    pub smtp: Option<Server>,
    /// None where the user must say it, or where nothing is dialled.
    pub imap: Option<Server>,
    /// The ways to sign in, the best first.
    pub auth: Vec<AuthKind>,
    /// Which password is needed and where it is made, in one sentence.
    pub password_hint: String,
    /// Mail domains that this preset is proposed for.
    pub domains: Vec<String>,
    /// The service files mail sent over SMTP into Sent by itself (MB-9).
    pub files_sent: bool,
    /// And within so many minutes, so that absence proves that it was not sent (SAFE-3).
    pub sent_within_minutes: Option<u32>,
    /// The service's own limit (CAP-1).
    pub recipients_per_day: Option<u32>,
    /// The service's own limit (CAP-1).
    pub mails_per_minute: Option<u32>,
}

/// The service took the mail, says the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The service's id of the mail, where it has one.
    pub provider_id: Option<String>,
    /// The server's words, where there are any.
    pub reply: Option<Reply>,
}

/// Why the service did not take it, says the guest, in the product's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The recipient doesn't exist: a hard bounce.
    RecipientRejected(Reply),
    /// Blocked for policy or content: counts against the mailbox, not the prospect.
    PolicyRejected(Reply),
    /// The sender's own quota: back off, no bounce (CAP-3).
    RateLimited(Reply),
    /// Sign-in refused; `code` is one of MB-2.
    Auth(Failure),
    /// Not taken, try again later.
    Temporary(String),
    /// Nobody knows whether it was taken (SAFE-3).
    Unclear(String),
    /// The host refused the guest something.
    Denied(String),
}

/// What became of a `send`.
#[derive(Clone, Debug)]
pub struct SendOutcome {
    /// What the host saw of the submission. For a guest that submits through the host this
    /// decides; for one with its own transport (grant `raw-mail`) it is `NotTried`.
    pub submission: SubmissionRecord,
    /// What the guest answered, or how it failed.
    pub answer: Result<Result<Sent, Problem>, CallError>,
}

/// One leg of a connection test (MB-2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// `smtp`, `imap`.
    pub name: String,
    /// None when it works.
    pub problem: Option<LegProblem>,
}

/// Why a leg doesn't work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegProblem {
    /// How far it came.
    pub stage: String,
    /// A stable code of MB-2.
    pub code: String,
    /// The server's own words.
    pub reply: Option<String>,
    /// What to do.
    pub fix: String,
}

/// A mail that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// In a folder of the account: the host fetches it.
    Stored(MailRef),
    /// Bytes that the guest got from its service (RFC 5322).
    Raw(Vec<u8>),
}

/// What a service reports without a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignalKind {
    /// The mail was opened.
    Opened,
    /// A link in it was clicked.
    Clicked,
    /// The recipient unsubscribed.
    Unsubscribed,
    /// The recipient reported it as spam.
    Complained,
}

/// A report of a service; the host treats it like its own tracking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// What happened.
    pub kind: SignalKind,
    /// The mail that it is about.
    pub message_id: String,
    /// When.
    pub at: Timestamp,
    /// The link of a click.
    pub url: Option<String>,
}

/// What a sync brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncPage {
    /// Opaque; goes back in with the next call.
    pub cursor: String,
    /// Mails, the oldest first.
    pub mails: Vec<Incoming>,
    /// Reports without a mail.
    pub signals: Vec<Signal>,
    /// More waits: call again at once.
    pub more: bool,
    /// Folders whose changes call for the next sync (the host holds IDLE).
    pub watch: Vec<String>,
    /// And at the latest then.
    pub check_again_at: Option<Timestamp>,
}

impl From<wit::Server> for Server {
    fn from(server: wit::Server) -> Self {
        let tls = match server.tls {
            wit::TlsMode::Implicit => TlsMode::Implicit,
            wit::TlsMode::Starttls => TlsMode::Starttls,
        };
        Self {
            host: server.host,
            port: server.port,
            tls,
        }
    }
}

impl From<wit::AuthKind> for AuthKind {
    fn from(kind: wit::AuthKind) -> Self {
        match kind {
            wit::AuthKind::Password => Self::Password,
            wit::AuthKind::AppPassword => Self::AppPassword,
            wit::AuthKind::OauthGoogle => Self::OauthGoogle,
            wit::AuthKind::OauthMicrosoft => Self::OauthMicrosoft,
        }
    }
}

impl From<wit::Preset> for Preset {
    fn from(preset: wit::Preset) -> Self {
        Self {
            key: preset.key,
            name: preset.name,
            smtp: preset.smtp.map(Into::into),
            imap: preset.imap.map(Into::into),
            auth: preset.auth.into_iter().map(Into::into).collect(),
            password_hint: preset.password_hint,
            domains: preset.domains,
            files_sent: preset.files_sent,
            sent_within_minutes: preset.sent_within_minutes,
            recipients_per_day: preset.recipients_per_day,
            mails_per_minute: preset.mails_per_minute,
        }
    }
}

impl From<wit::Sent> for Sent {
    fn from(sent: wit::Sent) -> Self {
        Self {
            provider_id: sent.provider_id,
            reply: sent.reply.map(Into::into),
        }
    }
}

impl From<wit::Problem> for Problem {
    fn from(problem: wit::Problem) -> Self {
        match problem {
            wit::Problem::RecipientRejected(reply) => Self::RecipientRejected(reply.into()),
            wit::Problem::PolicyRejected(reply) => Self::PolicyRejected(reply.into()),
            wit::Problem::RateLimited(reply) => Self::RateLimited(reply.into()),
            wit::Problem::Auth(failure) => Self::Auth(failure.into()),
            wit::Problem::Temporary(what) => Self::Temporary(what),
            wit::Problem::Unclear(what) => Self::Unclear(what),
            wit::Problem::Denied(what) => Self::Denied(what),
        }
    }
}

impl From<wit::Leg> for Leg {
    fn from(leg: wit::Leg) -> Self {
        let problem = leg.problem.map(|p| LegProblem {
            stage: p.stage,
            code: p.code,
            reply: p.reply,
            fix: p.fix,
        });
        Self {
            name: leg.name,
            problem,
        }
    }
}

impl From<wit::SyncPage> for SyncPage {
    fn from(page: wit::SyncPage) -> Self {
        let mail = |mail| match mail {
            wit::Incoming::Stored(mail) => Incoming::Stored(mail.into()),
            wit::Incoming::Raw(bytes) => Incoming::Raw(bytes),
        };
        let signal = |signal: wit::Signal| Signal {
            kind: match signal.kind {
                wit::SignalKind::Opened => SignalKind::Opened,
                wit::SignalKind::Clicked => SignalKind::Clicked,
                wit::SignalKind::Unsubscribed => SignalKind::Unsubscribed,
                wit::SignalKind::Complained => SignalKind::Complained,
            },
            message_id: signal.message_id,
            at: timestamp(signal.at),
            url: signal.url,
        };
        Self {
            cursor: page.cursor,
            mails: page.mails.into_iter().map(mail).collect(),
            signals: page.signals.into_iter().map(signal).collect(),
            more: page.more,
            watch: page.watch,
            check_again_at: page.check_again_at.map(timestamp),
        }
    }
}
