//! The capability `http`: requests to granted hosts, with secrets that only the host fills in.
//!
//! Here stand the rules that no implementation may forget: granted hosts, counts and bytes,
//! headers that are the host's own, and secrets. [`HttpOut`] resolves, checks the addresses
//! behind a name, and sends; it follows no redirect, because each is a new request.

use async_trait::async_trait;
use url::Url;

use crate::{
    bindings::overture::plugin::http::{self as wit, HttpError},
    capabilities::Scope,
    grants::matches_any,
    state::GuestState,
    types::Header,
};

/// A request whose secrets are filled in: never log it.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`...
    pub method: String,
    /// `http` or `https`, a granted host, without user or password.
    pub url: Url,
    /// Checked; nothing that belongs to the connection.
    pub headers: Vec<Header>,
    /// May be empty.
    pub body: Vec<u8>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// `200`
    pub status: u16,
    /// As the server sent them.
    pub headers: Vec<Header>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// Why nothing came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpFailure {
    /// The addresses behind the name are not allowed, or the scheme is not.
    Denied(String),
    /// The name can't be resolved, the connection failed or broke, TLS did not work out.
    Unreachable(String),
    /// It took too long.
    Timeout,
    /// The answer is longer than `max_body`.
    TooLarge,
}

/// The way out. The engine implements it over `egress` and the vault.
#[async_trait]
pub trait HttpOut: Send + Sync {
    /// Sends a request and reads at most `max_body` bytes of the answer's body.
    async fn send(
        &self,
        scope: &Scope,
        request: Request,
        max_body: u64,
    ) -> Result<Response, HttpFailure>;

    /// The secret that the admin filled into a slot of this plugin.
    async fn secret(&self, scope: &Scope, slot: &str) -> Option<String>;
}

/// What one call has left.
#[derive(Debug)]
pub(crate) struct HttpUse {
    calls: u32,
    bytes: u64,
}

impl HttpUse {
    pub(crate) fn new(calls: u32, bytes: u64) -> Self {
        Self { calls, bytes }
    }
}

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// Headers that speak about the connection: they are the host's.
const HOST_HEADERS: [&str; 9] = [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "keep-alive",
];

/// A secret shorter than this is not looked for in what a guest sends or receives: it would
/// be found everywhere.
const SHORTEST_SCANNED: usize = 8;

impl wit::Host for GuestState {
    async fn send(
        &mut self,
        request: wit::Request,
    ) -> wasmtime::Result<Result<wit::Response, HttpError>> {
        self.host_calls.count()?;
        Ok(self.send_http(request).await)
    }
}

impl GuestState {
    async fn send_http(&mut self, request: wit::Request) -> Result<wit::Response, HttpError> {
        let mut request = checked(request)?;
        let host = request.url.host_str().unwrap_or_default().to_owned();
        if !self.policy.grants.reaches(&host) {
            return Err(HttpError::Denied(format!(
                "the host {host} is not granted to this plugin"
            )));
        }
        let size = request.body.len() as u64;
        self.http.calls = self.http.calls.checked_sub(1).ok_or(HttpError::OverLimit)?;
        self.http.bytes = self
            .http
            .bytes
            .checked_sub(size)
            .ok_or(HttpError::OverLimit)?;

        let secrets = self.secrets().await;
        fill(&mut request, &host, &secrets)?;
        let max_body = self.http.bytes.min(self.policy.limits.output_bytes);
        let answer = self
            .services
            .http
            .send(&self.scope, request, max_body)
            .await;
        let mut response = answer.map_err(|failure| match failure {
            HttpFailure::Denied(what) => HttpError::Denied(redacted(what, &secrets)),
            HttpFailure::Unreachable(what) => HttpError::Unreachable(redacted(what, &secrets)),
            HttpFailure::Timeout => HttpError::Timeout,
            HttpFailure::TooLarge => HttpError::TooLarge(max_body),
        })?;
        let read = response.body.len() as u64;
        self.http.bytes = self.http.bytes.saturating_sub(read);
        for header in &mut response.headers {
            header.value = redacted(std::mem::take(&mut header.value), &secrets);
        }
        Ok(wit::Response {
            status: response.status,
            headers: response.headers.into_iter().map(Into::into).collect(),
            body: redacted_bytes(response.body, &secrets),
        })
    }

    async fn secrets(&self) -> Vec<Secret> {
        let mut secrets = Vec::new();
        for slot in self.policy.grants.secrets() {
            secrets.push(Secret {
                value: self.services.http.secret(&self.scope, &slot.name).await,
                slot: slot.name.clone(),
                hosts: slot.hosts.clone(),
            });
        }
        secrets
    }
}

/// A granted slot and what the admin filled in.
struct Secret {
    slot: String,
    hosts: Vec<String>,
    value: Option<String>,
}

/// Refuses what no server should get from a guest.
fn checked(request: wit::Request) -> Result<Request, HttpError> {
    let invalid = |what: String| HttpError::InvalidRequest(what);
    if !METHODS.contains(&request.method.as_str()) {
        let known = METHODS.join(", ");
        return Err(invalid(format!(
            "{} is no method; use one of {known}",
            request.method
        )));
    }
    let url = Url::parse(&request.url).map_err(|e| invalid(format!("the URL is none: {e}")))?;
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
        return Err(invalid(
            "the URL must begin with https:// and a host".into(),
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid(
            "user and password in a URL don't leave the host".into(),
        ));
    }
    let mut headers = Vec::with_capacity(request.headers.len());
    for header in request.headers.into_iter().map(Header::from) {
        let name = header.name.to_ascii_lowercase();
        if HOST_HEADERS.contains(&name.as_str()) || name.starts_with("proxy-") {
            return Err(invalid(format!("the header {name} is the host's to set")));
        }
        if !is_token(&name) || !is_field_value(&header.value) {
            return Err(invalid(format!(
                "the header `{name}` has a character that is not allowed"
            )));
        }
        headers.push(header);
    }
    Ok(Request {
        method: request.method,
        url,
        headers,
        body: request.body,
    })
}

/// A field name (RFC 9110 §5.1).
pub(crate) fn is_token(name: &str) -> bool {
    let punctuation = |b| b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || punctuation(b))
}

/// A field value (RFC 9110 §5.5): nothing that could begin another line.
pub(crate) fn is_field_value(value: &str) -> bool {
    value
        .bytes()
        .all(|b| b == b'\t' || (b >= 0x20 && b != 0x7f))
}

/// Puts the secrets where the guest wrote `{slot}` in header values and in the query, each only
/// toward its hosts. A request that holds a secret already is refused: the guest cannot know it.
fn fill(request: &mut Request, host: &str, secrets: &[Secret]) -> Result<(), HttpError> {
    let known = secrets.iter().filter_map(|s| s.value.as_deref());
    for value in known.filter(|value| value.len() >= SHORTEST_SCANNED) {
        let in_headers = request.headers.iter().any(|h| h.value.contains(value));
        let in_body = find(&request.body, value.as_bytes()).is_some();
        if in_headers || in_body || request.url.as_str().contains(value) {
            return Err(HttpError::Denied(
                "the request holds a secret in clear text".into(),
            ));
        }
    }
    for Secret { slot, hosts, value } in secrets {
        let placeholder = format!("{{{slot}}}");
        let in_query = request
            .url
            .query()
            .is_some_and(|q| q.contains(&placeholder));
        if !in_query
            && !request
                .headers
                .iter()
                .any(|h| h.value.contains(&placeholder))
        {
            continue;
        }
        if !matches_any(hosts, host) {
            return Err(HttpError::Denied(format!(
                "the secret {slot} may not go to {host}"
            )));
        }
        let value = value.as_deref().filter(|value| is_field_value(value));
        let value = value.ok_or_else(|| HttpError::SecretMissing(slot.clone()))?;
        for header in &mut request.headers {
            header.value = header.value.replace(&placeholder, value);
        }
        if let (true, Some(query)) = (in_query, request.url.query()) {
            let encoded: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
            let filled = query.replace(&placeholder, &encoded);
            request.url.set_query(Some(&filled));
        }
    }
    Ok(())
}

/// A text in which `{slot}` stands wherever a server echoed a secret.
fn redacted(text: String, secrets: &[Secret]) -> String {
    let echoes = |s: &&Secret| {
        let value = s.value.as_deref().unwrap_or_default();
        value.len() >= SHORTEST_SCANNED && text.contains(value)
    };
    match secrets.iter().find(echoes) {
        Some(Secret { slot, value, .. }) => {
            let value = value.as_deref().unwrap_or_default();
            redacted(text.replace(value, &format!("{{{slot}}}")), secrets)
        }
        None => text,
    }
}

fn redacted_bytes(mut bytes: Vec<u8>, secrets: &[Secret]) -> Vec<u8> {
    for Secret { slot, value, .. } in secrets {
        let value = value.as_deref().unwrap_or_default().as_bytes();
        if value.len() < SHORTEST_SCANNED {
            continue;
        }
        let mut from = 0;
        while let Some(at) = find(&bytes[from..], value) {
            let placeholder = format!("{{{slot}}}");
            let (start, end) = (from + at, from + at + value.len());
            from = start + placeholder.len();
            bytes.splice(start..end, placeholder.into_bytes());
        }
    }
    bytes
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes
        .windows(needle.len())
        .position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "s3cret-token-value";

    fn secrets() -> Vec<Secret> {
        vec![Secret {
            slot: "api-key".into(),
            hosts: vec!["api.example.com".into()],
            value: Some(TOKEN.into()),
        }]
    }

    fn request(url: &str, header: &str) -> wit::Request {
        let headers = vec![
            Header {
                name: "authorization".into(),
                value: header.into(),
            }
            .into(),
        ];
        wit::Request {
            method: "POST".into(),
            url: url.into(),
            headers,
            body: b"{}".to_vec(),
        }
    }

    // PLG-2
    #[test]
    fn a_secret_is_filled_in_only_toward_its_hosts() {
        let url = "https://api.example.com/x?key={api-key}";
        let mut filled = checked(request(url, "Bearer {api-key}")).unwrap();
        fill(&mut filled, "api.example.com", &secrets()).unwrap();
        assert_eq!(filled.headers[0].value, format!("Bearer {TOKEN}"));
        assert_eq!(filled.url.query(), Some("key=s3cret-token-value"));

        let mut elsewhere = checked(request("https://other.example.com/", "{api-key}")).unwrap();
        let error = fill(&mut elsewhere, "other.example.com", &secrets()).unwrap_err();
        assert!(matches!(error, HttpError::Denied(_)), "{error:?}");
        assert!(!elsewhere.headers[0].value.contains(TOKEN));
    }

    // PLG-2
    #[test]
    fn a_secret_never_comes_back_and_never_goes_out_in_clear() {
        let body = format!("you sent {TOKEN}, I say {TOKEN}!").into_bytes();
        let expected = b"you sent {api-key}, I say {api-key}!";
        assert_eq!(redacted_bytes(body, &secrets()), expected);
        assert_eq!(redacted(format!("<{TOKEN}>"), &secrets()), "<{api-key}>");

        let mut leak = checked(request("https://api.example.com/", TOKEN)).unwrap();
        let error = fill(&mut leak, "api.example.com", &secrets()).unwrap_err();
        assert!(matches!(error, HttpError::Denied(_)), "{error:?}");
    }

    #[test]
    fn an_empty_slot_fails_loudly() {
        let mut secrets = secrets();
        secrets[0].value = None;
        let mut request = checked(request("https://api.example.com/", "{api-key}")).unwrap();
        let error = fill(&mut request, "api.example.com", &secrets).unwrap_err();
        assert!(matches!(error, HttpError::SecretMissing(slot) if slot == "api-key"));
    }

    // PLG-2
    #[test]
    fn requests_that_could_smuggle_are_refused() {
        let check = |change: fn(&mut wit::Request)| {
            let mut bad = request("https://api.example.com/", "x");
            change(&mut bad);
            let error = checked(bad).err();
            assert!(
                matches!(error, Some(HttpError::InvalidRequest(_))),
                "{error:?}"
            );
        };
        check(|r| r.method = "CONNECT".into());
        check(|r| r.url = "file:///etc/passwd".into());
        check(|r| r.url = "https://user:pw@api.example.com/".into());
        check(|r| r.url = "//api.example.com/".into());
        check(|r| r.headers[0].value = "a\r\nhost: b".into());
        check(|r| r.headers[0].name = "Host".into());
        check(|r| r.headers[0].name = "Transfer-Encoding".into());
        check(|r| r.headers[0].name = "Proxy-Authorization".into());
        check(|r| r.headers[0].name = "a b".into());
    }
}
