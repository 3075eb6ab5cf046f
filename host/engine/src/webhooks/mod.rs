//! Webhooks: who is told of events, and telling them (API-6 to API-10).
//!
//! An event that a webhook asked for becomes a delivery ([`dispatch`], with a cursor of its own
//! over the events). A due delivery is formatted by a plugin, signed by the host and posted
//! ([`deliver`]). URL and secrets are sealed in the database; the log of a delivery holds its
//! bodies and answers, never the URL or a signature.
//!
//! Nothing here asks a provider for anything or touches a cap (API-10).

mod change;
mod couriers;
mod deliver;
mod dispatch;
mod input;
mod log;
mod request;

pub use change::{create, delete, rotate_secret, test, update};
pub use couriers::Couriers;
pub use deliver::deliver;
pub use dispatch::dispatch;
pub use input::{WebhookIn, WebhookPatch};
pub use log::{Replay, find_delivery, list_deliveries, replay};

use overture_domain::{WebhookId, WorkspaceId, webhooks::Webhook};
use overture_store::webhooks as store;
use overture_vault::{Binding, Secret};

use crate::{Env, Error, Result};

/// The formatter of whoever is not known by their URL (API-9).
pub const GENERIC: &str = "format-generic";

/// A page of the workspace's webhooks, oldest first, after `after`.
///
/// # Errors
/// Of the database alone.
pub async fn list(
    env: &Env,
    ws: WorkspaceId,
    after: Option<WebhookId>,
    limit: i64,
) -> Result<Vec<Webhook>> {
    Ok(store::list(&mut env.db.reader(), ws, after, limit).await?)
}

/// One webhook.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn find(env: &Env, ws: WorkspaceId, id: WebhookId) -> Result<Webhook> {
    let found = store::find(&mut env.db.reader(), ws, id).await?;
    found.ok_or(Error::NotFound("webhook"))
}

/// The URL of a webhook. The URL of a chat is its credential: show it to nobody who could not
/// have set it.
///
/// # Errors
/// [`Error::Vault`] when the master key is not the one that sealed it.
pub fn url(env: &Env, webhook: &Webhook) -> Result<Secret> {
    Ok(env
        .vault
        .open(&url_binding(webhook.workspace_id, webhook.id), &webhook.url)?)
}

pub(crate) fn url_binding(ws: WorkspaceId, id: WebhookId) -> Binding {
    Binding::new("webhooks.url", id, ws)
}

/// Of both secrets: a rotation moves the sealed text from one column to the other.
pub(crate) fn secret_binding(ws: WorkspaceId, id: WebhookId) -> Binding {
    Binding::new("webhooks.secret", id, ws)
}
