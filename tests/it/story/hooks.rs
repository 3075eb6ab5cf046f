//! The two receivers: a Slack channel that hears of replies, and a signed webhook that hears of
//! everything.

use std::collections::BTreeSet;

use hmac::{Hmac, KeyInit, Mac};
use overture_testkit::{
    App,
    sink::{Received, Sink},
};
use serde_json::{Value, json};
use sha2::Sha256;

use super::people::Person;

pub(super) struct Hooks {
    sink: Sink,
    slack_secret: String,
    generic_secret: String,
}

impl Hooks {
    pub(super) async fn connect(app: &App) -> Self {
        let sink = Sink::start().await;
        let slack = app
            .api
            .post(
                "/webhooks",
                &json!({ "url": sink.url("slack"), "events": ["reply.received"], "formatter": "format-slack" }),
            )
            .await;
        let generic = app
            .api
            .post(
                "/webhooks",
                &json!({ "url": sink.url("generic"), "events": ["*"] }),
            )
            .await;
        assert_eq!(generic["formatter"], "format-generic");
        let secret = |webhook: &Value| webhook["secret"].as_str().expect("shown once").to_owned();
        Self {
            slack_secret: secret(&slack),
            generic_secret: secret(&generic),
            sink,
        }
    }

    /// Ids of the events that the signed webhook got.
    pub(super) fn delivered(&self) -> BTreeSet<String> {
        let received = self.sink.received("generic");
        received
            .iter()
            .map(|one| header(one, "webhook-id").to_owned())
            .collect()
    }

    /// Each public event came once, signed in both ways; Slack got the reply as blocks.
    pub(super) fn check(&self, events: &[Value], replied: &Person) {
        let received = self.sink.received("generic");
        assert_eq!(received.len(), events.len(), "each event comes once");
        for event in events {
            let id = event["id"].as_str().expect("an id");
            let one = received.iter().find(|one| header(one, "webhook-id") == id);
            let one = one.unwrap_or_else(|| panic!("{id} did not come"));
            let body = one.json();
            assert_eq!(body["data"], event["data"]); // API-6
            assert_eq!(body["type"], event["type"]);
            assert_eq!(body["event"], event["type"]);
            assert_eq!(body["id"], event["id"]);
            assert_eq!(header(one, "x-warmy-event-type"), event["type"]);
            check_signatures(one, &self.generic_secret);
        }

        let slack = self.sink.received("slack");
        let [reply] = slack.as_slice() else {
            panic!("Slack hears of the reply alone: {}", slack.len());
        };
        check_signatures(reply, &self.slack_secret);
        let body = reply.json();
        assert_eq!(body["blocks"][0]["type"], "header", "{body}");
        let text = body.to_string();
        assert!(text.contains(replied.first_name), "{text}");
        assert!(text.contains(&replied.email), "{text}");
    }
}

// API-7
pub(crate) fn check_signatures(one: &Received, secret: &str) {
    let verifier = standardwebhooks::Webhook::new(secret).expect("a secret of Standard Webhooks");
    verifier
        .verify(&one.body, &one.headers)
        .unwrap_or_else(|error| panic!("Standard Webhooks: {error}"));
    let mut altered = one.body.to_vec();
    altered.push(b' ');
    assert!(verifier.verify(&altered, &one.headers).is_err());

    let signature = header(one, "x-warmy-signature");
    let (time, hex_mac) = signature
        .strip_prefix("t=")
        .and_then(|rest| rest.split_once(",v1="))
        .unwrap_or_else(|| panic!("X-Warmy-Signature: {signature}"));
    assert_eq!(header(one, "x-warmy-timestamp"), time);
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key will do");
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(&one.body);
    let sent = hex::decode(hex_mac).expect("hexadecimal");
    mac.verify_slice(&sent).expect("X-Warmy-Signature is right");
    assert_eq!(header(one, "x-warmy-event-id"), header(one, "webhook-id"));
}

pub(crate) fn header<'a>(one: &'a Received, name: &str) -> &'a str {
    let value = one.headers.get(name).unwrap_or_else(|| panic!("no {name}"));
    value.to_str().expect("a readable header")
}
