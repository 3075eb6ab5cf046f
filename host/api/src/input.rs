//! Reading requests; what is wrong is told by field (API-2).

use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    http::request::Parts,
};
use overture_domain::{Id, id::Kind};
use serde::de::DeserializeOwned;

use crate::Error;

/// A JSON object as the body.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let bytes = body(request, state).await?;
        // Serde would take an array for the fields in their order, too.
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            let message = "the body is no JSON object, such as {\"name\": \"…\"}";
            return Err(Error::field("body", "invalid", message));
        }
        let mut json = serde_json::Deserializer::from_slice(&bytes);
        let read = serde_path_to_error::deserialize(&mut json)
            .map_err(|error| unreadable("body", &error.path().to_string(), error.inner()))?;
        json.end()
            .map_err(|error| unreadable("body", ".", &error))?;
        Ok(Self(read))
    }
}

/// Names the field that is wrong; `whole` when it is none in particular.
fn unreadable(whole: &str, path: &str, error: &dyn std::fmt::Display) -> Error {
    let message = error.to_string();
    // Serde tells a field that is missing by its text alone; the path ends at what lacks it.
    let missing = message
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split_once('`'))
        .map(|(name, _)| name);
    let (field, code) = match (missing, path) {
        (Some(name), ".") => (name.to_owned(), "required"),
        (Some(name), path) => (format!("{path}.{name}"), "required"),
        (None, ".") => (whole.to_owned(), "invalid"),
        (None, path) => (path.to_owned(), "invalid"),
    };
    Error::field(field, code, message)
}

/// The bytes of a body within the limit of its route.
pub(crate) async fn body<S: Send + Sync>(
    request: Request,
    state: &S,
) -> Result<axum::body::Bytes, Error> {
    axum::body::Bytes::from_request(request, state)
        .await
        .map_err(|rejection| {
            let message = format!("the body can't be read: {}", rejection.body_text());
            match rejection.status() {
                axum::http::StatusCode::PAYLOAD_TOO_LARGE => {
                    Error::Engine(overture_engine::Error::TooLarge(
                        "the body is larger than this endpoint takes".into(),
                    ))
                }
                _ => Error::field("body", "unreadable", message),
            }
        })
}

/// Query parameters.
#[derive(Debug)]
pub struct Params<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let text = parts.uri.query().unwrap_or_default();
        let query =
            serde_urlencoded::Deserializer::new(url::form_urlencoded::parse(text.as_bytes()));
        serde_path_to_error::deserialize(query)
            .map(Self)
            .map_err(|error| unreadable("query", &error.path().to_string(), error.inner()))
    }
}

/// The value of a parameter; what it may be is told by the type.
pub(crate) fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
    field: &str,
    text: Option<&str>,
) -> Result<Option<T>, Error> {
    text.map(str::parse)
        .transpose()
        .map_err(|error: T::Err| Error::field(field, "invalid", error.to_string()))
}

/// A moment: `2026-03-02T09:00:00Z`.
pub(crate) fn moment(
    field: &str,
    text: Option<&str>,
) -> Result<Option<overture_domain::Timestamp>, Error> {
    text.map(str::parse).transpose().map_err(|_| {
        let message = "a moment such as `2026-03-02T09:00:00Z` (`+` of a zone is written `%2B`)";
        Error::field(field, "invalid", message)
    })
}

/// The id in a path. A text that is no id of this kind is the id of nothing: 404.
#[derive(Debug)]
pub struct PathId<K: Kind>(pub Id<K>);

impl<S: Send + Sync, K: Kind> FromRequestParts<S> for PathId<K> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let text = axum::extract::Path::<String>::from_request_parts(parts, state).await;
        text.ok()
            .and_then(|text| text.parse().ok())
            .map(Self)
            .ok_or(Error::Engine(overture_engine::Error::NotFound("resource")))
    }
}
