//! One turn of a delivery: format, sign, post, and judge the answer.

use std::time::Duration;

use overture_domain::{
    Timestamp,
    webhooks::{DeliveryTry, Webhook, longest_rest, wait_after_failure},
};
use overture_egress::{
    Answer, Bytes, HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Url,
    retry_after,
};
use overture_plugin_host::{CallError, Event, FormatContext, Formatted};
use overture_store::deliveries::{End, Outcome, Parcel};
use overture_vault::webhook::{WebhookSecret, sign};

use super::{secret_binding, url};
use crate::{Env, Result};

/// API-8
const TIMEOUT: Duration = Duration::from_secs(5);

/// How much of an answer is read and logged.
const ANSWER_BYTES: usize = 4 << 10;

/// How much of a request is logged.
const LOGGED_BYTES: usize = 64 << 10;

/// How long a delivery is held at least and at most before it is prepared again.
const SHORTEST_HOLD: Duration = Duration::from_mins(1);
const LONGEST_HOLD: Duration = Duration::from_hours(1);

/// Makes the request of a delivery, and says what follows:
///
/// - 2xx is a success, everything else a failure: redirects (they aren't followed), time-outs,
///   refused addresses (SSRF). A failure is tried again by the ladder
///   ([`wait_after_failure`]); `Retry-After` lengthens the wait, and on 429 and 503 no other
///   delivery goes to the endpoint before it either.
/// - 410 disables the endpoint at once (Standard Webhooks); the delivery waits for its
///   resumption on its ladder.
/// - Where no request can be made and the endpoint is not to blame (the formatter is missing,
///   crashes, rests in quarantine, can't use settings or event; the master key is another one),
///   the delivery is *held* (SAFE-2): the ladder stays where it is, the reason stands beside the
///   delivery, and it is prepared again after as long as it has waited so far, between one minute
///   and one hour, or at once when the webhook is changed.
pub(super) async fn make(env: &Env, parcel: &Parcel) -> Outcome {
    let at = env.now();
    let formatted = match format(env, parcel).await {
        Ok(formatted) => formatted,
        Err(CallError::Quarantined { until, .. }) => {
            let reason = format!(
                "the formatter {} rests after failures",
                parcel.webhook.formatter
            );
            return held(env, parcel, reason, Some(until));
        }
        Err(error) => {
            let reason = format!("the formatter {}: {error}", parcel.webhook.formatter);
            return held(env, parcel, reason, None);
        }
    };
    let body = Bytes::from(formatted.body);
    let prepared = target(env, &parcel.webhook).and_then(|url| {
        let secrets = secrets(env, &parcel.webhook, at)?;
        Ok((url, secrets))
    });
    let (url, secrets) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return held(env, parcel, error.to_string(), None),
    };
    let started = env.real.now();
    let mut headers = HeaderMap::new();
    put(&mut headers, "content-type", &formatted.content_type);
    for header in &formatted.headers {
        put(&mut headers, &header.name, &header.value);
    }
    sign_headers(&mut headers, parcel, &secrets, started, &body);
    let answer = env
        .http
        .send(Request {
            method: Method::POST,
            url,
            headers,
            body: body.clone(),
            timeout: TIMEOUT,
            max_response_bytes: ANSWER_BYTES,
            answer: Answer::Head,
        })
        .await;
    let error = match &answer {
        Ok(answer) => judge(answer.status),
        Err(error) => Some(error.to_string()),
    };
    let duration = env.real.now().since(started);
    let request = DeliveryTry {
        delivery_id: parcel.delivery.id,
        number: parcel.delivery.tries + 1,
        at,
        duration_ms: i64::try_from(duration.as_millis()).unwrap_or(i64::MAX),
        request_body: logged(&body, LOGGED_BYTES),
        status: answer
            .as_ref()
            .ok()
            .map(|answer| answer.status.as_u16().into()),
        response_body: answer.as_ref().map_or_else(
            |_| String::new(),
            |answer| logged(&answer.body, ANSWER_BYTES),
        ),
        error,
    };
    let (end, rest_until) = what_follows(env, parcel, &request, answer.as_ref().ok());
    Outcome {
        delivery_id: parcel.delivery.id,
        webhook_id: parcel.webhook.id,
        workspace_id: parcel.delivery.workspace_id,
        at: env.now(),
        end,
        request: Some(request),
        rest_until,
    }
}

/// No request could be made: tried again at `until`, or by the delivery's age.
pub(super) fn held(
    env: &Env,
    parcel: &Parcel,
    reason: String,
    until: Option<Timestamp>,
) -> Outcome {
    let now = env.now();
    let waited = now.since(parcel.delivery.created_at);
    let until = until.unwrap_or_else(|| now + waited.clamp(SHORTEST_HOLD, LONGEST_HOLD));
    tracing::warn!(
        webhook.id = %parcel.webhook.id,
        delivery.id = %parcel.delivery.id,
        "a delivery is held until {until}: {reason}",
    );
    Outcome {
        delivery_id: parcel.delivery.id,
        webhook_id: parcel.webhook.id,
        workspace_id: parcel.delivery.workspace_id,
        at: now,
        end: End::Held { until, reason },
        request: None,
        rest_until: None,
    }
}

async fn format(env: &Env, parcel: &Parcel) -> Result<Formatted, CallError> {
    let (webhook, event) = (&parcel.webhook, &parcel.event);
    let event = Event {
        id: event.id.to_string(),
        kind: event.kind.name().to_owned(),
        occurred_at: event.occurred_at,
        workspace_id: event.workspace_id.to_string(),
        data: event.data.to_string(),
    };
    let context = FormatContext {
        settings: webhook.settings.to_string(),
        public_url: env.config.public_url.clone(),
        workspace_name: parcel.workspace_name.clone(),
    };
    let formatters = &env.formatters;
    formatters
        .format(webhook.workspace_id, &webhook.formatter, &event, &context)
        .await
}

fn target(env: &Env, webhook: &Webhook) -> Result<Url> {
    let url = url(env, webhook)?;
    Url::parse(url.expose())
        .map_err(|_| crate::Error::Outside("the URL can't be read: set it anew".to_owned()))
}

/// The secrets that sign now, the newest first (API-7).
fn secrets(env: &Env, webhook: &Webhook, now: Timestamp) -> Result<Vec<WebhookSecret>> {
    let old = webhook.old_secret.as_ref();
    let old = old.filter(|_| webhook.old_secret_until.is_some_and(|until| now < until));
    let binding = secret_binding(webhook.workspace_id, webhook.id);
    [Some(&webhook.secret), old]
        .into_iter()
        .flatten()
        .map(|sealed| {
            Ok(WebhookSecret::parse(
                env.vault.open(&binding, sealed)?.expose(),
            )?)
        })
        .collect()
}

/// The host's own headers (API-7); a formatter can't have set them otherwise.
fn sign_headers(
    headers: &mut HeaderMap,
    parcel: &Parcel,
    secrets: &[WebhookSecret],
    at: Timestamp,
    body: &[u8],
) {
    let id = parcel.event.id.to_string();
    let signed = sign(secrets, &id, at, body);
    put(headers, "x-warmy-event-id", &id);
    put(headers, "x-warmy-event-type", parcel.event.kind.name());
    put(headers, "x-warmy-timestamp", &signed.warmy_timestamp);
    put(headers, "x-warmy-signature", &signed.warmy);
    put(headers, "webhook-id", &id);
    put(headers, "webhook-timestamp", &signed.standard_timestamp);
    put(headers, "webhook-signature", &signed.standard);
}

/// Sets a header; one that HTTP can't carry is left out (the plugin host has checked them).
fn put(headers: &mut HeaderMap, name: &str, value: &str) {
    let name = HeaderName::from_bytes(name.as_bytes());
    if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}

/// Why an answer is a failure; `None` for a success.
fn judge(status: StatusCode) -> Option<String> {
    if status.is_success() {
        return None;
    }
    let hint = match status.is_redirection() {
        true => "; redirects are not followed, set the URL where it leads",
        false => "",
    };
    Some(format!("the endpoint answered {status}{hint}"))
}

fn what_follows(
    env: &Env,
    parcel: &Parcel,
    request: &DeliveryTry,
    answer: Option<&Response>,
) -> (End, Option<Timestamp>) {
    if request.error.is_none() {
        return (End::Delivered, None);
    }
    let now = env.now();
    // A date in the header is real time, whatever the clock shows.
    let asked_for = answer.and_then(|answer| retry_after(&answer.headers, env.real.now()));
    let rests = answer.is_some_and(|answer| {
        matches!(
            answer.status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        )
    });
    let rest_until = asked_for
        .filter(|_| rests)
        .map(|length| now + longest_rest(length));
    let requests = request.number - parcel.delivery.tries_before;
    let wait = wait_after_failure(requests, env.rng.unit(), asked_for);
    (
        wait.map_or(End::Dead, |wait| End::RetryAt(now + wait)),
        rest_until,
    )
}

/// A body as the log keeps it: text that every database takes.
fn logged(body: &[u8], most: usize) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(most)]);
    text.replace('\0', "\u{fffd}")
}
