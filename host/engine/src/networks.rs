//! Accounts of networks: the channels beside mail.

use overture_domain::{
    WorkspaceId,
    accounts::{Account, AccountStatus, Channel},
    people::Actor,
};
use overture_plugin_host::{self as plugins, AccountState, NetworkAccount};
use overture_store::{accounts as store, accounts::StatusChange, events};
use serde_json::Value;

use crate::{Env, Error, Part, Result, mailboxes::status};

/// An account as its provider is told of it.
pub(crate) fn told(account: &Account) -> NetworkAccount {
    NetworkAccount {
        id: account.id.to_string(),
        provider_id: Some(account.address.clone()),
        settings: account.settings.to_string(),
    }
}

/// The status that a provider reports, and its words.
pub(crate) fn status_of(state: AccountState) -> (AccountStatus, String) {
    match state.status {
        plugins::AccountStatus::Connecting => (
            AccountStatus::Connecting,
            "the sign-in is under way".to_owned(),
        ),
        plugins::AccountStatus::Connected => (
            AccountStatus::Connected,
            "the network reports it as connected".to_owned(),
        ),
        plugins::AccountStatus::NeedsVerification(words) => {
            (AccountStatus::NeedsVerification, words)
        }
        plugins::AccountStatus::Disconnected(words) => (AccountStatus::Disconnected, words),
        plugins::AccountStatus::Restricted(words) => (AccountStatus::Restricted, words),
    }
}

/// An account of a network that its service knows already.
#[derive(Clone, Debug)]
pub struct NewNetworkAccount {
    pub channel: Channel,
    /// The id of the provider plugin.
    pub provider: String,
    /// What the service calls it.
    pub address: String,
    pub sender_name: String,
    /// Valid against the provider's manifest.
    pub settings: Value,
}

/// Asks the provider for the account's status and saves it with that; its first sync is due at
/// once. Signing in at the service's own page (LI-1) comes before this.
///
/// # Errors
/// [`Error::Outside`] when the provider can't be called or refuses; [`Error::Conflict`] when the
/// workspace has the account.
pub async fn connect(
    env: &Env,
    ws: WorkspaceId,
    new: NewNetworkAccount,
    actor: &Actor,
) -> Result<Account> {
    let now = env.now();
    let account = Account {
        id: env.id(),
        workspace_id: ws,
        channel: new.channel,
        provider: new.provider,
        preset: String::new(),
        address: new.address,
        sender_name: new.sender_name,
        status: AccountStatus::Connecting,
        status_reason: String::new(),
        status_audit_id: env.id(),
        settings: new.settings,
        // Its limits are those of each kind (LI-5).
        daily_limit: 0,
        time_zone: "UTC".to_owned(),
        signature_html: String::new(),
        signature_text: String::new(),
        next_send_at: now,
        backoff_until: Default::default(),
        backoff_rung: 0,
        auth_failures: 0,
        sync_cursor: None,
        sync_due_at: now,
        synced_at: None,
        sync_error: None,
        created_at: now,
        updated_at: now,
    };
    let state = env
        .networks
        .check_status(ws, &account.provider, &told(&account))
        .await
        .map_err(|error| Error::Outside(error.to_string()))?
        .map_err(|problem| Error::Outside(words(&problem)))?;
    let (to, reason) = status_of(state);
    let change = StatusChange {
        audit_id: account.status_audit_id,
        from: None,
        to,
        reason,
        actor: actor.to_string(),
        at: now,
    };
    let mut tx = env.db.begin().await?;
    match store::insert(&mut tx, &account, None, &change).await {
        Err(overture_store::Error::Unique) => {
            let message = format!("the workspace has the account {} already", account.address);
            return Err(Error::Conflict(message));
        }
        other => other?,
    }
    let event = status::changed(env, &account, None, to, &change.reason);
    events::insert(&mut tx, &[event]).await?;
    tx.commit().await?;
    env.wakes.wake(Part::Inboxes);
    let found = store::find(&mut env.db.reader(), ws, account.id).await?;
    found.ok_or(Error::NotFound("account"))
}

/// What a provider says of a problem, for people.
pub(crate) fn words(problem: &plugins::NetworkProblem) -> String {
    use plugins::NetworkProblem::{
        Auth, Denied, Limited, NotConnected, NotFound, Rejected, Restricted, Temporary, Unclear,
    };
    match problem {
        Limited(None) => "the network asks for patience".to_owned(),
        Limited(Some(until)) => format!("the network asks for patience until {until}"),
        NotFound(words) | NotConnected(words) | Restricted(words) | Auth(words)
        | Temporary(words) | Unclear(words) | Rejected(words) | Denied(words) => words.clone(),
    }
}
