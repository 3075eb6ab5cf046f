//! The success envelope of API-2.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::request_id;

/// What stands beside `data` in every answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct Meta {
    /// Quote it when you report a problem.
    pub request_id: String,
}

impl Meta {
    pub(crate) fn current() -> Self {
        Self {
            request_id: request_id::current(),
        }
    }
}

/// `200` with `{ data, meta }`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Answer<T> {
    pub data: T,
    pub meta: Meta,
}

impl<T> Answer<T> {
    /// The envelope around `data`.
    pub fn new(data: T) -> Self {
        Self {
            data,
            meta: Meta::current(),
        }
    }
}

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

/// `201` with `{ data, meta }`.
#[derive(Debug)]
pub struct Created<T>(pub T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Answer::new(self.0)).into_response()
    }
}

/// What was deleted.
#[derive(Debug, Serialize, ToSchema)]
pub struct Deleted {
    pub id: String,
}
