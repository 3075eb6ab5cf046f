//! Lists come by pages (API-2): `limit` and `cursor` in, `pagination` out.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use overture_domain::{Id, id::Kind};
use overture_store::{Place, Slice, Sort};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Error, answer::Meta};

/// The query parameters of a list that can be filtered and sorted: its own, and those that all of
/// them have. What is not here is refused with the names of what is.
macro_rules! list_params {
    ($(#[doc = $doc:literal])* $vis:vis struct $name:ident, sort: $sort:literal {
        $($(#[$meta:meta])* $field:ident: $type:ty,)*
    }) => {
        $(#[doc = $doc])*
        #[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        $vis struct $name {
            /// Rows a page, 1 to 100.
            #[param(minimum = 1, maximum = 100, default = 50)]
            limit: Option<i64>,
            /// `next_cursor` of the page before, with the same filters and sort; leave out for the first.
            cursor: Option<String>,
            #[doc = concat!($sort, "; with `-` before it the other way round.")]
            #[param(default = "createdAt", example = "-createdAt")]
            sort: Option<String>,
            $($(#[$meta])* $field: $type,)*
        }

        impl $name {
            /// The page, and its order.
            fn page(&self) -> crate::page::SortedPage<'_> {
                crate::page::SortedPage {
                    limit: self.limit,
                    cursor: self.cursor.as_deref(),
                    sort: self.sort.as_deref(),
                }
            }
        }
    };
}
pub(crate) use list_params;

/// The parameters of a page that can be sorted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SortedPage<'a> {
    pub(crate) limit: Option<i64>,
    pub(crate) cursor: Option<&'a str>,
    pub(crate) sort: Option<&'a str>,
}

impl SortedPage<'_> {
    /// Rows a page.
    pub(crate) fn limit(&self) -> Result<i64, Error> {
        rows_a_page(self.limit)
    }

    /// The place after which the page begins, of a list that has cursors of its own.
    pub(crate) fn after<T: std::str::FromStr>(&self) -> Result<Option<T>, Error> {
        place_after(self.cursor)
    }

    /// What it is sorted by, and whether the other way round.
    pub(crate) fn order<S>(&self) -> Result<(S, bool), Error>
    where
        S: Sort + std::str::FromStr<Err: std::fmt::Display>,
    {
        let Some(sort) = self.sort else {
            return Ok((S::DEFAULT, false));
        };
        let (name, descending) = match sort.strip_prefix('-') {
            Some(name) => (name, true),
            None => (sort, false),
        };
        let by = name.parse().map_err(|error: S::Err| {
            let message = format!("{error}; with `-` before it the other way round");
            Error::field("sort", "invalid", message)
        })?;
        Ok((by, descending))
    }

    /// One row more than the page has, which tells whether there is more.
    ///
    /// # Errors
    /// When the limit is none, the sort is not known, or the cursor is none of this sort.
    pub(crate) fn slice<S, K>(&self) -> Result<Slice<S>, Error>
    where
        S: Sort + std::fmt::Display + std::str::FromStr<Err: std::fmt::Display>,
        K: Kind,
    {
        let limit = self.limit()?;
        let (by, descending) = self.order::<S>()?;
        let after = self.cursor.map(|cursor| {
            place::<S, K>(by, cursor).ok_or_else(|| {
                let message = "take `next_cursor` of the page before, with the same `sort`, or leave `cursor` out";
                Error::field("cursor", "invalid", message)
            })
        });
        Ok(Slice {
            by,
            descending,
            after: after.transpose()?,
            limit: limit + 1,
        })
    }
}

/// The cursor of a row: its id, and before it what the list is sorted by, where that is something else.
pub(crate) fn cursor<S: Sort + std::fmt::Display>(
    slice: &Slice<S>,
    id: impl std::fmt::Display,
    key: impl FnOnce(S) -> String,
) -> String {
    match slice.by.column() {
        None => id.to_string(),
        Some(_) => {
            let key: String = key(slice.by).bytes().map(|b| format!("{b:02x}")).collect();
            format!("{}.{key}.{id}", slice.by)
        }
    }
}

fn place<S: Sort + std::fmt::Display, K: Kind>(by: S, cursor: &str) -> Option<Place> {
    let (key, id) = match by.column() {
        None => (None, cursor),
        Some(_) => {
            let rest = cursor.strip_prefix(&by.to_string())?.strip_prefix('.')?;
            let (key, id) = rest.split_once('.')?;
            (Some(unhex(key)?), id)
        }
    };
    let id: Id<K> = id.parse().ok()?;
    Some(Place {
        key,
        id: id.to_string(),
    })
}

fn unhex(text: &str) -> Option<String> {
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    };
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
    String::from_utf8(bytes?).ok()
}

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
        rows_a_page(self.limit)
    }

    /// The place after which the page begins.
    ///
    /// # Errors
    /// When the cursor is none of ours.
    pub fn after<T: std::str::FromStr>(&self) -> Result<Option<T>, Error> {
        place_after(self.cursor.as_deref())
    }
}

fn rows_a_page(limit: Option<i64>) -> Result<i64, Error> {
    match limit.unwrap_or(50) {
        limit @ 1..=100 => Ok(limit),
        _ => Err(Error::field(
            "limit",
            "out_of_range",
            "`limit` is from 1 to 100",
        )),
    }
}

fn place_after<T: std::str::FromStr>(cursor: Option<&str>) -> Result<Option<T>, Error> {
    let parse = |cursor: &str| {
        let message = "take `next_cursor` of the page before, or leave `cursor` out";
        cursor
            .parse()
            .map_err(|_| Error::field("cursor", "invalid", message))
    };
    cursor.map(parse).transpose()
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
