//! API-9: real formatters, from an event to what the receiver reads.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Bytes, http::HeaderMap};
use overture_domain::events::{Event, EventKind};
use overture_engine::{
    Due, Formatters as _,
    plugins::Settings,
    webhooks::{self, WebhookIn},
};
use overture_store::{events, on_both};
use overture_testkit::TestEnv;
use serde_json::{Value, json};

use crate::kit::{first_party, open};

type Received = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

async fn receiver() -> (String, Received) {
    let received = Received::default();
    let seen = Arc::clone(&received);
    let note = move |headers: HeaderMap, body: Bytes| async move {
        seen.lock().unwrap().push((headers, body));
        "ok"
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "http://{}/services/T0/B0/secret",
        listener.local_addr().unwrap()
    );
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(note)).await });
    (url, received)
}

fn reply_received(test: &TestEnv, ws: overture_domain::WorkspaceId) -> Event {
    Event {
        id: test.env.id(),
        workspace_id: ws,
        kind: EventKind::ReplyReceived,
        channel: None,
        campaign_id: None,
        enrollment_id: None,
        prospect_id: None,
        account_id: None,
        occurred_at: test.env.now(),
        dedup_key: None,
        data: json!({
            "prospectId": "pro_01kjq5t3k8e9v8z2m4n6p7r8s9",
            "prospectEmail": "zoe@prospects.example",
            "campaignId": "cmp_01kjq5t3k8e9v8z2m4n6p7r8s9",
            "mailboxId": "acc_01kjq5t3k8e9v8z2m4n6p7r8s9",
            "subject": "Re: <Hello> & more",
            "messageId": "1@prospects.example",
            "receivedAt": test.env.now(),
        }),
    }
}

on_both! {
    // API-6, API-7, API-9
    async fn generic_and_slack_bodies_arrive_signed(test: TestDatabase) {
        let mut test = TestEnv::new(test).await;
        let ws = test.workspace("Example").await;
        let embedded = ["format-generic", "format-slack"].map(first_party);
        let registry = open(&test, Settings::default(), &embedded).await;
        assert_eq!(registry.for_url("https://hooks.slack.com/services/T0/B0/x").as_deref(), Some("format-slack"));
        assert_eq!(registry.for_url("https://hooks.example.com/"), None);
        test.env.formatters = Arc::new(registry);
        let (plain_url, plain) = receiver().await;
        let (slack_url, slack) = receiver().await;
        let new = |url: &str, formatter: Option<&str>| WebhookIn {
            url: url.into(),
            events: vec!["reply.received".into()],
            formatter: formatter.map(str::to_owned),
            settings: None,
        };
        webhooks::create(&test.env, ws, new(&plain_url, None)).await.unwrap();
        webhooks::create(&test.env, ws, new(&slack_url, Some("format-slack"))).await.unwrap();
        let event = reply_received(&test, ws);
        let mut tx = test.env.db.begin().await.unwrap();
        events::insert(&mut tx, std::slice::from_ref(&event)).await.unwrap();
        tx.commit().await.unwrap();
        let told = async {
            while webhooks::dispatch(&test.env).await.unwrap() != Due::WhenWoken {}
            webhooks::deliver(&test.env).await.unwrap();
            test.env.under_way.settled().await;
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), told).await.unwrap();

        let (headers, body) = plain.lock().unwrap().pop().unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let at = event.occurred_at.to_jiff().strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string();
        assert_eq!(body, json!({
            "type": "reply.received",
            "event": "reply.received",
            "id": event.id,
            "timestamp": at,
            "occurredAt": at,
            "workspaceId": ws,
            "data": event.data,
        }));
        assert_eq!(headers["webhook-id"].to_str().unwrap(), event.id.to_string());

        let (headers, body) = slack.lock().unwrap().pop().unwrap();
        assert_eq!(headers["content-type"], "application/json");
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert!(body["blocks"].as_array().is_some_and(|blocks| !blocks.is_empty() && blocks.len() <= 50), "{body}");
        assert!(body["text"].is_string(), "the fallback of notifications");
        assert!(!body.to_string().contains("<Hello>"), "data is escaped: {body}");
    }
}
