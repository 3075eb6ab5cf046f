//! HTTP through the host: only to hosts that the admin granted. Redirects are left to the guest.

use serde::{Serialize, de::DeserializeOwned};

use crate::Header;
pub use crate::bindings::imports::overture::plugin::http::{HttpError, Request, Response};

#[cfg(target_arch = "wasm32")]
use crate::bindings::imports::overture::plugin::http as host;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::http as host;

impl Request {
    /// A request without headers and body. The URL may hold `{slot}` where the manifest names a
    /// secret for its host; so may header values.
    #[must_use]
    pub fn new(method: &str, url: impl Into<String>) -> Self {
        Request {
            method: method.into(),
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push(Header {
            name: name.into(),
            value: value.into(),
        });
        self
    }

    /// With a JSON body.
    ///
    /// # Errors
    /// [`HttpError::InvalidRequest`] for a value that JSON has no form for.
    pub fn json(self, value: &impl Serialize) -> Result<Self, HttpError> {
        let body = serde_json::to_vec(value);
        let body = body.map_err(|e| HttpError::InvalidRequest(e.to_string()))?;
        Ok(Request {
            body,
            ..self.header("content-type", "application/json")
        })
    }

    /// Sends it and waits for the answer, whatever its status is.
    ///
    /// # Errors
    /// [`HttpError`], when there was no answer or the host refused.
    pub fn send(&self) -> Result<Response, HttpError> {
        host::send(self)
    }
}

impl Response {
    /// A header's value; names compare without regard to case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let header = self
            .headers
            .iter()
            .find(|h| h.name.eq_ignore_ascii_case(name));
        header.map(|h| h.value.as_str())
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// What serde says of it.
    pub fn json<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_slice(&self.body)
    }
}
