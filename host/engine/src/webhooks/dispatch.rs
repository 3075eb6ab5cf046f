//! Events become deliveries.

use std::{collections::BTreeMap, time::Duration};

use overture_domain::{
    WebhookId, WorkspaceId,
    events::{Event, EventKind},
    webhooks::{Webhook, subscribes},
};
use overture_store::{
    deliveries::{self, NewDelivery},
    events::{self, Placed},
    webhooks as store,
};

use crate::{Due, Env, Part, Result};

/// Whose cursor over the events this is.
const CONSUMER: &str = "webhooks";

/// Events that one transaction takes.
const PAGE: i64 = 500;

/// How soon to look again for events behind an older transaction that is still open. Its end wakes
/// nobody when it wrote no event itself.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The part [`Part::Dispatch`]: makes a delivery of each new event for each webhook that asked for
/// it (API-6). The cursor moves in the transaction that writes them, so there is exactly one for
/// each webhook and event, however often this is cut off.
///
/// A webhook is told of what happened since it was made. While it is paused its deliveries wait.
///
/// # Errors
/// Of the database; then nothing was dispatched, and it may be called again.
pub async fn dispatch(env: &Env) -> Result<Due> {
    loop {
        let mut on = env.db.reader();
        let from = events::cursor(&mut on, CONSUMER).await?;
        let page = events::list_all(&mut on, from, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(match events::has_after(&mut on, from).await? {
                true => Due::At(env.now() + LOOK_AGAIN),
                false => Due::WhenWoken,
            });
        };
        let mut tx = env.db.begin().await?;
        if !events::move_cursor(&mut tx, CONSUMER, from, last.position).await? {
            // Another host was faster.
            continue;
        }
        let told: Vec<&Event> = page
            .iter()
            .map(|Placed { event, .. }| event)
            .filter(|event| event.kind.is_public())
            .collect();
        let new = match told.is_empty() {
            true => Vec::new(),
            false => {
                let mut workspaces: Vec<_> = told.iter().map(|event| event.workspace_id).collect();
                workspaces.sort_unstable();
                workspaces.dedup();
                let webhooks = store::list_of(&mut tx, &workspaces).await?;
                deliveries_of(env, &told, &webhooks)
            }
        };
        deliveries::insert(&mut tx, &new, env.now()).await?;
        tx.commit().await?;
        if !new.is_empty() {
            env.wakes.wake(Part::Deliveries);
        }
    }
}

fn deliveries_of(env: &Env, events: &[&Event], webhooks: &[Webhook]) -> Vec<NewDelivery> {
    let mut by_workspace = BTreeMap::<WorkspaceId, Vec<&Webhook>>::new();
    for webhook in webhooks {
        by_workspace
            .entry(webhook.workspace_id)
            .or_default()
            .push(webhook);
    }
    let mut new = Vec::new();
    for event in events {
        let webhooks = by_workspace.get(&event.workspace_id);
        for webhook in webhooks.into_iter().flatten() {
            if is_told(webhook, event) {
                new.push(NewDelivery {
                    id: env.id(),
                    workspace_id: event.workspace_id,
                    webhook_id: webhook.id,
                    event_id: event.id,
                });
            }
        }
    }
    new
}

/// A test goes to the webhook that it names, whatever that one asked for.
fn is_told(webhook: &Webhook, event: &Event) -> bool {
    match event.kind {
        EventKind::WebhookTest => {
            let named = event.data["webhookId"].as_str();
            named.and_then(|id| id.parse::<WebhookId>().ok()) == Some(webhook.id)
        }
        kind => subscribes(&webhook.events, kind) && event.occurred_at >= webhook.created_at,
    }
}
