//! `/events`, `/events/stream`

use std::time::Duration;

use axum::{
    body::{Body, BodyDataStream},
    http::Request,
};
use futures::StreamExt;
use overture_domain::{
    WorkspaceId,
    events::{Event, EventKind},
};
use overture_store::events;
use overture_testkit::on_both;
use serde_json::{Value, json};

use crate::kit::Api;

/// How long an event may be on its way.
const DEADLINE: Duration = Duration::from_secs(20);

/// Something happens; its id.
async fn happens(api: &Api, ws: WorkspaceId, n: usize) -> String {
    let event = Event {
        id: api.env().id(),
        workspace_id: ws,
        kind: if n.is_multiple_of(2) {
            EventKind::EmailSent
        } else {
            EventKind::ReplyReceived
        },
        channel: None,
        campaign_id: None,
        enrollment_id: None,
        prospect_id: None,
        account_id: None,
        occurred_at: api.env().now(),
        dedup_key: None,
        data: json!({"n": n}),
    };
    let mut tx = api.env().db.begin().await.unwrap();
    events::insert(&mut tx, std::slice::from_ref(&event))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    event.id.to_string()
}

/// One server-sent event.
#[derive(Debug)]
struct Told {
    id: String,
    event: String,
    data: Value,
}

/// The stream as a client reads it.
struct Listener {
    body: BodyDataStream,
    text: String,
}

impl Listener {
    async fn open(api: &Api, last_event_id: Option<&str>) -> Self {
        let (_, key) = api.make_key(api.ws(), &["campaigns:read"], None).await;
        let mut request =
            Request::get("/api/v1/events/stream").header("authorization", format!("Bearer {key}"));
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        // Compressed, a stream would be held back.
        let request = request
            .header("accept-encoding", "gzip")
            .body(Body::empty())
            .unwrap();
        let response = api.send(request).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert!(response.headers().get("content-encoding").is_none());
        Self {
            body: response.into_body().into_data_stream(),
            text: String::new(),
        }
    }

    async fn next(&mut self) -> Told {
        let read = async {
            loop {
                if let Some((one, rest)) = self.text.split_once("\n\n") {
                    let (one, rest) = (one.to_owned(), rest.to_owned());
                    self.text = rest;
                    let field = |name: &str| {
                        let mut lines = one
                            .lines()
                            .filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                        lines.next().map(str::to_owned)
                    };
                    // A comment keeps the connection alive.
                    if let Some(data) = field("data") {
                        return Told {
                            id: field("id").unwrap(),
                            event: field("event").unwrap(),
                            data: serde_json::from_str(&data).unwrap(),
                        };
                    }
                    continue;
                }
                let bytes = self.body.next().await.expect("the stream goes on").unwrap();
                self.text.push_str(std::str::from_utf8(&bytes).unwrap());
            }
        };
        tokio::time::timeout(DEADLINE, read)
            .await
            .expect("an event comes in time")
    }
}

on_both! {
    // API-2, API-4
    async fn they_are_listed_oldest_first(test: TestDatabase) {
        let api = Api::new(test).await;
        let elsewhere = api.stranger().await;
        let mut ids = Vec::new();
        for n in 0..7 {
            ids.push(happens(&api, api.ws(), n).await);
            happens(&api, elsewhere.ws(), n).await;
        }
        api.outreach.kit.database.events_settled().await;
        shows!(api.get("/events?limit=1").await, r#"
            200 {
              "data": [
                {
                  "id": "evt_1",
                  "type": "email.sent",
                  "occurredAt": "2026-03-02T09:00:00Z",
                  "campaignId": null,
                  "enrollmentId": null,
                  "prospectId": null,
                  "data": {
                    "n": 0
                  }
                }
              ],
              "pagination": {
                "has_more": true,
                "next_cursor": "…"
              }
            }
            "#);
        let (rows, sizes) = api.pages("/events", 3).await;
        let found: Vec<_> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
        assert_eq!((found, sizes), (ids.iter().map(String::as_str).collect(), vec![3, 3, 1]));
        let replies = api.get("/events?type=reply.received").await;
        let found: Vec<_> = replies.data().as_array().unwrap().iter().map(|row| row["data"]["n"].clone()).collect();
        assert_eq!(found, [json!(1), json!(3), json!(5)]);
        for (query, field) in [("type=mail.lost", "type"), ("campaignId=7", "campaignId"), ("prospectId=7", "prospectId"), ("kind=x", "kind")] {
            let answer = api.get(&format!("/events?{query}")).await;
            assert_eq!(answer.refusal(), (400, "validation_error", vec![field]), "{query}");
        }
    }

    // API-4
    async fn filters_choose(test: TestDatabase) {
        let api = Api::new(test).await;
        let mailbox = api.outreach.mailbox("ada@example.com").await;
        let people = api.outreach.prospects(2).await;
        let campaign = api.outreach.running(&[&mailbox], &people).await;
        api.outreach.run_for(Duration::from_hours(2)).await;
        api.outreach.kit.database.events_settled().await;
        let sent = api.get(&format!("/events?type=email.sent&campaignId={campaign}&prospectId={}", people[1])).await;
        let sent = sent.data().as_array().unwrap();
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0]["prospectId"], people[1].to_string());
        assert_eq!(sent[0]["data"]["prospectEmail"], "p1@d1.test");
    }

    // API-4: in order, and nothing is missed by who comes back.
    async fn the_stream_tells_them_as_they_happen(test: TestDatabase) {
        let api = Api::new(test).await;
        let elsewhere = api.stranger().await;
        happens(&api, api.ws(), 0).await;
        api.outreach.kit.database.events_settled().await;
        let mut listener = Listener::open(&api, None).await;
        let mut ids = Vec::new();
        for n in 1..4 {
            happens(&api, elsewhere.ws(), n).await;
            ids.push(happens(&api, api.ws(), n).await);
        }
        let mut last = String::new();
        for (n, id) in ids.iter().enumerate() {
            let told = listener.next().await;
            assert_eq!(told.data["id"], *id, "what was before is not told, nor what happens elsewhere");
            assert_eq!(told.event, if n.is_multiple_of(2) { "reply.received" } else { "email.sent" });
            assert_eq!(told.data["type"], told.event);
            if n == 0 {
                last = told.id;
            }
        }
        drop(listener);
        let later = happens(&api, api.ws(), 4).await;
        let mut back = Listener::open(&api, Some(&last)).await;
        for id in [&ids[1], &ids[2], &later] {
            assert_eq!(back.next().await.data["id"], **id);
        }
        let live = happens(&api, api.ws(), 5).await;
        assert_eq!(back.next().await.data["id"], live);
    }

    // API-2: before the first byte of the stream an error is still an answer.
    async fn the_stream_refuses_as_all_do(test: TestDatabase) {
        let api = Api::new(test).await;
        let request = |id: &str, key: &str| {
            let request = Request::get("/api/v1/events/stream").header("last-event-id", id);
            request.header("authorization", format!("Bearer {key}")).body(Body::empty()).unwrap()
        };
        let (_, key) = api.make_key(api.ws(), &["campaigns:read"], None).await;
        for id in ["yesterday", "1", "1-", "1-2-3"] {
            let answer = crate::kit::Answer::of(api.send(request(id, &key)).await).await;
            assert_eq!(answer.refusal(), (400, "validation_error", vec!["Last-Event-ID"]), "{id}");
        }
        let (_, key) = api.make_key(api.ws(), &["prospects:read"], None).await;
        let answer = crate::kit::Answer::of(api.send(request("0-0", &key)).await).await;
        assert_eq!((answer.status, answer.refusal().1), (403, "insufficient_scope"));
    }
}
