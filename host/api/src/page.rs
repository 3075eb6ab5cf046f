//! Lists come by pages (API-2): `limit` and `cursor` in, `pagination` out.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Error, answer::Meta};

/// The query parameters of every list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// Rows a page, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before; leave out for the first.
    pub cursor: Option<String>,
}

impl PageParams {
    /// The rows asked for.
    ///
    /// # Errors
    /// When `limit` is not from 1 to 100.
    pub fn limit(&self) -> Result<i64, Error> {
        match self.limit.unwrap_or(50) {
            limit @ 1..=100 => Ok(limit),
            _ => Err(Error::field(
                "limit",
                "out_of_range",
                "`limit` is from 1 to 100",
            )),
        }
    }

    /// The place after which the page begins.
    ///
    /// # Errors
    /// When the cursor is none of ours.
    pub fn after<T: std::str::FromStr>(&self) -> Result<Option<T>, Error> {
        let parse = |cursor: &String| {
            let message = "take `next_cursor` of the page before, or leave `cursor` out";
            cursor
                .parse()
                .map_err(|_| Error::field("cursor", "invalid", message))
        };
        self.cursor.as_ref().map(parse).transpose()
    }
}

/// Whether there is more, and how to get it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Pagination {
    pub has_more: bool,
    pub next_cursor: Option<String>,
}

/// `200` with `{ data, pagination, meta }`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    pub data: Vec<T>,
    pub pagination: Pagination,
    pub meta: Meta,
}

impl<T> Page<T> {
    /// A page of at most `limit` rows, made of rows that were asked for with a limit of one more.
    /// `cursor` tells the place of a row.
    pub fn new<R>(
        mut rows: Vec<R>,
        limit: i64,
        cursor: impl Fn(&R) -> String,
        convert: impl FnMut(R) -> T,
    ) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = if has_more {
            rows.last().map(cursor)
        } else {
            None
        };
        Self {
            data: rows.into_iter().map(convert).collect(),
            pagination: Pagination {
                has_more,
                next_cursor,
            },
            meta: Meta::current(),
        }
    }
}

impl<T: Serialize> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}
