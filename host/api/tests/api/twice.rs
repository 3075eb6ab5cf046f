//! What comes too often, and what comes twice (API-3).

use std::time::Duration;

use axum::{body::Body, http::Request};
use overture_domain::WorkspaceId;
use overture_engine::{
    idempotency,
    people::{self, KeyLimits},
};
use overture_testkit::on_both;
use serde_json::{Value, json};

use crate::kit::Api;

/// A POST with an `Idempotency-Key`: status, whether it was done before, and the body.
async fn post(api: &Api, path: &str, key: &str, body: &Value) -> (u16, bool, Value) {
    let request = Request::post(format!("/api/v1{path}"))
        .header("authorization", format!("Bearer {}", api.key()))
        .header("idempotency-key", key)
        .body(Body::from(body.to_string()))
        .unwrap();
    let response = api.send(request).await;
    let replayed = response.headers().get("idempotency-replayed").is_some();
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap();
    (status, replayed, serde_json::from_slice(&body).unwrap())
}

fn rate(answer: &crate::kit::Answer) -> (u16, [&str; 4]) {
    let names = [
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "retry-after",
    ];
    (answer.status, names.map(|name| answer.header(name)))
}

on_both! {
    // API-3
    async fn the_same_post_twice_is_done_once(test: TestDatabase) {
        let api = Api::new(test).await;
        let body = json!({ "name": "Spring" });
        let (status, replayed, first) = post(&api, "/lists", "k-1", &body).await;
        assert_eq!((status, replayed), (201, false));
        let second = post(&api, "/lists", "k-1", &body).await;
        assert_eq!(second, (201, true, first.clone()));
        let (lists, _) = api.pages("/lists", 10).await;
        assert_eq!(lists.len(), 1);

        // Another body or path with the key is refused and changes nothing.
        let (status, _, refused) = post(&api, "/lists", "k-1", &json!({ "name": "Autumn" })).await;
        assert_eq!((status, &refused["error"]["code"]), (409, &json!("idempotency_conflict")));
        let (status, ..) = post(&api, "/suppressions", "k-1", &body).await;
        assert_eq!(status, 409);
        assert_eq!(api.pages("/lists", 10).await.0.len(), 1);

        // Another workspace has keys of its own (WS-1).
        let stranger = api.stranger().await;
        let (status, replayed, _) = post(&stranger, "/lists", "k-1", &body).await;
        assert_eq!((status, replayed), (201, false));

        // After a day the key is free again.
        api.outreach.kit.clock.advance(Duration::from_secs(24 * 60 * 60 + 1));
        let (status, replayed, _) = post(&api, "/lists", "k-1", &json!({ "name": "Autumn" })).await;
        assert_eq!((status, replayed), (201, false));
    }

    // API-3: what was refused has changed nothing and may be corrected under the same key.
    async fn a_refused_post_gives_its_key_back(test: TestDatabase) {
        let api = Api::new(test).await;
        let (status, ..) = post(&api, "/lists", "k-1", &json!({ "name": "" })).await;
        assert_eq!(status, 400);
        let (status, replayed, _) = post(&api, "/lists", "k-1", &json!({ "name": "Spring" })).await;
        assert_eq!((status, replayed), (201, false));
        for bad in ["", "two words", &"k".repeat(256)] {
            let (status, _, body) = post(&api, "/lists", bad, &json!({ "name": "X" })).await;
            assert_eq!((status, &body["error"]["details"][0]["field"]), (400, &json!("Idempotency-Key")), "{bad}");
        }
    }

    // API-3: nobody knows whether a request that was cut off was done.
    async fn a_key_without_an_answer_is_a_conflict(test: TestDatabase) {
        let api = Api::new(test).await;
        let body = json!({ "name": "Spring" });
        let digest = idempotency::digest("POST", "/lists", body.to_string().as_bytes());
        let ws: WorkspaceId = api.ws();
        idempotency::begin(api.env(), ws, "k-1", &digest).await.unwrap();
        let text = async || {
            let (status, _, body) = post(&api, "/lists", "k-1", &body).await;
            assert_eq!(status, 409);
            body["error"]["message"].as_str().unwrap().to_owned()
        };
        assert!(text().await.contains("still under way"));
        api.outreach.kit.clock.advance(Duration::from_secs(11 * 60));
        assert!(text().await.contains("was cut off"));
    }

    // API-1: an answer that shows a secret once is kept sealed.
    async fn answers_are_kept_sealed(test: TestDatabase) {
        let api = Api::new(test).await;
        let hook = json!({ "url": "https://hooks.example.com/in", "events": ["*"] });
        let (status, _, first) = post(&api, "/webhooks", "k-1", &hook).await;
        assert_eq!(status, 201, "{first}");
        assert_eq!(post(&api, "/webhooks", "k-1", &hook).await.2, first);
        let kept = overture_store::idempotency::find(&mut api.env().db.reader(), api.ws(), "k-1").await;
        let (_, sealed) = kept.unwrap().unwrap().answer.unwrap();
        assert!(sealed.starts_with("ov1.") && !sealed.contains("whsec_"), "{sealed}");
    }

    // API-3: all keys of a workspace together, and fewer for a key with a limit of its own.
    async fn too_many_requests_of_a_minute_wait(test: TestDatabase) {
        let mut api = Api::new(test).await;
        api.router = overture_api::router(api.env().clone(), 3);
        let (slow, text) = api
            .make_limited_key(api.ws(), people::SCOPES, KeyLimits { requests_per_minute: Some(1), ..KeyLimits::default() })
            .await;
        let slow = (slow, api.with_key(&text)).1;
        let reset = (api.env().now().as_secs() / 60 + 1) * 60;
        let wait = (reset - api.env().now().as_secs()).to_string();
        let reset = reset.to_string();

        assert_eq!(rate(&slow.get("/lists").await), (200, ["1", "0", &reset, ""]));
        assert_eq!(rate(&slow.get("/lists").await), (429, ["1", "0", &reset, &wait]));
        assert_eq!(rate(&api.get("/lists").await), (200, ["3", "1", &reset, ""]));
        assert_eq!(rate(&api.get("/lists").await), (200, ["3", "0", &reset, ""]));
        let refused = api.get("/lists").await;
        assert_eq!(rate(&refused), (429, ["3", "0", &reset, &wait]));
        assert_eq!(refused.refusal(), (429, "rate_limited", vec![]));
        // The neighbour is not in it.
        let neighbour = api.stranger().await;
        assert_eq!(neighbour.get("/lists").await.status, 200);
        api.outreach.kit.clock.advance(Duration::from_secs(60));
        assert_eq!(api.get("/lists").await.status, 200);
    }
}
