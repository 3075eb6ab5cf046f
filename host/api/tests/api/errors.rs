//! What every endpoint refuses alike (API-1, API-2)

use std::time::Duration;

use axum::{body::Body, http::Request};
use overture_engine::people::SCOPES;
use overture_store::people;
use overture_testkit::{MONDAY, on_both};
use serde_json::json;

use crate::{
    kit::{Answer, Api},
    operations,
};

/// An id of the right kind for a path, of nothing.
fn filled(path: &str) -> String {
    let kinds = [
        ("/prospects/{id}", "pro"),
        ("/lists/{id}", "lst"),
        ("/filters/{id}", "flt"),
        ("/imports/{id}", "imp"),
        ("/mailboxes/{id}", "acc"),
        ("/campaigns/{id}", "cmp"),
        ("/messages/{id}", "msg"),
        ("/enrollments/{id}", "enr"),
        ("/webhooks/{id}", "whk"),
        ("/alerts/{id}", "alt"),
    ];
    let kind = kinds
        .iter()
        .find(|(start, _)| path.starts_with(start))
        .map_or("", |(_, kind)| kind);
    let digits = "01kjq5t3k8e9v8z2m4n6p7r8s9";
    path.replace("{id}", &format!("{kind}_{digits}"))
        .replace("{deliveryId}", &format!("dlv_{digits}"))
}

on_both! {
    // API-1
    async fn only_a_living_key_opens(test: TestDatabase) {
        let api = Api::new(test).await;
        let check = async |api: &Api, header: Option<&str>| {
            let mut request = Request::get("/api/v1/me");
            if let Some(header) = header {
                request = request.header("authorization", header);
            }
            Answer::of(api.send(request.body(Body::empty()).unwrap()).await).await
        };
        shows!(check(&api, None).await, r#"
            401 {
              "error": {
                "code": "unauthorized",
                "message": "the request has no API key",
                "fix": "send `Authorization: Bearer ws_…`; `overture key create` makes a key"
              }
            }
            "#);
        shows!(check(&api, Some("Bearer ws_0000000000000000000000000000000000000000000")).await, r#"
            401 {
              "error": {
                "code": "unauthorized",
                "message": "the API key is unknown, revoked or expired",
                "fix": "send `Authorization: Bearer ws_…`; `overture key create` makes a key"
              }
            }
            "#);
        let (key, text) = api.make_key(api.ws(), SCOPES, Some(MONDAY + Duration::from_secs(60))).await;
        assert_eq!(check(&api, Some(&format!("bearer  {text}"))).await.status, 200);
        for header in [text.clone(), format!("Basic {text}"), format!("Bearer {text}x"), "Bearer".to_owned(), "Bearer ".to_owned()] {
            let answer = check(&api, Some(&header)).await;
            assert_eq!((answer.status, answer.refusal().1), (401, "unauthorized"), "{header}");
            assert!(!answer.body.to_string().contains(&text), "a key is repeated to nobody");
        }
        api.outreach.kit.clock.advance(Duration::from_secs(60));
        let expired = check(&api, Some(&format!("Bearer {text}"))).await;
        assert_eq!(expired.refusal(), (401, "unauthorized", vec![]), "{}", key.name);
        let (key, text) = api.make_key(api.ws(), SCOPES, None).await;
        assert_eq!(check(&api, Some(&format!("Bearer {text}"))).await.status, 200);
        let mut tx = api.env().db.begin().await.unwrap();
        people::revoke_key(&mut tx, api.ws(), key.id, api.env().now()).await.unwrap();
        tx.commit().await.unwrap();
        let revoked = check(&api, Some(&format!("Bearer {text}"))).await;
        assert_eq!(revoked.refusal(), (401, "unauthorized", vec![]), "at once");
    }

    // API-1: each operation wants its scope, and no other will do.
    async fn each_operation_wants_its_scope(test: TestDatabase) {
        let api = Api::new(test).await;
        for operation in operations::all() {
            let at = format!("{} {}", operation.method, operation.path);
            let path = filled(operation.path);
            let Some(scope) = operation.scope else {
                continue;
            };
            let others: Vec<_> = SCOPES.iter().copied().filter(|other| *other != scope).collect();
            let (_, key) = api.make_key(api.ws(), &others, None).await;
            let refused = api.with_key(&key).call(operation.method, &path, operation.body.clone()).await;
            assert_eq!(refused.refusal(), (403, "insufficient_scope", vec![]), "{at}");
            assert!(refused.body["error"]["message"].as_str().unwrap().contains(&format!("`{scope}`")), "{at}");
            assert!(refused.body["error"]["fix"].is_string(), "{at}");
            if operation.path == "/events/stream" {
                continue;
            }
            let (_, key) = api.make_key(api.ws(), &[scope], None).await;
            let answer = api.with_key(&key).call(operation.method, &path, operation.body).await;
            assert!(![401, 403, 500].contains(&answer.status), "{at}: {}", answer.shown());
        }
        let (_, key) = api.make_key(api.ws(), &["prospects:read"], None).await;
        shows!(api.with_key(&key).post("/lists", json!({"name": "Fair"})).await, r#"
            403 {
              "error": {
                "code": "insufficient_scope",
                "message": "this key lacks the scope `prospects:write`",
                "fix": "make a key with this scope: `overture key create --scope …`"
              }
            }
            "#);
    }

    // API-2
    async fn there_is_no_such_endpoint(test: TestDatabase) {
        let api = Api::new(test).await;
        shows!(api.get("/leads").await, r#"
            404 {
              "error": {
                "code": "not_found",
                "message": "no endpoint has this path and method",
                "fix": "`GET /api/v1/openapi.json` lists every endpoint"
              }
            }
            "#);
        for (method, path) in [("PUT", "/lists"), ("DELETE", "/me"), ("GET", "/campaigns/cmp_1/start"), ("GET", "/lists/"), ("GET", "")] {
            let answer = api.call(method, path, None).await;
            assert_eq!(answer.refusal(), (404, "not_found", vec![]), "{method} {path}");
        }
    }

    // API-2
    async fn a_body_is_read_strictly(test: TestDatabase) {
        let api = Api::new(test).await;
        shows!(api.raw("POST", "/lists", "{\"name\": ").await, r#"
            400 {
              "error": {
                "code": "validation_error",
                "message": "name: EOF while parsing a value at line 1 column 9",
                "details": [
                  {
                    "field": "name",
                    "code": "invalid",
                    "message": "EOF while parsing a value at line 1 column 9"
                  }
                ]
              }
            }
            "#);
        shows!(api.post("/lists", json!({})).await, r#"
            400 {
              "error": {
                "code": "validation_error",
                "message": "name: missing field `name` at line 1 column 2",
                "details": [
                  {
                    "field": "name",
                    "code": "required",
                    "message": "missing field `name` at line 1 column 2"
                  }
                ]
              }
            }
            "#);
        shows!(api.post("/lists", json!({"name": "Fair", "colour": "red"})).await, r#"
            400 {
              "error": {
                "code": "validation_error",
                "message": "colour: unknown field `colour`, expected `name` or `color` at line 1 column 23",
                "details": [
                  {
                    "field": "colour",
                    "code": "invalid",
                    "message": "unknown field `colour`, expected `name` or `color` at line 1 column 23"
                  }
                ]
              }
            }
            "#);
        for body in ["", "name=Fair", "[]", "[\"Fair\", \"red\"]", "\"Fair\"", "null", "{\"name\": \"Fair\"} and more", "{\"name\": \"Fair\", \"name\": \"Fest\"}", "{\"name\": \"\u{fffd}", "\u{feff}{}"] {
            let answer = api.raw("POST", "/lists", body).await;
            assert_eq!((answer.status, answer.refusal().1), (400, "validation_error"), "{body}");
        }
        let answer = api.raw("POST", "/lists", vec![b'"', 0xff, b'"']).await;
        assert_eq!(answer.refusal(), (400, "validation_error", vec!["body"]));
        let deep = format!("{{\"url\": \"https://example.com\", \"events\": [\"*\"], \"settings\": {}", "[".repeat(200_000));
        let answer = api.raw("POST", "/webhooks", deep).await;
        assert_eq!((answer.status, answer.refusal().1), (400, "validation_error"));
        let answer = api.raw("POST", "/lists", vec![b' '; 2 * 1024 * 1024 + 1]).await;
        shows!(answer, r#"
            413 {
              "error": {
                "code": "payload_too_large",
                "message": "the body is larger than this endpoint takes"
              }
            }
            "#);
        assert_eq!(api.get("/lists").await.data(), &json!([]));
    }

    // API-2: 1 to 100 rows, and a cursor of ours, on every list.
    async fn pages_have_limits(test: TestDatabase) {
        let api = Api::new(test).await;
        shows!(api.get("/lists?limit=101").await, r#"
            400 {
              "error": {
                "code": "validation_error",
                "message": "limit: `limit` is from 1 to 100",
                "details": [
                  {
                    "field": "limit",
                    "code": "out_of_range",
                    "message": "`limit` is from 1 to 100"
                  }
                ]
              }
            }
            "#);
        shows!(api.get("/lists?cursor=next").await, r#"
            400 {
              "error": {
                "code": "validation_error",
                "message": "cursor: take `next_cursor` of the page before, with the same `sort`, or leave `cursor` out",
                "details": [
                  {
                    "field": "cursor",
                    "code": "invalid",
                    "message": "take `next_cursor` of the page before, with the same `sort`, or leave `cursor` out"
                  }
                ]
              }
            }
            "#);
        for path in ["/prospects", "/lists", "/filters", "/mailboxes", "/campaigns", "/webhooks", "/suppressions", "/events"] {
            for query in ["limit=0", "limit=-1", "limit=101", "limit=ten", "limit=", "cursor=", "cursor=7", "cursor=%27", "offset=3", "limit=99999999999999999999"] {
                let answer = api.get(&format!("{path}?{query}")).await;
                let field = query.split('=').next().unwrap();
                assert_eq!(answer.refusal(), (400, "validation_error", vec![field]), "{path}?{query}");
            }
            for query in ["limit=1", "limit=100"] {
                assert_eq!(api.get(&format!("{path}?{query}")).await.status, 200, "{path}?{query}");
            }
        }
    }

    // API-2: what fails here is not told to the caller, but can be found.
    async fn a_failure_tells_its_id_alone(test: TestDatabase) {
        let api = Api::new(test).await;
        api.outreach.kit.database.execute_raw("DROP TABLE list_members").await.unwrap();
        let answer = api.get("/lists").await;
        shows!(answer, r#"
            500 {
              "error": {
                "code": "internal",
                "message": "something went wrong here; the request's id finds the cause in the log"
              }
            }
            "#);
    }
}
