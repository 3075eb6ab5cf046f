//! The API from the command line: the same that every program uses.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use overture_domain::Clock;
use reqwest::{Method, RequestBuilder, Response, StatusCode, header::RETRY_AFTER};
use serde_json::Value;

use crate::{
    clock::{SystemClock, Time},
    commands::note,
};

/// The longest that the server may tell us to wait, in seconds.
const MINUTE: u64 = 60;

/// Which server, and with which key.
#[derive(Debug, Args)]
pub struct Server {
    /// Where the server is
    #[arg(
        long,
        value_name = "URL",
        env = "OVERTURE_URL",
        default_value = "http://127.0.0.1:8080"
    )]
    url: String,
    /// The API key; `overture key create` makes one
    #[arg(
        long,
        value_name = "KEY",
        env = "OVERTURE_API_KEY",
        hide_env_values = true
    )]
    key: Option<String>,
}

impl Server {
    /// A client for it; nothing is sent yet.
    ///
    /// # Errors
    /// When there is no key.
    pub fn connect(&self) -> Result<Client> {
        let key = self.key.clone().ok_or_else(|| {
            anyhow!("this command needs an API key: set OVERTURE_API_KEY or give --key; `overture key create` makes one")
        })?;
        // Straight to the server that was named: no proxy from the environment.
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .context("the HTTP client can't be made")?;
        Ok(Client {
            http,
            base: format!("{}/api/v1", self.url.trim_end_matches('/')),
            key,
        })
    }
}

/// Calls the API of one server with one key.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    key: String,
}

impl Client {
    /// `data` of `GET path`.
    ///
    /// # Errors
    /// The server's own words, or why it can't be reached.
    pub async fn get(&self, path: &str) -> Result<Value> {
        data(self.send(self.request(Method::GET, path)).await?).await
    }

    /// `data` of every page of a list.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn all(&self, path: &str) -> Result<Vec<Value>> {
        self.all_of(path, &[]).await
    }

    /// The same of a list with these filters.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn all_of(&self, path: &str, filters: &[(&str, &str)]) -> Result<Vec<Value>> {
        let (mut rows, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let request = self.request(Method::GET, path).query(filters);
            let mut request = request.query(&[("limit", "100")]);
            if let Some(cursor) = &cursor {
                request = request.query(&[("cursor", cursor)]);
            }
            let mut page = body(self.send(request).await?).await?;
            if let Value::Array(data) = page["data"].take() {
                rows.extend(data);
            }
            match page["pagination"]["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(rows),
            }
        }
    }

    /// `data` of `POST path` with a JSON body.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.call(Method::POST, path, body).await
    }

    /// `data` of a request with a JSON body.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn call(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        data(self.send(self.request(method, path).json(body)).await?).await
    }

    /// `data` of `POST path` with a file as the body.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn upload(
        &self,
        path: &str,
        query: &[(&str, String)],
        kind: &str,
        file: Vec<u8>,
    ) -> Result<Value> {
        let request = self
            .request(Method::POST, path)
            .query(query)
            .header("content-type", kind)
            .body(file);
        data(self.send(request).await?).await
    }

    /// The open answer of `GET path`, for streams.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn stream(&self, path: &str) -> Result<Response> {
        let response = self.send(self.request(Method::GET, path)).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(body(response)
            .await
            .err()
            .unwrap_or_else(|| anyhow!("the server refused the stream")))
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(&self.key)
    }

    /// Sends it; where the server says that this minute's requests are used up, again when it says
    /// so (API-3).
    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        loop {
            let response = self.send_once(again(&request)?).await?;
            let wait = response.headers().get(RETRY_AFTER);
            let wait = wait.and_then(|seconds| seconds.to_str().ok()?.parse().ok());
            match wait {
                Some(seconds @ 1..=MINUTE)
                    if response.status() == StatusCode::TOO_MANY_REQUESTS =>
                {
                    note(format_args!(
                        "the requests of this minute are used up: going on in {seconds} s"
                    ));
                    let wait = Duration::from_secs(seconds);
                    SystemClock.reached(SystemClock.now() + wait).await;
                }
                _ => return Ok(response),
            }
        }
    }

    async fn send_once(&self, request: RequestBuilder) -> Result<Response> {
        request.send().await.map_err(|error| {
            if error.is_connect() {
                anyhow!("no server answers at {}: is `overture serve` running there? (--url or OVERTURE_URL names another)", self.base)
            } else {
                anyhow!("the server at {} can't be used: {error}", self.base)
            }
        })
    }
}

/// A copy of a request, to send it more than once.
fn again(request: &RequestBuilder) -> Result<RequestBuilder> {
    request
        .try_clone()
        .context("a request whose body can't be sent twice")
}

async fn data(response: Response) -> Result<Value> {
    Ok(body(response).await?["data"].take())
}

async fn body(response: Response) -> Result<Value> {
    let status = response.status();
    let text = response
        .text()
        .await
        .context("the server's answer broke off")?;
    let body: Value = serde_json::from_str(&text).with_context(|| {
        format!("the server answered {status} with something that is no JSON: is this Overture?")
    })?;
    if status.is_success() {
        return Ok(body);
    }
    let error = &body["error"];
    let details = error["details"].as_array().map_or(&[][..], Vec::as_slice);
    let code = match details {
        [only] => &only["code"],
        _ => &error["code"],
    };
    let mut message = format!(
        "{} ({})",
        error["message"].as_str().unwrap_or("the server refused"),
        code.as_str().unwrap_or("unknown")
    );
    // A single detail is what the message says.
    for detail in details.iter().filter(|_| details.len() > 1) {
        let text = |key: &str| detail[key].as_str().unwrap_or_default();
        message.push_str(&format!(
            "\n  {} [{}]: {}",
            text("field"),
            text("code"),
            text("message")
        ));
    }
    if let Some(fix) = error["fix"].as_str() {
        message.push_str(&format!("\n  {fix}"));
    }
    bail!(message)
}
