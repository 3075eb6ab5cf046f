//! The delivery log (API-9), and telling again.

use overture_domain::{
    DeliveryId, WebhookId, WorkspaceId,
    webhooks::{Delivery, DeliveryState, DeliveryTry},
};
use overture_store::deliveries as store;

use crate::{Env, Error, Part, Result};

/// What to tell again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replay {
    /// These, whatever became of them.
    Deliveries(Vec<DeliveryId>),
    /// Every dead letter of the webhook.
    Dead,
}

/// A page of a webhook's deliveries, newest first, before `before`.
///
/// # Errors
/// [`Error::NotFound`] when there is no such webhook.
pub async fn list_deliveries(
    env: &Env,
    ws: WorkspaceId,
    webhook: WebhookId,
    state: Option<DeliveryState>,
    before: Option<DeliveryId>,
    limit: i64,
) -> Result<Vec<Delivery>> {
    super::find(env, ws, webhook).await?;
    let mut on = env.db.reader();
    Ok(store::list(&mut on, ws, webhook, state, before, limit).await?)
}

/// A delivery with its requests and their answers, first to last.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn find_delivery(
    env: &Env,
    ws: WorkspaceId,
    webhook: WebhookId,
    id: DeliveryId,
) -> Result<(Delivery, Vec<DeliveryTry>)> {
    let mut on = env.db.reader();
    let found = store::find(&mut on, ws, id).await?;
    let delivery = found
        .filter(|delivery| delivery.webhook_id == webhook)
        .ok_or(Error::NotFound("delivery"))?;
    let tries = store::list_tries(&mut on, ws, id).await?;
    Ok((delivery, tries))
}

/// Makes deliveries due at once, with a whole ladder before them where they had ended (API-8); how
/// many. They carry the same `webhook-id`, so that a receiver can tell repeats. Those of a paused
/// webhook wait until it is resumed; those under way are left alone.
///
/// # Errors
/// [`Error::NotFound`] when there is no such webhook.
pub async fn replay(env: &Env, ws: WorkspaceId, webhook: WebhookId, what: Replay) -> Result<u64> {
    super::find(env, ws, webhook).await?;
    let ids = match &what {
        Replay::Deliveries(ids) => Some(ids.as_slice()),
        Replay::Dead => None,
    };
    let mut tx = env.db.begin().await?;
    let replayed = store::replay(&mut tx, ws, webhook, ids, env.now()).await?;
    tx.commit().await?;
    env.wakes.wake(Part::Deliveries);
    Ok(replayed)
}
