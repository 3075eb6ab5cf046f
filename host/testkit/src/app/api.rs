//! The API as a program sees it: JSON in, JSON out.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

/// Calls one server with one key.
#[derive(Clone, Debug)]
pub struct Api {
    http: reqwest::Client,
    base: String,
    key: String,
}

/// An answer that is no success.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    pub status: u16,
    /// The envelope of API-2.
    pub body: Value,
}

impl Api {
    /// A client; nothing is sent yet.
    ///
    /// # Panics
    /// When the HTTP client can't be made.
    pub fn new(url: &str, key: &str) -> Self {
        // The first to ask installs it; all choose the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("an HTTP client can be made");
        Self {
            http,
            base: format!("{url}/api/v1"),
            key: key.to_owned(),
        }
    }

    /// The same server with another key.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self {
            key: key.to_owned(),
            ..self.clone()
        }
    }

    /// `data` of `GET path`.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn get(&self, path: &str) -> Value {
        let answer = self.send(self.request(Method::GET, path)).await;
        answer
            .unwrap_or_else(|refusal| panic!("GET {path}: {refusal:?}"))
            .take_data()
    }

    /// `data` of all pages of a list.
    ///
    /// # Panics
    /// When one is refused.
    pub async fn all(&self, path: &str) -> Vec<Value> {
        let (mut rows, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut request = self.request(Method::GET, path).query(&[("limit", "100")]);
            if let Some(cursor) = &cursor {
                request = request.query(&[("cursor", cursor)]);
            }
            let page = self.send(request).await;
            let mut page = page.unwrap_or_else(|refusal| panic!("GET {path}: {refusal:?}"));
            if let Value::Array(more) = page["data"].take() {
                rows.extend(more);
            }
            match page["pagination"]["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return rows,
            }
        }
    }

    /// `data` of `POST path`.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn post(&self, path: &str, body: &Value) -> Value {
        let answer = self.try_post(path, body).await;
        answer.unwrap_or_else(|refusal| panic!("POST {path}: {refusal:?}"))
    }

    /// `data` of `POST path`, or how it was refused.
    ///
    /// # Errors
    /// An answer that is no success.
    pub async fn try_post(&self, path: &str, body: &Value) -> Result<Value, Refusal> {
        let request = self.request(Method::POST, path).json(body);
        self.send(request).await.map(Data::take_data)
    }

    /// `data` of `PATCH path`.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn patch(&self, path: &str, body: &Value) -> Value {
        let answer = self
            .send(self.request(Method::PATCH, path).json(body))
            .await;
        answer
            .unwrap_or_else(|refusal| panic!("PATCH {path}: {refusal:?}"))
            .take_data()
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(&self.key)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Value, Refusal> {
        let answer = request.send().await.expect("the server answers");
        let status = answer.status();
        let text = answer.text().await.expect("the answer comes whole");
        let body = serde_json::from_str(&text).unwrap_or_else(|_| json!(text));
        if status.is_success() {
            return Ok(body);
        }
        Err(Refusal {
            status: status.as_u16(),
            body,
        })
    }
}

trait Data {
    fn take_data(self) -> Value;
}

impl Data for Value {
    fn take_data(mut self) -> Value {
        self["data"].take()
    }
}
