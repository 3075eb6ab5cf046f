//! Making, changing and testing webhooks.

use overture_domain::{
    EventId, WebhookId, WorkspaceId,
    events::{Event, EventKind},
    webhooks::{OLD_SECRET_SIGNS, Webhook},
};
use overture_store::{deliveries, events, webhooks as store};
use overture_vault::{Secret, webhook::WebhookSecret};

use super::{WebhookIn, WebhookPatch, input, secret_binding, url_binding};
use crate::{Env, Error, FieldError, Part, Result};

/// Makes a webhook. Its secret is in the answer and nowhere else (API-10).
///
/// # Errors
/// [`Error::Invalid`] with every field that won't do.
pub async fn create(env: &Env, ws: WorkspaceId, new: WebhookIn) -> Result<(Webhook, Secret)> {
    let mut wrong = Vec::new();
    let url = keep(input::url(env, &new.url), &mut wrong);
    let events = input::events(&new.events, &mut wrong);
    let formatter = input::formatter(env, new.formatter.as_deref(), url.as_ref());
    let (Some(url), Some(formatter), true) = (url, keep(formatter, &mut wrong), wrong.is_empty())
    else {
        return Err(Error::Invalid(wrong));
    };
    let settings = input::settings(env, ws, &formatter, new.settings).await?;
    let secret = WebhookSecret::generate(&*env.rng);
    let (id, now) = (env.id(), env.now());
    let webhook = Webhook {
        id,
        workspace_id: ws,
        url: env
            .vault
            .seal(&url_binding(ws, id), &Secret::new(url.as_str())),
        url_host: input::shown_host(&url),
        formatter,
        settings,
        events,
        secret: env.vault.seal(&secret_binding(ws, id), secret.text()),
        old_secret: None,
        old_secret_until: None,
        active: true,
        disabled_reason: None,
        last_success_at: None,
        last_failure_at: None,
        failures_in_a_row: 0,
        last_good_at: now,
        rest_until: None,
        created_at: now,
        updated_at: now,
    };
    let mut tx = env.db.begin().await?;
    store::insert(&mut tx, &webhook).await?;
    tx.commit().await?;
    Ok((webhook, secret.text().clone()))
}

/// Changes a webhook. Deliveries that were held because of how it was set are tried at once.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`] with every field that won't do: then nothing changes.
pub async fn update(
    env: &Env,
    ws: WorkspaceId,
    id: WebhookId,
    patch: WebhookPatch,
) -> Result<Webhook> {
    let known = super::find(env, ws, id).await?;
    let mut wrong = Vec::new();
    let url = patch.url.as_ref().map(|url| input::url(env, url));
    let url = url.and_then(|url| keep(url, &mut wrong));
    let events = patch
        .events
        .as_ref()
        .map(|names| input::events(names, &mut wrong));
    let moved = url
        .as_ref()
        .filter(|url| input::shown_host(url) != known.url_host);
    let formatter = match (&patch.formatter, moved) {
        (None, None) => Some(known.formatter.clone()),
        (asked_for, url) => keep(input::formatter(env, asked_for.as_deref(), url), &mut wrong),
    };
    let (Some(formatter), true) = (formatter, wrong.is_empty()) else {
        return Err(Error::Invalid(wrong));
    };
    let settings = match (&patch.settings, formatter == known.formatter) {
        (None, true) => None,
        (given, _) => Some(input::settings(env, ws, &formatter, given.clone()).await?),
    };

    let now = env.now();
    let mut tx = env.db.begin().await?;
    let mut webhook = store::lock(&mut tx, ws, id)
        .await?
        .ok_or(Error::NotFound("webhook"))?;
    if let Some(url) = url {
        webhook.url = env
            .vault
            .seal(&url_binding(ws, id), &Secret::new(url.as_str()));
        webhook.url_host = input::shown_host(&url);
        webhook.rest_until = None;
    }
    webhook.events = events.unwrap_or(webhook.events);
    webhook.formatter = formatter;
    webhook.settings = settings.unwrap_or(webhook.settings);
    if let Some(active) = patch.active {
        if active && !webhook.active {
            webhook.last_good_at = now;
            webhook.rest_until = None;
        }
        webhook.active = active;
        webhook.disabled_reason = None;
    }
    webhook.updated_at = now;
    store::update(&mut tx, &webhook).await?;
    deliveries::retry_held(&mut tx, ws, id, now).await?;
    tx.commit().await?;
    env.wakes.wake(Part::Deliveries);
    Ok(webhook)
}

/// Deletes a webhook. Its log stays for its 30 days, URL and secrets go at once.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn delete(env: &Env, ws: WorkspaceId, id: WebhookId) -> Result<()> {
    let mut tx = env.db.begin().await?;
    if !store::delete(&mut tx, ws, id, env.now()).await? {
        return Err(Error::NotFound("webhook"));
    }
    tx.commit().await?;
    Ok(())
}

/// Gives a webhook a new secret, which is in the answer and nowhere else. For 24 h the one before
/// signs beside it (API-7); of two rotations within that time only the last one's is kept.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn rotate_secret(env: &Env, ws: WorkspaceId, id: WebhookId) -> Result<Secret> {
    let secret = WebhookSecret::generate(&*env.rng);
    let sealed = env.vault.seal(&secret_binding(ws, id), secret.text());
    let now = env.now();
    let mut tx = env.db.begin().await?;
    if !store::rotate_secret(&mut tx, ws, id, &sealed, now + OLD_SECRET_SIGNS, now).await? {
        return Err(Error::NotFound("webhook"));
    }
    tx.commit().await?;
    Ok(secret.text().clone())
}

/// Sends `webhook.test` to this webhook alone, whatever events it asked for, on the way of every
/// event (API-6). The answer stands in its deliveries.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] while it is paused.
pub async fn test(env: &Env, ws: WorkspaceId, id: WebhookId) -> Result<EventId> {
    let webhook = super::find(env, ws, id).await?;
    if !webhook.active {
        let message = "the webhook is paused: resume it to send a test";
        return Err(Error::Conflict(message.to_owned()));
    }
    let now = env.now();
    let event = Event {
        id: env.id(),
        workspace_id: ws,
        kind: EventKind::WebhookTest,
        channel: None,
        campaign_id: None,
        enrollment_id: None,
        prospect_id: None,
        account_id: None,
        occurred_at: now,
        dedup_key: None,
        data: input::test_data(id, now),
    };
    let mut tx = env.db.begin().await?;
    events::insert(&mut tx, std::slice::from_ref(&event)).await?;
    tx.commit().await?;
    env.wakes.wake(Part::Dispatch);
    Ok(event.id)
}

fn keep<T>(checked: Result<T, FieldError>, wrong: &mut Vec<FieldError>) -> Option<T> {
    checked.map_err(|error| wrong.push(error)).ok()
}
