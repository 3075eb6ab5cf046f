//! `/openapi.json` (API-5)

use std::collections::BTreeSet;

use axum::{body::Body, http::Request};
use overture_testkit::on_both;
use serde_json::Value;

use crate::{
    kit::{Answer, Api},
    operations,
};

fn document() -> Value {
    serde_json::from_str(&overture_api::document()).unwrap()
}

on_both! {
    // API-5
    async fn it_is_served_to_everybody(test: TestDatabase) {
        let api = Api::new(test).await;
        let request = Request::get("/api/v1/openapi.json").body(Body::empty()).unwrap();
        let answer = Answer::of(api.send(request).await).await;
        assert_eq!((answer.status, &answer.body), (200, &document()));
    }

    // API-5: what is described is served, and the other way round.
    async fn it_has_the_operations_that_are_served(test: TestDatabase) {
        let api = Api::new(test).await;
        let mut described = BTreeSet::new();
        for (path, item) in api.document["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys() {
                described.insert((method.to_uppercase(), path.clone()));
            }
        }
        let known = operations::all().into_iter().map(|known| (known.method.to_owned(), known.path.to_owned()));
        assert_eq!(described, known.collect());
        for path in described.iter().map(|(_, path)| path).collect::<BTreeSet<_>>() {
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
                // Nobody gets past the door without a key, where there is one.
                let request = Request::builder().method(method).uri(format!("/api/v1{path}"));
                let answer = Answer::of(api.send(request.body(Body::empty()).unwrap()).await).await;
                let is_described = described.contains(&(method.to_owned(), path.clone()));
                assert_eq!(answer.status, if is_described { 401 } else { 404 }, "{method} {path}");
            }
        }
    }
}

// API-5
#[test]
fn it_is_openapi_3_1() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["servers"][0]["url"], "/api/v1");
    assert_eq!(
        document["components"]["securitySchemes"]["api_key"]["scheme"],
        "bearer"
    );
}

// API-2: only the envelopes are snake_case.
#[test]
fn its_fields_are_camel_case() {
    fn look(value: &Value, at: &str, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                let properties = fields.get("properties").and_then(Value::as_object);
                for name in properties.into_iter().flatten().map(|(name, _)| name) {
                    if name.contains('_') || name.starts_with(char::is_uppercase) {
                        found.insert(name.clone());
                    }
                }
                for (name, value) in fields {
                    if name != "example" {
                        look(value, &format!("{at}/{name}"), found);
                    }
                }
            }
            Value::Array(all) => all.iter().for_each(|one| look(one, at, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    look(&document(), "", &mut found);
    let envelope = ["has_more", "next_cursor", "request_id"].map(str::to_owned);
    assert_eq!(found, BTreeSet::from(envelope));
}

// API-2, API-5
#[test]
fn every_operation_has_a_text_a_tag_and_its_errors() {
    let document = document();
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let at = format!("{method} {path}");
            assert!(
                operation["summary"]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "{at}"
            );
            assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{at}");
            let id = (
                operation["tags"][0].as_str().unwrap(),
                operation["operationId"].as_str().unwrap(),
            );
            assert!(ids.insert(id), "{at}: {id:?} is taken");
            let responses = operation["responses"].as_object().unwrap();
            let mut wanted = vec!["401", "500"];
            wanted.extend((path != "/me").then_some("403"));
            wanted.extend(path.contains('{').then_some("404"));
            wanted.extend(operation["requestBody"].is_object().then_some("400"));
            for status in wanted {
                let schema = &responses[status]["content"]["application/json"]["schema"];
                assert_eq!(
                    schema["$ref"], "#/components/schemas/ErrorEnvelope",
                    "{at} {status}"
                );
            }
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let name = parameter["name"].as_str().unwrap();
                assert!(!name.contains('_'), "{at}: {name}");
            }
        }
    }
}

// A reference that leads nowhere, or a schema that nobody uses.
#[test]
fn its_references_lead_somewhere() {
    let document = document();
    let text = document.to_string();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for rest in text.split("\"#/components/schemas/").skip(1) {
        let name = rest.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name}");
    }
    for name in schemas.keys() {
        assert!(
            text.contains(&format!("\"#/components/schemas/{name}\"")),
            "{name} is used by nothing"
        );
    }
}
