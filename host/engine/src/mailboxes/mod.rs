//! Mailboxes: connecting, testing, changing, pausing and deleting them (MB-1 to MB-5, MB-11).
//!
//! What a provider plugin does with a mailbox it does through a [`Session`]; the status of a
//! mailbox changes only in [`status`], together with its audit row and the event (SAFE-4).

mod breaker;
mod change;
mod connect;
mod connections;
mod input;
mod remove;
mod sent_copy;
mod session;
pub mod status;
mod submission;
mod trial;
mod trouble;

use overture_domain::{
    AccountId, WorkspaceId,
    accounts::{Account, Channel},
};
use overture_store::{Slice, accounts as store};

use crate::{Env, Error, ProviderPreset, Result};

pub use change::{MailboxChange, update};
pub use connect::{Connected, NewMailbox, connect};
pub use connections::{ConnectionLimits, Connections, NoPlace};
pub use input::{DEFAULT_DAILY_LIMIT, MAX_DAILY_LIMIT};
pub use remove::delete;
pub use sent_copy::file_sent_copy;
pub(crate) use session::binding as credentials_binding;
pub use session::{Session, endpoints};
pub use trial::{Leg, Problem, look, test};
pub use trouble::fix;

/// One mailbox of the workspace.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(env: &Env, ws: WorkspaceId, id: AccountId) -> Result<Account> {
    store::find(&mut env.db.reader(), ws, id)
        .await?
        .filter(|account| account.channel == Channel::Mail)
        .ok_or(Error::NotFound("mailbox"))
}

/// A page of the workspace's mailboxes, oldest first, after `after`.
///
/// # Errors
/// Only the store's.
pub async fn list(
    env: &Env,
    ws: WorkspaceId,
    filter: &store::Filter,
    slice: &Slice<store::Sort>,
) -> Result<Vec<Account>> {
    let mailboxes = store::Filter {
        channel: Some(Channel::Mail),
        ..filter.clone()
    };
    Ok(store::list(&mut env.db.reader(), ws, &mailboxes, slice).await?)
}

/// The mail services whose settings are known (MB-1), of all providers.
pub async fn presets(env: &Env, ws: WorkspaceId) -> Vec<ProviderPreset> {
    env.providers.presets(ws).await
}
