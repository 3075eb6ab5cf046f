//! API-7: headers and signatures, verified as receivers verify them.

use std::time::Duration;

use overture_domain::{Clock, events::EventKind};
use overture_engine::{Secret, webhooks};
use overture_store::on_both;
use serde_json::json;

use crate::kit::{Kit, RealClock, Received, Sink, settle};

/// As Standard Webhooks' own library does it, with its five minutes around the real time.
fn standard(secret: &Secret, request: &Received) -> bool {
    let webhook = standardwebhooks::Webhook::new(secret.expose()).unwrap();
    webhook.verify(&request.body, &request.headers).is_ok()
}

/// As the documentation of `X-Warmy-Signature` does it: the whole secret, `t.rawBody`; any `v1`.
fn warmy(secret: &Secret, request: &Received) -> bool {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let signature = request.header("x-warmy-signature");
    let mut parts = signature
        .split(',')
        .map(|part| part.split_once('=').unwrap());
    let (_, t) = parts.next().unwrap();
    assert_eq!(t, request.header("x-warmy-timestamp"));
    let body = std::str::from_utf8(&request.body).unwrap();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.expose().as_bytes()).unwrap();
    mac.update(format!("{t}.{body}").as_bytes());
    let expected = hex::encode(mac.finalize().into_bytes());
    parts.any(|(version, given)| version == "v1" && given == expected)
}

on_both! {
    // API-7; DESIGN §4: timestamps of signatures are on real time, wherever the clock stands.
    async fn both_signatures_verify(test: TestDatabase) {
        let kit = Kit::new(test).await;
        let sink = Sink::start().await;
        let (_, secret) = kit.webhook(&sink.url).await;
        let id = kit.happens(EventKind::ReplyReceived, json!({"subject": "Grüße 🎉"})).await;
        settle(&kit).await;
        let request = sink.only();
        assert!(standard(&secret, &request));
        assert!(warmy(&secret, &request));
        assert!(!standard(&Secret::new("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), &request));
        assert!(!warmy(&Secret::new("whsec_other"), &request));
        assert_eq!(request.header("webhook-id"), id.to_string());
        assert_eq!(request.header("x-warmy-event-id"), id.to_string());
        assert_eq!(request.header("x-warmy-event-type"), "reply.received");
        assert_eq!(request.header("content-type"), "application/json");
        let millis: i64 = request.header("x-warmy-timestamp").parse().unwrap();
        assert_eq!((millis / 1000).to_string(), request.header("webhook-timestamp"));
        assert!((RealClock.now().as_millis() - millis).abs() < 60_000);
    }

    // API-7: each request is signed anew, under the same id.
    async fn a_retry_keeps_the_id_and_signs_its_own_moment(test: TestDatabase) {
        let kit = Kit::new(test).await;
        let sink = Sink::start().await;
        let (_, secret) = kit.webhook(&sink.url).await;
        sink.next([crate::kit::Reply::status(500)]);
        kit.happens(EventKind::EmailSent, json!({})).await;
        settle(&kit).await;
        kit.test.clock.advance(Duration::from_mins(1));
        settle(&kit).await;
        let requests = sink.requests();
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[0].header("webhook-id"), requests[1].header("webhook-id"));
        assert!(requests.iter().all(|request| standard(&secret, request)));
    }

    // API-7: rotating signs with both for 24 h.
    async fn after_a_rotation_both_secrets_sign_for_a_day(test: TestDatabase) {
        let kit = Kit::new(test).await;
        let sink = Sink::start().await;
        let (webhook, old) = kit.webhook(&sink.url).await;
        let new = webhooks::rotate_secret(&kit, kit.ws, webhook.id).await.unwrap();
        assert_ne!(old, new);
        let day = Duration::from_hours(24);
        for (wait, old_signs) in [(day - Duration::from_micros(1), true), (Duration::from_micros(1), false)] {
            kit.test.clock.advance(wait);
            kit.happens(EventKind::EmailSent, json!({})).await;
            settle(&kit).await;
            let requests = sink.requests();
            let request = requests.last().unwrap();
            assert!(standard(&new, request) && warmy(&new, request));
            assert_eq!(standard(&old, request), old_signs);
            assert_eq!(warmy(&old, request), old_signs);
        }
    }

    // OPS-4: nothing that signs or opens stands in the database as it is.
    async fn url_and_secret_are_sealed(test: TestDatabase) {
        let kit = Kit::new(test).await;
        let (webhook, secret) = kit.webhook("https://chat.example.com/services/T0/B0/top-secret").await;
        let found = kit.found(&webhook).await;
        for stored in [&found.url, &found.secret] {
            assert!(!stored.contains("top-secret") && !stored.contains(secret.expose()), "{stored}");
        }
        assert_eq!(found.url_host, "chat.example.com");
        let url = webhooks::url(&kit, &found).unwrap();
        assert_eq!(url.expose(), "https://chat.example.com/services/T0/B0/top-secret");
    }
}
