//! What people say about a webhook, and whether it will do.

use overture_domain::{EventId, Timestamp, WebhookId, WorkspaceId, events::EventKind};
use overture_egress::Url;
use overture_plugin_host::{CallError, Event, FormatContext};
use overture_store::people;
use overture_vault::Secret;
use serde_json::{Map, Value, json};

use super::GENERIC;
use crate::{Env, Error, FieldError, Result};

/// Longer URLs are no webhooks.
const LONGEST_URL: usize = 2_048;

/// A new webhook.
#[derive(Clone, Debug, Default)]
pub struct WebhookIn {
    /// `https:`, or `http:` where the instance allows it (API-10).
    pub url: Secret,
    /// Names of public events (API-6), or `*`.
    pub events: Vec<String>,
    /// The id of a formatter plugin; chosen by the URL where it is `None` (API-9).
    pub formatter: Option<String>,
    /// The formatter's settings: an object; `None` is the empty one.
    pub settings: Option<Value>,
}

/// A change of a webhook; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct WebhookPatch {
    /// Another host chooses the formatter anew, unless one is given.
    pub url: Option<Secret>,
    pub events: Option<Vec<String>>,
    /// Another formatter begins with empty settings, unless some are given.
    pub formatter: Option<String>,
    pub settings: Option<Value>,
    /// False pauses: events go on becoming deliveries, which wait. True sends what has waited, and
    /// takes a disabled webhook back into use.
    pub active: Option<bool>,
}

/// The URL, if it can be one of a webhook.
pub(super) fn url(env: &Env, text: &Secret) -> Result<Url, FieldError> {
    let text = text.expose().trim();
    let wrong = |code, message: String| FieldError::new("url", code, message);
    if text.len() > LONGEST_URL {
        let message = format!("it is longer than {LONGEST_URL} characters");
        return Err(wrong("too_long", message));
    }
    let url = Url::parse(text).map_err(|error| {
        let message = format!("it is no URL ({error}); it looks like https://example.com/hooks");
        wrong("invalid", message)
    })?;
    match env.http.check_url(&url) {
        Ok(()) => Ok(url),
        Err(error) => Err(wrong("invalid", error.to_string())),
    }
}

/// Host and port as people know the endpoint; no credential stands there.
pub(super) fn shown_host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The events, each once; what is none is named beside what there is.
pub(super) fn events(names: &[String], wrong: &mut Vec<FieldError>) -> Vec<String> {
    let public = EventKind::ALL.iter().filter(|kind| kind.is_public());
    let known: Vec<&str> = public.map(|kind| kind.name()).collect();
    if names.is_empty() {
        let message = format!(
            "name at least one event, or `*` for all: {}",
            known.join(", ")
        );
        wrong.push(FieldError::new("events", "required", message));
    }
    let mut chosen = Vec::new();
    for (index, name) in names.iter().enumerate() {
        if name != "*" && !known.contains(&name.as_str()) {
            let message = format!(
                "`{name}` is no event; there are: {}, or `*` for all",
                known.join(", ")
            );
            wrong.push(FieldError::new(
                format!("events[{index}]"),
                "unknown_event",
                message,
            ));
        } else if !chosen.contains(name) {
            chosen.push(name.clone());
        }
    }
    chosen
}

/// The formatter that was asked for, or the one for the URL (API-9).
pub(super) fn formatter(
    env: &Env,
    asked_for: Option<&str>,
    url: Option<&Url>,
) -> Result<String, FieldError> {
    let Some(id) = asked_for else {
        let by_url = url.and_then(|url| env.formatters.for_url(url.as_str()));
        return Ok(by_url.unwrap_or_else(|| GENERIC.to_owned()));
    };
    let known = env.formatters.list();
    if known.iter().any(|known| known.id == id) {
        return Ok(id.to_owned());
    }
    let ids: Vec<_> = known.into_iter().map(|known| known.id).collect();
    let message = format!("`{id}` is no formatter; there are: {}", ids.join(", "));
    Err(FieldError::new("formatter", "unknown_formatter", message))
}

/// Lets the formatter try its settings on a test event: it alone knows what they mean. A formatter
/// that fails otherwise is no reason to refuse them.
pub(super) async fn settings(
    env: &Env,
    ws: WorkspaceId,
    formatter: &str,
    settings: Option<Value>,
) -> Result<Value> {
    let settings = settings.unwrap_or_else(|| Value::Object(Map::new()));
    if !settings.is_object() {
        let message = "settings are an object, such as {}";
        return Err(Error::field("settings", "invalid", message));
    }
    let workspace = people::find_workspace(&mut env.db.reader(), ws).await?;
    let event = Event {
        id: EventId::new(env.now(), &*env.rng).to_string(),
        kind: EventKind::WebhookTest.name().to_owned(),
        occurred_at: env.now(),
        workspace_id: ws.to_string(),
        data: test_data(WebhookId::new(env.now(), &*env.rng), env.now()).to_string(),
    };
    let context = FormatContext {
        settings: settings.to_string(),
        public_url: env.config.public_url.clone(),
        workspace_name: workspace.map(|found| found.name).unwrap_or_default(),
    };
    match env.formatters.format(ws, formatter, &event, &context).await {
        Err(CallError::InvalidSettings(what)) => {
            let message = format!("{formatter} can't use them: {what}");
            Err(Error::field("settings", "invalid", message))
        }
        _ => Ok(settings),
    }
}

/// The payload of `webhook.test` (API-6).
pub(super) fn test_data(webhook: WebhookId, now: Timestamp) -> Value {
    json!({
        "webhookId": webhook,
        "timestamp": now,
        "message": "This is a test: the webhook works.",
    })
}
