//! The router with a workspace behind it, and answers as they are shown in snapshots.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, header},
    response::Response,
};
use http_body_util::BodyExt;
use overture_domain::{Timestamp, WorkspaceId, people::ApiKey};
use overture_engine::{
    Env, FormatterEntry, Formatters,
    people::{self, KeyLimits},
};
use overture_plugin_host::{CallError, Event, FormatContext, Formatted};
use overture_testkit::{Outreach, TestDatabase};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::contract;

/// Holds an answer, ids numbered and `meta` left out, against its text.
macro_rules! shows {
    ($answer:expr, $expected:literal) => {
        let shown = $answer.shown();
        insta::allow_duplicates! { insta::assert_snapshot!(shown, @$expected) }
    };
}

/// What files are.
const CSV: &str = "text/csv; charset=utf-8";

/// Requests a minute, for tests of other things.
pub(crate) const MANY: u32 = 100_000;

/// A caller of the API.
#[derive(Clone)]
pub(crate) struct Api {
    /// The workspace whose key calls, unless another was taken.
    pub(crate) outreach: Outreach,
    pub(crate) router: Router,
    pub(crate) document: Arc<Value>,
    key: String,
}

impl Api {
    /// With a key that may do everything.
    pub(crate) async fn new(test: TestDatabase) -> Self {
        let mut outreach = Outreach::new(test).await;
        outreach.kit.env.formatters = Arc::new(Plain);
        let mut api = Self {
            router: overture_api::router(outreach.env().clone(), MANY),
            document: Arc::new(serde_json::from_str(&overture_api::document()).unwrap()),
            key: String::new(),
            outreach,
        };
        api.key = api.make_key(api.ws(), people::SCOPES, None).await.1;
        api
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    pub(crate) fn env(&self) -> &Env {
        self.outreach.env()
    }

    pub(crate) fn ws(&self) -> WorkspaceId {
        self.outreach.ws
    }

    pub(crate) async fn make_key(
        &self,
        ws: WorkspaceId,
        scopes: &[&str],
        expires_at: Option<Timestamp>,
    ) -> (ApiKey, String) {
        let limits = KeyLimits {
            expires_at,
            ..KeyLimits::default()
        };
        self.make_limited_key(ws, scopes, limits).await
    }

    pub(crate) async fn make_limited_key(
        &self,
        ws: WorkspaceId,
        scopes: &[&str],
        limits: KeyLimits,
    ) -> (ApiKey, String) {
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let made = people::create_key(self.env(), ws, None, "Tests", &scopes, limits).await;
        let (key, secret) = made.unwrap();
        (key, secret.expose().to_owned())
    }

    /// The same front door with another key.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        Self {
            key: key.to_owned(),
            ..self.clone()
        }
    }

    /// A caller who may do everything in a workspace of their own.
    pub(crate) async fn stranger(&self) -> Self {
        let ws = self.outreach.kit.workspace("Elsewhere").await;
        let (_, key) = self.make_key(ws, people::SCOPES, None).await;
        let mut stranger = self.with_key(&key);
        stranger.outreach.ws = ws;
        stranger
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call("PATCH", path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, None).await
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.raw(
            method,
            path,
            body.map_or_else(String::new, |body| body.to_string()),
        )
        .await
    }

    /// With a body that may be anything.
    pub(crate) async fn raw(&self, method: &str, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.key))
            .body(body.into())
            .unwrap();
        let answer = Answer::of(self.send(request).await).await;
        contract::check(&self.document, method, path, answer.status, &answer.body);
        answer
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Everything of a list, by pages of this many rows; how many there were on each page.
    pub(crate) async fn pages(&self, path: &str, limit: usize) -> (Vec<Value>, Vec<usize>) {
        let (mut rows, mut sizes, mut cursor) = (Vec::new(), Vec::new(), String::new());
        loop {
            let separator = if path.contains('?') { '&' } else { '?' };
            let page = self
                .get(&format!("{path}{separator}limit={limit}{cursor}"))
                .await;
            let data = page.data().as_array().unwrap().clone();
            sizes.push(data.len());
            rows.extend(data);
            let pagination = &page.body["pagination"];
            match pagination["next_cursor"].as_str() {
                Some(next) => {
                    assert_eq!(pagination["has_more"], true);
                    cursor = format!("&cursor={next}");
                }
                None => {
                    assert_eq!(pagination["has_more"], false);
                    return (rows, sizes);
                }
            }
            assert!(sizes.len() < 100, "{path} never ends");
        }
    }
}

/// An answer in JSON, with its envelope checked (API-2).
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let kind = parts.headers.get(header::CONTENT_TYPE).cloned();
        let is_file = kind.is_some_and(|kind| kind == CSV);
        let text = || String::from_utf8_lossy(&bytes);
        let body: Value = match is_file {
            true => text().into(),
            false => serde_json::from_slice(&bytes)
                .unwrap_or_else(|error| panic!("{}: no JSON ({error}): {}", parts.status, text())),
        };
        let answer = Self {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        };
        let kind = if is_file { CSV } else { "application/json" };
        assert_eq!(answer.header("content-type"), kind);
        if let Some(meta) = answer.body.get("meta") {
            let id = answer.header("x-request-id");
            assert!(id.starts_with("req_"), "{id}");
            assert_eq!(meta, &json!({ "request_id": id }));
        }
        answer
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// What a request that went well answers.
    pub(crate) fn data(&self) -> &Value {
        assert!(self.status < 300, "{}", self.shown());
        &self.body["data"]
    }

    /// The id of the one thing that it answers.
    pub(crate) fn id(&self) -> &str {
        self.data()["id"].as_str().unwrap()
    }

    /// The file that it is.
    pub(crate) fn file(&self) -> &str {
        self.body
            .as_str()
            .unwrap_or_else(|| panic!("{}", self.shown()))
    }

    /// Status, code, and the fields that are wrong.
    pub(crate) fn refusal(&self) -> (u16, &str, Vec<&str>) {
        let error = &self.body["error"];
        let details = error["details"].as_array();
        let fields = details
            .into_iter()
            .flatten()
            .map(|detail| detail["field"].as_str().unwrap());
        (
            self.status,
            error["code"].as_str().unwrap_or_default(),
            fields.collect(),
        )
    }

    pub(crate) fn shown(&self) -> String {
        let mut body = self.body.clone();
        if let Some(body) = body.as_object_mut() {
            body.remove("meta");
        }
        number_ids(&mut body, &mut HashMap::new());
        format!(
            "{} {}",
            self.status,
            serde_json::to_string_pretty(&body).unwrap()
        )
    }
}

/// `pro_01kjq5t3k8e9v8z2m4n6p7r8s9` becomes `pro_1`, the next prospect `pro_2`; secrets and the
/// places of events, which differ by database, lose their text.
fn number_ids(value: &mut Value, seen: &mut HashMap<String, usize>) {
    match value {
        Value::Array(all) => all.iter_mut().for_each(|one| number_ids(one, seen)),
        Value::Object(fields) => {
            if fields.contains_key("occurredAt") {
                // PostgreSQL has an order of its own for the fields of stored JSON.
                fields["data"].sort_all_objects();
            }
            for (name, value) in fields {
                match (name.as_str(), value.as_str()) {
                    ("secret", Some(secret)) if secret.starts_with("whsec_") => {
                        *value = json!("whsec_…");
                    }
                    ("next_cursor", Some(cursor)) if !cursor.contains('_') => *value = json!("…"),
                    _ => number_ids(value, seen),
                }
            }
        }
        Value::String(text) => {
            if let Some((prefix, digits)) = text.split_once('_')
                && prefix.len() <= 4
                && digits.len() == 26
                && digits.bytes().all(|digit| digit.is_ascii_alphanumeric())
            {
                let prefix = prefix.to_owned();
                let of_kind = seen.keys().filter(|id| id.starts_with(&prefix)).count();
                let number = *seen.entry(text.clone()).or_insert(of_kind + 1);
                *text = format!("{prefix}_{number}");
            }
        }
        _ => {}
    }
}

/// The one formatter of these tests: the event's data as it is.
struct Plain;

#[async_trait]
impl Formatters for Plain {
    fn list(&self) -> Vec<FormatterEntry> {
        vec![FormatterEntry {
            id: "format-generic".to_owned(),
            name: "Plain".to_owned(),
            description: String::new(),
            settings: json!({}),
        }]
    }

    fn for_url(&self, _: &str) -> Option<String> {
        None
    }

    async fn format(
        &self,
        _: WorkspaceId,
        _: &str,
        event: &Event,
        _: &FormatContext,
    ) -> Result<Formatted, CallError> {
        Ok(Formatted {
            content_type: "application/json".to_owned(),
            headers: Vec::new(),
            body: json!({ "type": event.kind }).to_string().into_bytes(),
        })
    }
}
