//! Network providers: they act on a social network on behalf of an account.

mod records;

use overture_domain::WorkspaceId;
use overture_plugin_pack::Kind;

use crate::{
    bindings::exports::overture::plugin::network_provider as wit,
    call::{Call, Guest},
    error::{CallError, LoadError},
    exports::{Export, Function},
    state::GuestState,
};

pub use records::{
    Acceptance, AccountState, AccountStatus, Done, Invited, NetworkAccount, NetworkPage,
    NetworkProblem, NetworkSignal, Profile, Received,
};

/// Signals in one page of a sync, at most.
const MAX_LISTED: usize = 1_000;

/// Bytes of a cursor, at most: it is kept with the account.
const MAX_CURSOR: usize = 16 * 1024;

/// Bytes of what a service calls something, at most: no database index takes more.
const MAX_ID: usize = 500;

/// A plugin that provides a network. What it answers to `invite` and `send_message` is all that
/// anybody knows of the outcome: the attempt is committed before either is called (SAFE-3).
#[derive(Clone)]
pub struct NetworkProvider(pub(crate) Guest);

type Answer<T> = Result<Result<T, NetworkProblem>, CallError>;

impl NetworkProvider {
    /// Whether the account can act.
    ///
    /// # Errors
    /// [`CallError`] says what went wrong with the plugin, [`NetworkProblem`] is its own answer;
    /// so it is for every call here.
    pub async fn check_status(
        &self,
        workspace: WorkspaceId,
        account: &NetworkAccount,
    ) -> Answer<AccountState> {
        let exports = self.0.exports().network_provider()?;
        let judge = |(answer,): (Result<wit::AccountState, wit::NetworkProblem>,)| {
            Ok(answer.map(Into::into).map_err(Into::into))
        };
        let params = (account.wit(),);
        self.call(
            workspace,
            account.bytes(),
            &exports.check_status,
            params,
            judge,
        )
        .await
    }

    /// Whose profile stands at a URL.
    pub async fn find_profile(
        &self,
        workspace: WorkspaceId,
        account: &NetworkAccount,
        url: &str,
    ) -> Answer<Profile> {
        let exports = self.0.exports().network_provider()?;
        let input = account.bytes() + url.len() as u64;
        let params = (account.wit(), url);
        self.call(
            workspace,
            input,
            &exports.find_profile,
            params,
            judge_profile,
        )
        .await
    }

    /// Invites a profile, given by what the service calls it.
    pub async fn invite(
        &self,
        workspace: WorkspaceId,
        account: &NetworkAccount,
        profile: &str,
        note: Option<&str>,
    ) -> Answer<Invited> {
        let exports = self.0.exports().network_provider()?;
        let input = account.bytes() + (profile.len() + note.map_or(0, str::len)) as u64;
        let judge = |(answer,): (Result<wit::Invited, wit::NetworkProblem>,)| {
            Ok(answer.map(Into::into).map_err(Into::into))
        };
        let params = (account.wit(), profile, note);
        self.call(workspace, input, &exports.invite, params, judge)
            .await
    }

    /// Writes to a profile.
    pub async fn send_message(
        &self,
        workspace: WorkspaceId,
        account: &NetworkAccount,
        profile: &str,
        text: &str,
    ) -> Answer<Done> {
        let exports = self.0.exports().network_provider()?;
        let input = account.bytes() + (profile.len() + text.len()) as u64;
        let judge = |(answer,): (Result<wit::Done, wit::NetworkProblem>,)| {
            Ok(answer.map(Into::into).map_err(Into::into))
        };
        let params = (account.wit(), profile, text);
        self.call(workspace, input, &exports.send_message, params, judge)
            .await
    }

    /// Asks what happened since `cursor`; none begins anew.
    pub async fn sync(
        &self,
        workspace: WorkspaceId,
        account: &NetworkAccount,
        cursor: Option<&str>,
    ) -> Answer<NetworkPage> {
        let exports = self.0.exports().network_provider()?;
        let input = account.bytes() + cursor.map_or(0, str::len) as u64;
        let params = (account.wit(), cursor);
        self.call(workspace, input, &exports.sync, params, judge_page)
            .await
    }

    async fn call<F: Function, R>(
        &self,
        workspace: WorkspaceId,
        input_bytes: u64,
        export: &Export<F>,
        params: F::Params<'_>,
        judge: impl FnOnce(F::Answer) -> Result<R, CallError>,
    ) -> Result<R, CallError> {
        let call = Call {
            workspace,
            input_bytes,
            mailbox: None,
        };
        self.0.call(call, export, params, judge).await.0
    }
}

/// The functions that the host calls; the interface has more.
pub(crate) struct NetworkProviderExports {
    check_status: Export<CheckStatus>,
    find_profile: Export<FindProfile>,
    invite: Export<Invite>,
    send_message: Export<SendMessage>,
    sync: Export<Sync>,
}

impl NetworkProviderExports {
    pub(crate) fn find(
        plugin: &wasmtime::component::InstancePre<GuestState>,
    ) -> Result<Self, LoadError> {
        Ok(Self {
            check_status: Export::find(plugin)?,
            find_profile: Export::find(plugin)?,
            invite: Export::find(plugin)?,
            send_message: Export::find(plugin)?,
            sync: Export::find(plugin)?,
        })
    }
}

struct CheckStatus;
impl Function for CheckStatus {
    const KIND: Kind = Kind::NetworkProvider;
    const NAME: &'static str = "check-status";
    type Params<'a> = (wit::Account<'a>,);
    type Answer = (Result<wit::AccountState, wit::NetworkProblem>,);
}

struct FindProfile;
impl Function for FindProfile {
    const KIND: Kind = Kind::NetworkProvider;
    const NAME: &'static str = "find-profile";
    type Params<'a> = (wit::Account<'a>, &'a str);
    type Answer = (Result<wit::Profile, wit::NetworkProblem>,);
}

struct Invite;
impl Function for Invite {
    const KIND: Kind = Kind::NetworkProvider;
    const NAME: &'static str = "invite";
    type Params<'a> = (wit::Account<'a>, &'a str, Option<&'a str>);
    type Answer = (Result<wit::Invited, wit::NetworkProblem>,);
}

struct SendMessage;
impl Function for SendMessage {
    const KIND: Kind = Kind::NetworkProvider;
    const NAME: &'static str = "send-message";
    type Params<'a> = (wit::Account<'a>, &'a str, &'a str);
    type Answer = (Result<wit::Done, wit::NetworkProblem>,);
}

struct Sync;
impl Function for Sync {
    const KIND: Kind = Kind::NetworkProvider;
    const NAME: &'static str = "sync";
    type Params<'a> = (wit::Account<'a>, Option<&'a str>);
    type Answer = (Result<wit::SignalPage, wit::NetworkProblem>,);
}

fn judge_profile(
    (answer,): (Result<wit::Profile, wit::NetworkProblem>,),
) -> Result<Result<Profile, NetworkProblem>, CallError> {
    let profile = match answer {
        Ok(profile) => Profile::from(profile),
        Err(problem) => return Ok(Err(problem.into())),
    };
    check_id("profile", &profile.provider_id)?;
    Ok(Ok(profile))
}

fn judge_page(
    (answer,): (Result<wit::SignalPage, wit::NetworkProblem>,),
) -> Result<Result<NetworkPage, NetworkProblem>, CallError> {
    let page = match answer {
        Ok(page) => NetworkPage::from(page),
        Err(problem) => return Ok(Err(problem.into())),
    };
    let bad = |what| Err(CallError::BadAnswer { what });
    let listed = page.signals.len();
    if listed > MAX_LISTED {
        return bad(format!(
            "a page of {listed}, at most {MAX_LISTED}; say `more` instead"
        ));
    }
    if page.cursor.len() > MAX_CURSOR {
        return bad(format!(
            "a cursor of {} bytes, at most {MAX_CURSOR}",
            page.cursor.len()
        ));
    }
    for signal in &page.signals {
        match signal {
            NetworkSignal::Accepted(accepted) => check_id("profile", &accepted.profile)?,
            NetworkSignal::Message(message) => {
                check_id("profile", &message.profile)?;
                check_id("message", &message.id)?;
            }
            NetworkSignal::Status(_) => {}
        }
    }
    Ok(Ok(page))
}

/// Ids are kept and compared.
fn check_id(of: &str, id: &str) -> Result<(), CallError> {
    if id.is_empty() || id.len() > MAX_ID || id.contains('\0') {
        let what =
            format!("the id of a {of} is empty, holds a NUL, or is longer than {MAX_ID} bytes");
        return Err(CallError::BadAnswer { what });
    }
    Ok(())
}
