//! Providers as the engine calls them: by the id that stands in an account's row. The registry of
//! plugins implements [`MailProviders`] and [`NetworkProviders`]; tests put scripted ones in its
//! place.

use std::sync::Arc;

use async_trait::async_trait;
use overture_domain::WorkspaceId;
use overture_plugin_host::{
    AccountState, CallError, Done, Invited, Leg, NetworkAccount, NetworkPage, NetworkProblem,
    Preset, Problem, Profile, SendOutcome, SyncPage,
    capabilities::mailbox::{MailSession, Outgoing},
};

/// A preset and the provider that knows it (MB-1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderPreset {
    /// The id of the provider plugin.
    pub provider: String,
    pub preset: Preset,
}

/// The mail providers of this process. A provider that is missing, disabled or in quarantine is a
/// [`CallError`] of the call, never a panic.
#[async_trait]
pub trait MailProviders: Send + Sync {
    /// The presets of all providers, in the order of their ids.
    async fn presets(&self, ws: WorkspaceId) -> Vec<ProviderPreset>;

    /// Whether the provider carries the mails itself (grant `raw-mail`): then the attempt is
    /// committed before [`send`](Self::send) is called, else by the session after the 354
    /// (SAFE-3).
    ///
    /// # Errors
    /// [`CallError`] when no such provider can be called.
    fn has_own_transport(&self, provider: &str) -> Result<bool, CallError>;

    /// Tests an account's connections for real (MB-2).
    ///
    /// # Errors
    /// [`CallError`] for the plugin's own failures; the account's stand in the legs.
    async fn check(
        &self,
        ws: WorkspaceId,
        provider: &str,
        session: Arc<dyn MailSession>,
    ) -> Result<Vec<Leg>, CallError>;

    /// Sends one mail. What the host saw of the submission outranks what the guest says (SAFE-3).
    async fn send(
        &self,
        ws: WorkspaceId,
        provider: &str,
        session: Arc<dyn MailSession>,
        mail: Outgoing,
    ) -> SendOutcome;

    /// Asks what is new since `cursor`; none begins anew.
    ///
    /// # Errors
    /// [`CallError`] for the plugin's own failures, [`Problem`] is its answer.
    async fn sync(
        &self,
        ws: WorkspaceId,
        provider: &str,
        session: Arc<dyn MailSession>,
        cursor: Option<&str>,
    ) -> Result<Result<SyncPage, Problem>, CallError>;
}

/// What a provider of a network answers; [`CallError`] stands for the plugin's own failures.
pub type NetworkAnswer<T> = Result<Result<T, NetworkProblem>, CallError>;

/// The network providers of this process: the channels beside mail. None can be watched while it
/// acts, so the attempt is committed before [`invite`](Self::invite) and
/// [`send_message`](Self::send_message) (SAFE-3).
#[async_trait]
pub trait NetworkProviders: Send + Sync {
    /// Whether an account can act.
    async fn check_status(
        &self,
        ws: WorkspaceId,
        provider: &str,
        account: &NetworkAccount,
    ) -> NetworkAnswer<AccountState>;

    /// Whose profile stands at a URL.
    async fn find_profile(
        &self,
        ws: WorkspaceId,
        provider: &str,
        account: &NetworkAccount,
        url: &str,
    ) -> NetworkAnswer<Profile>;

    /// Invites a profile.
    async fn invite(
        &self,
        ws: WorkspaceId,
        provider: &str,
        account: &NetworkAccount,
        profile: &str,
        note: Option<&str>,
    ) -> NetworkAnswer<Invited>;

    /// Writes to a profile.
    async fn send_message(
        &self,
        ws: WorkspaceId,
        provider: &str,
        account: &NetworkAccount,
        profile: &str,
        text: &str,
    ) -> NetworkAnswer<Done>;

    /// Asks what happened since `cursor`; none begins anew.
    async fn sync(
        &self,
        ws: WorkspaceId,
        provider: &str,
        account: &NetworkAccount,
        cursor: Option<&str>,
    ) -> NetworkAnswer<NetworkPage>;
}

/// What a session awaits between the server's 354 and the first byte of a mail's body (SAFE-3).
#[async_trait]
pub trait BeforeBody: Send + Sync {
    /// Commits the attempt.
    ///
    /// # Errors
    /// Why it could not be committed: then the body must not go out, the session gives the mail
    /// up (stage `data`), and it was *not sent*.
    async fn commit_attempt(&self) -> Result<(), String>;
}
