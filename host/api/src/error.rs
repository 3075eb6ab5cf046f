//! The error envelope of API-2. Here alone an error becomes a status.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use overture_engine::FieldError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::answer::Meta;

const SOMETHING: &str = "something went wrong here; the request's id finds the cause in the log";

/// Why a request was refused or failed.
#[derive(Debug)]
pub enum Error {
    /// No key, or none of ours, or revoked, or expired.
    Unauthorized(&'static str),
    /// The key lacks this scope.
    InsufficientScope(&'static str),
    /// No endpoint has this path and method.
    NoEndpoint,
    /// The workspace or the key calls too often (API-3): again after so many seconds.
    RateLimited { wait: i64 },
    /// The work on a request broke off.
    Broken,
    /// The operation's own error.
    Engine(overture_engine::Error),
}

impl<E: Into<overture_engine::Error>> From<E> for Error {
    fn from(error: E) -> Self {
        Self::Engine(error.into())
    }
}

impl Error {
    /// One broken field.
    pub fn field(
        field: impl Into<String>,
        code: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self::Engine(overture_engine::Error::field(field, code, message))
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Unauthorized(_) => "unauthorized",
            Self::InsufficientScope(_) => "insufficient_scope",
            Self::NoEndpoint => "not_found",
            Self::RateLimited { .. } => "rate_limited",
            Self::Broken => "internal",
            Self::Engine(error) => error.code(),
        }
    }

    fn status(&self) -> StatusCode {
        match self.code() {
            "validation_error" | "unusable_mailboxes" | "invalid_status" | "end_date_expired" => {
                StatusCode::BAD_REQUEST
            }
            "unauthorized" => StatusCode::UNAUTHORIZED,
            "insufficient_scope" => StatusCode::FORBIDDEN,
            "not_found" => StatusCode::NOT_FOUND,
            "conflict" | "idempotency_conflict" => StatusCode::CONFLICT,
            "rate_limited" => StatusCode::TOO_MANY_REQUESTS,
            "payload_too_large" => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Unauthorized(why) => (*why).to_owned(),
            Self::InsufficientScope(scope) => format!("this key lacks the scope `{scope}`"),
            Self::NoEndpoint => "no endpoint has this path and method".to_owned(),
            Self::RateLimited { wait } => {
                format!("too many requests in this minute: wait {wait} seconds")
            }
            Self::Broken => SOMETHING.to_owned(),
            Self::Engine(error) if self.status().is_server_error() => {
                // The cause goes to the log, never to the caller: it may name rows and hosts.
                tracing::error!(%error, "a request failed");
                SOMETHING.to_owned()
            }
            Self::Engine(error) => error.to_string(),
        }
    }

    fn fix(&self) -> Option<&'static str> {
        match self {
            Self::Unauthorized(_) => {
                Some("send `Authorization: Bearer ws_…`; `overture key create` makes a key")
            }
            Self::InsufficientScope(_) => {
                Some("make a key with this scope: `overture key create --scope …`")
            }
            Self::NoEndpoint => Some("`GET /api/v1/openapi.json` lists every endpoint"),
            Self::RateLimited { .. } => {
                Some("the headers `X-RateLimit-*` tell what is left; fetch lists with `limit=100`")
            }
            Self::Broken | Self::Engine(_) => None,
        }
    }

    fn details(&self) -> &[FieldError] {
        match self {
            Self::Engine(error) => error.details(),
            _ => &[],
        }
    }
}

/// `{ error, meta }`, the answer to every request that was refused or failed.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorEnvelope {
    pub error: ErrorBody,
    pub meta: Meta,
}

/// What is wrong and what to do.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// Stable: `validation_error`, `not_found`, `insufficient_scope`...
    pub code: String,
    /// For people; may change.
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// The fields that are wrong, all of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Detail>,
}

/// One thing that is wrong with one field.
#[derive(Debug, Serialize, ToSchema)]
pub struct Detail {
    /// Its path in the request: `steps[1].subject`.
    pub field: String,
    pub code: String,
    pub message: String,
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let details = self.details().iter().map(|detail| Detail {
            field: detail.field.clone(),
            code: detail.code.clone(),
            message: detail.message.clone(),
        });
        let body = ErrorEnvelope {
            error: ErrorBody {
                code: self.code().to_owned(),
                message: self.message(),
                fix: self.fix().map(str::to_owned),
                details: details.collect(),
            },
            meta: Meta::current(),
        };
        (self.status(), Json(body)).into_response()
    }
}

/// What is answered under `/api/v1` where there is no endpoint.
pub(crate) async fn no_endpoint() -> Error {
    Error::NoEndpoint
}
