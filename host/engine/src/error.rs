//! What an operation refuses, with the stable codes of API-2.

use serde::Serialize;

/// The result of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One thing that is wrong with one field of the input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The path in the request body: `steps[1].subject`.
    pub field: String,
    /// A stable code: `required`, `too_long`, `unknown_filter`...
    pub code: String,
    /// What is wrong and what to do, for people.
    pub message: String,
}

impl FieldError {
    pub fn new(
        field: impl Into<String>,
        code: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            field: field.into(),
            code: code.into(),
            message: message.into(),
        }
    }
}

/// Why an operation was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing with this id in the workspace (WS-1: the same for another workspace's).
    #[error("there is no {0} with this id")]
    NotFound(&'static str),
    /// The input breaks rules; every broken one is listed.
    #[error("{}", invalid(.0))]
    Invalid(Vec<FieldError>),
    /// The campaign can't do this in its status (SEQ-11).
    #[error("{message}")]
    InvalidStatus {
        message: String,
        details: Vec<FieldError>,
    },
    /// No mailbox of the pool can send (SEQ-6).
    #[error("{message}")]
    UnusableMailboxes {
        message: String,
        details: Vec<FieldError>,
    },
    /// The end date has passed (SEQ-6).
    #[error("the end date has passed: move it, or remove it")]
    EndDateExpired,
    /// It is there already, or changed meanwhile.
    #[error("{0}")]
    Conflict(String),
    /// The `Idempotency-Key` belongs to another request, or to one whose end nobody knows (API-3).
    #[error("{0}")]
    IdempotencyConflict(String),
    /// More than the instance allows; the text says how much and where it is set.
    #[error("{0}")]
    TooLarge(String),
    /// A plugin, server or host outside could not be used; the text says which and why.
    #[error("{0}")]
    Outside(String),
    #[error(transparent)]
    Store(#[from] overture_store::Error),
    #[error(transparent)]
    Vault(#[from] overture_vault::Error),
}

fn invalid(fields: &[FieldError]) -> String {
    match fields {
        [one] => format!("{}: {}", one.field, one.message),
        many => format!("{} fields are invalid", many.len()),
    }
}

impl Error {
    /// One broken field.
    pub fn field(
        field: impl Into<String>,
        code: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self::Invalid(vec![FieldError::new(field, code, message)])
    }

    /// The stable code (API-2).
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "not_found",
            Self::Invalid(_) => "validation_error",
            Self::InvalidStatus { .. } => "invalid_status",
            Self::UnusableMailboxes { .. } => "unusable_mailboxes",
            Self::EndDateExpired => "end_date_expired",
            Self::Conflict(_) => "conflict",
            Self::IdempotencyConflict(_) => "idempotency_conflict",
            Self::TooLarge(_) => "payload_too_large",
            Self::Outside(_) | Self::Store(_) | Self::Vault(_) => "internal",
        }
    }

    /// The fields that are wrong.
    pub fn details(&self) -> &[FieldError] {
        match self {
            Self::Invalid(details)
            | Self::InvalidStatus { details, .. }
            | Self::UnusableMailboxes { details, .. } => details,
            _ => &[],
        }
    }
}
