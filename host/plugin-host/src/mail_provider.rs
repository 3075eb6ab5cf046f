//! Mail providers: they know a mail service's presets, limits and habits, and work on mailboxes
//! whose sessions the host holds.

mod records;

use std::sync::Arc;

use overture_domain::WorkspaceId;
use overture_plugin_pack::Kind;

use crate::{
    bindings::{
        exports::overture::plugin::mail_provider as wit, overture::plugin::mailbox as wit_mailbox,
    },
    call::{Call, Guest},
    capabilities::mailbox::{
        MailSession, Mailbox, Outgoing, SubmissionRecord, account_handle, outgoing_handle,
    },
    error::CallError,
    exports::{Export, Function},
};

pub use records::{
    AuthKind, Incoming, Leg, LegProblem, Preset, Problem, SendOutcome, Sent, Server, Signal,
    SignalKind, SyncPage, TlsMode,
};

/// Mails, signals or folders in one page of a sync, at most.
const MAX_LISTED: usize = 1_000;

/// Bytes of a cursor, at most: it is kept with the account.
const MAX_CURSOR: usize = 16 * 1024;

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
