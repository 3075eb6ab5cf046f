//! Mail providers: they know a mail service's presets, limits and habits, and work on mailboxes
//! whose sessions the host holds.

use std::sync::Arc;

use overture_domain::{Timestamp, WorkspaceId};
use overture_plugin_pack::Kind;

use crate::{
    bindings::{
        exports::overture::plugin::mail_provider as wit, overture::plugin::mailbox as wit_mailbox,
    },
    call::{Call, Guest},
    capabilities::mailbox::{
        Failure, MailRef, MailSession, Mailbox, Outgoing, Reply, SubmissionRecord, account_handle,
        outgoing_handle,
    },
    error::CallError,
    exports::{Export, Function},
    types::timestamp,
};

/// Mails, signals or folders in one page of a sync, at most.
const MAX_LISTED: usize = 1_000;

/// Bytes of a cursor, at most: it is kept with the account.
const MAX_CURSOR: usize = 16 * 1024;

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

/// A plugin that provides mail.
#[derive(Clone)]
pub struct MailProvider(pub(crate) Guest);

impl MailProvider {
    /// The grant `raw-mail`: the guest has a transport of its own and may read the bytes. Then
    /// the attempt is committed before [`MailProvider::send`] is called (SAFE-3).
    pub fn has_own_transport(&self) -> bool {
        self.0.policy().grants.raw_mail()
    }

    /// The services that it knows (MB-1).
    ///
    /// # Errors
    /// [`CallError`] says what went wrong with the plugin.
    pub async fn presets(&self, workspace: WorkspaceId) -> Result<Vec<Preset>, CallError> {
        let call = Call {
            workspace,
            input_bytes: 0,
            mailbox: None,
        };
        let export = &self.0.exports().mail_provider()?.presets;
        let (answer, _) = self
            .0
            .call(call, export, (), |(presets,)| judge_presets(presets))
            .await;
        answer
    }

    /// Tests the account's connections for real (MB-2).
    ///
    /// # Errors
    /// [`CallError`] says what went wrong with the plugin; what is wrong with the account stands
    /// in the legs.
    pub async fn check(
        &self,
        workspace: WorkspaceId,
        account: Arc<dyn MailSession>,
    ) -> Result<Vec<Leg>, CallError> {
        let call = Call {
            workspace,
            input_bytes: 0,
            mailbox: Some(Mailbox::new(account, None)),
        };
        let export = &self.0.exports().mail_provider()?.check;
        let judge = |(legs,): (Vec<wit::Leg>,)| Ok(legs.into_iter().map(Into::into).collect());
        let (answer, _) = self.0.call(call, export, (account_handle(),), judge).await;
        answer
    }

    /// Sends a mail. The outcome holds what the host saw beside what the guest says: the first
    /// decides (SAFE-3).
    pub async fn send(
        &self,
        workspace: WorkspaceId,
        account: Arc<dyn MailSession>,
        outgoing: Outgoing,
    ) -> SendOutcome {
        let export = match self.0.exports().mail_provider() {
            Ok(exports) => &exports.send,
            Err(e) => {
                return SendOutcome {
                    submission: SubmissionRecord::NotTried,
                    answer: Err(e),
                };
            }
        };
        let envelope = outgoing.envelope.clone();
        let call = Call {
            workspace,
            input_bytes: outgoing.bytes.len() as u64,
            mailbox: Some(Mailbox::new(account, Some(outgoing))),
        };
        let envelope = wit::Envelope {
            sender: &envelope.sender,
            recipient: &envelope.recipient,
        };
        let params = (account_handle(), envelope, outgoing_handle());
        let judge = |(answer,): (Result<wit::Sent, wit::Problem>,)| {
            Ok(answer.map(Into::into).map_err(Problem::from))
        };
        let (answer, mailbox) = self.0.call(call, export, params, judge).await;
        let submission = mailbox.map(|mailbox| mailbox.record).unwrap_or_default();
        SendOutcome { submission, answer }
    }

    /// Asks what is new since `cursor`; none begins anew.
    ///
    /// # Errors
    /// [`CallError`] says what went wrong with the plugin, [`Problem`] is its own answer.
    pub async fn sync(
        &self,
        workspace: WorkspaceId,
        account: Arc<dyn MailSession>,
        cursor: Option<&str>,
    ) -> Result<Result<SyncPage, Problem>, CallError> {
        let call = Call {
            workspace,
            input_bytes: cursor.map_or(0, |c| c.len() as u64),
            mailbox: Some(Mailbox::new(account, None)),
        };
        let export = &self.0.exports().mail_provider()?.sync;
        let (answer, _) = self
            .0
            .call(call, export, (account_handle(), cursor), judge_page)
            .await;
        answer
    }
}

pub(crate) struct MailProviderExports {
    presets: Export<Presets>,
    check: Export<Check>,
    send: Export<Send>,
    sync: Export<Sync>,
}

impl MailProviderExports {
    pub(crate) fn find(
        plugin: &wasmtime::component::InstancePre<crate::state::GuestState>,
    ) -> Result<Self, crate::error::LoadError> {
        Ok(Self {
            presets: Export::find(plugin)?,
            check: Export::find(plugin)?,
            send: Export::find(plugin)?,
            sync: Export::find(plugin)?,
        })
    }
}

type Account = wasmtime::component::Resource<wit_mailbox::Account>;
type Mail = wasmtime::component::Resource<wit_mailbox::Outgoing>;

struct Presets;
impl Function for Presets {
    const KIND: Kind = Kind::MailProvider;
    const NAME: &'static str = "presets";
    type Params<'a> = ();
    type Answer = (Vec<wit::Preset>,);
}

struct Check;
impl Function for Check {
    const KIND: Kind = Kind::MailProvider;
    const NAME: &'static str = "check";
    type Params<'a> = (Account,);
    type Answer = (Vec<wit::Leg>,);
}

struct Send;
impl Function for Send {
    const KIND: Kind = Kind::MailProvider;
    const NAME: &'static str = "send";
    type Params<'a> = (Account, wit::Envelope<'a>, Mail);
    type Answer = (Result<wit::Sent, wit::Problem>,);
}

struct Sync;
impl Function for Sync {
    const KIND: Kind = Kind::MailProvider;
    const NAME: &'static str = "sync";
    type Params<'a> = (Account, Option<&'a str>);
    type Answer = (Result<wit::SyncPage, wit::Problem>,);
}

fn judge_presets(presets: Vec<wit::Preset>) -> Result<Vec<Preset>, CallError> {
    let mut judged: Vec<Preset> = Vec::with_capacity(presets.len());
    for preset in presets {
        if preset.key.is_empty() || judged.iter().any(|p| p.key == preset.key) {
            let what = format!("the preset key `{}` is empty or stands twice", preset.key);
            return Err(CallError::BadAnswer { what });
        }
        judged.push(preset.into());
    }
    Ok(judged)
}

fn judge_page(
    (answer,): (Result<wit::SyncPage, wit::Problem>,),
) -> Result<Result<SyncPage, Problem>, CallError> {
    let page = match answer {
        Ok(page) => page,
        Err(problem) => return Ok(Err(problem.into())),
    };
    let listed = page
        .mails
        .len()
        .max(page.signals.len())
        .max(page.watch.len());
    let what = if listed > MAX_LISTED {
        format!("a page of {listed}, at most {MAX_LISTED}; say `more` instead")
    } else if page.cursor.len() > MAX_CURSOR {
        format!(
            "a cursor of {} bytes, at most {MAX_CURSOR}",
            page.cursor.len()
        )
    } else {
        return Ok(Ok(page.into()));
    };
    Err(CallError::BadAnswer { what })
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
