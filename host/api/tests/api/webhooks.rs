//! `/webhooks`

use std::time::Duration;

use overture_engine::webhooks;
use overture_testkit::{Sink, on_both};
use serde_json::{Value, json};

use crate::kit::{Answer, Api};

async fn webhook(api: &Api, url: &str) -> Answer {
    api.post(
        "/webhooks",
        json!({"url": url, "events": ["reply.received", "email.bounced"]}),
    )
    .await
}

/// Delivers what is due.
async fn settle(api: &Api) {
    api.outreach.kit.database.events_settled().await;
    webhooks::dispatch(api.env()).await.unwrap();
    webhooks::deliver(api.env()).await.unwrap();
    api.env().under_way.settled().await;
}

on_both! {
    // API-6, API-10: URL and secret are credentials; the secret is shown once.
    async fn one_is_made(test: TestDatabase) {
        let api = Api::new(test).await;
        let made = webhook(&api, "https://hooks.example.com/T0/very-secret").await;
        shows!(made, r#"
            201 {
              "data": {
                "id": "whk_1",
                "host": "hooks.example.com",
                "formatter": "format-generic",
                "settings": {},
                "events": [
                  "reply.received",
                  "email.bounced"
                ],
                "isActive": true,
                "disabledReason": null,
                "lastSuccessAt": null,
                "lastFailureAt": null,
                "failuresInARow": 0,
                "createdAt": "2026-03-02T09:00:00Z",
                "secret": "whsec_…"
              }
            }
            "#);
        let secret = made.data()["secret"].as_str().unwrap();
        let path = format!("/webhooks/{}", made.id());
        let mut shown = made.data().clone();
        shown.as_object_mut().unwrap().remove("secret");
        assert_eq!(api.get(&path).await.data(), &shown);
        let list = api.get("/webhooks").await;
        assert_eq!(list.data(), &json!([shown]));
        assert!(!list.body.to_string().contains("very-secret"));
        let rotated = api.post(&format!("{path}/rotate-secret"), json!({})).await;
        let new = rotated.data()["secret"].as_str().unwrap();
        assert!(new.starts_with("whsec_") && new != secret);
    }

    // API-2
    async fn what_is_wrong_is_named(test: TestDatabase) {
        let api = Api::new(test).await;
        let check = async |body: Value, fields: &[&str]| {
            let answer = api.post("/webhooks", body.clone()).await;
            assert_eq!(answer.refusal(), (400, "validation_error", fields.to_vec()), "{body}");
        };
        check(json!({"events": ["*"]}), &["url"]).await;
        check(json!({"url": "example", "events": ["*"]}), &["url"]).await;
        check(json!({"url": "ftp://example.com", "events": ["*"]}), &["url"]).await;
        check(json!({"url": "https://example.com", "events": []}), &["events"]).await;
        check(json!({"url": "https://example.com", "events": ["*", "mail.lost"]}), &["events[1]"]).await;
        check(json!({"url": "https://example.com", "events": ["*"], "formatter": "format-none"}), &["formatter"]).await;
        check(json!({"url": "https://example.com", "events": ["*"], "settings": 7}), &["settings"]).await;
        check(json!({"url": "https://example.com", "events": ["*"], "secret": "whsec_mine"}), &["secret"]).await;
        let secret = api.post("/webhooks", json!({"url": "no-url/very-secret", "events": ["*"]})).await;
        assert!(!secret.body.to_string().contains("very-secret"), "{}", secret.shown());
        assert_eq!(api.get("/webhooks").await.data(), &json!([]));
    }

    // API-8, API-9: a delivery with each request and its answer.
    async fn a_test_shows_how_it_went(test: TestDatabase) {
        let api = Api::new(test).await;
        let sink = Sink::start().await;
        let path = format!("/webhooks/{}", webhook(&api, &sink.url("crm")).await.id());
        let tested = api.post(&format!("{path}/test"), json!({})).await;
        shows!(tested, r#"
            200 {
              "data": {
                "eventId": "evt_1"
              }
            }
            "#);
        settle(&api).await;
        assert_eq!(sink.received("crm").len(), 1);
        let log = api.get(&format!("{path}/deliveries?state=delivered")).await;
        assert_eq!(log.data()[0]["eventId"], tested.data()["eventId"]);
        let one = api.get(&format!("{path}/deliveries/{}", log.data()[0]["id"].as_str().unwrap())).await;
        shows!(one, r#"
            200 {
              "data": {
                "id": "dlv_1",
                "eventId": "evt_1",
                "state": "delivered",
                "tries": 1,
                "nextTryAt": null,
                "heldReason": null,
                "createdAt": "2026-03-02T09:00:00Z",
                "finishedAt": "2026-03-02T09:00:00Z",
                "log": [
                  {
                    "number": 1,
                    "at": "2026-03-02T09:00:00Z",
                    "durationMs": 0,
                    "requestBody": "{\"type\":\"webhook.test\"}",
                    "status": 204,
                    "responseBody": "",
                    "error": null
                  }
                ]
              }
            }
            "#);
        assert_eq!(api.get(&path).await.data()["failuresInARow"], 0);
        let again = json!({"deliveryIds": [log.data()[0]["id"]]});
        shows!(api.post(&format!("{path}/replay"), again).await, r#"
            200 {
              "data": {
                "replayedCount": 1
              }
            }
            "#);
        settle(&api).await;
        let received = sink.received("crm");
        assert_eq!(received.len(), 2);
        assert_eq!(received[0].headers["webhook-id"], received[1].headers["webhook-id"]);
        assert_eq!(api.post(&format!("{path}/replay"), json!({})).await.data()["replayedCount"], 0, "there is no dead letter");
    }

    // API-10
    async fn a_paused_one_is_not_tested(test: TestDatabase) {
        let api = Api::new(test).await;
        let path = format!("/webhooks/{}", webhook(&api, "https://example.com/a").await.id());
        let paused = api.patch(&path, json!({"isActive": false, "events": ["*"]})).await;
        assert_eq!((&paused.data()["isActive"], &paused.data()["events"]), (&json!(false), &json!(["*"])));
        let refused = api.post(&format!("{path}/test"), json!({})).await;
        assert_eq!((refused.status, refused.refusal().1), (409, "conflict"));
        let moved = api.patch(&path, json!({"isActive": true, "url": "https://other.example.com/b"})).await;
        assert_eq!((&moved.data()["isActive"], &moved.data()["host"]), (&json!(true), &json!("other.example.com")));
        for (patch, field) in [(json!({"url": "x"}), "url"), (json!({"events": ["x"]}), "events[0]"), (json!({"active": true}), "active")] {
            let answer = api.patch(&path, patch.clone()).await;
            assert_eq!(answer.refusal(), (400, "validation_error", vec![field]), "{patch}");
        }
    }

    // API-4
    async fn a_deleted_one_is_gone(test: TestDatabase) {
        let api = Api::new(test).await;
        let path = format!("/webhooks/{}", webhook(&api, "https://example.com/a").await.id());
        shows!(api.delete(&path).await, r#"
            200 {
              "data": {
                "id": "whk_1"
              }
            }
            "#);
        assert_eq!(api.get(&path).await.refusal(), (404, "not_found", vec![]));
        assert_eq!(api.delete(&path).await.status, 404);
    }

    // API-2: newest first.
    async fn deliveries_come_by_pages(test: TestDatabase) {
        let api = Api::new(test).await;
        let path = format!("/webhooks/{}", webhook(&api, "https://example.com/a").await.id());
        let mut events = Vec::new();
        for _ in 0..5 {
            api.outreach.kit.clock.advance(Duration::from_millis(1));
            let tested = api.post(&format!("{path}/test"), json!({})).await;
            events.push(tested.data()["eventId"].clone());
            api.outreach.kit.database.events_settled().await;
            webhooks::dispatch(api.env()).await.unwrap();
        }
        let (rows, sizes) = api.pages(&format!("{path}/deliveries"), 2).await;
        let found: Vec<_> = rows.iter().map(|row| row["eventId"].clone()).collect();
        events.reverse();
        assert_eq!((found, sizes), (events, vec![2, 2, 1]));
        assert_eq!(api.pages(&format!("{path}/deliveries?state=pending"), 5).await.1, [5]);
        let wrong = api.get(&format!("{path}/deliveries?state=lost")).await;
        assert_eq!(wrong.refusal(), (400, "validation_error", vec!["state"]));
    }

    // API-2
    async fn they_come_by_pages(test: TestDatabase) {
        let api = Api::new(test).await;
        for n in 0..5 {
            api.outreach.kit.clock.advance(Duration::from_millis(1));
            webhook(&api, &format!("https://h{n}.example.com")).await;
        }
        let (rows, sizes) = api.pages("/webhooks", 2).await;
        let hosts: Vec<_> = rows.iter().map(|row| row["host"].as_str().unwrap()).collect();
        assert_eq!(sizes, [2, 2, 1]);
        assert_eq!(hosts, ["h0.example.com", "h1.example.com", "h2.example.com", "h3.example.com", "h4.example.com"]);
    }
}
