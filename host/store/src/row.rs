//! Reading rows into records; a value that can't be understood names its table, column and id.

use std::str::FromStr;

use overture_domain::{Id, Timestamp, id::Kind};
use serde::de::DeserializeOwned;
use sqlx::{Row as _, postgres::PgRow, sqlite::SqliteRow, types::Json};

use crate::{Error, Result};

/// A row of either database.
#[derive(Debug)]
pub enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// Something that is read from a row.
pub trait Record: Sized {
    /// The table, for errors.
    const TABLE: &'static str;

    /// Reads the columns that the statement listed.
    fn from_row(row: &Row) -> Result<Self>;
}

macro_rules! get {
    ($self:ident, $column:ident, $type:ty) => {
        match $self {
            Row::Sqlite(row) => row.try_get::<$type, _>($column),
            Row::Postgres(row) => row.try_get::<$type, _>($column),
        }
        .map_err(|error| malformed($column, &error))
    };
}

fn malformed(column: &str, detail: &dyn std::fmt::Display) -> Error {
    Error::Malformed {
        table: "",
        column: column.to_owned(),
        id: String::new(),
        detail: detail.to_string(),
    }
}

impl Row {
    /// Reads a record; errors name its table and id.
    pub fn record<T: Record>(&self) -> Result<T> {
        T::from_row(self).map_err(|error| match error {
            Error::Malformed { column, detail, .. } => Error::Malformed {
                table: T::TABLE,
                column,
                id: self.opt_text("id").ok().flatten().unwrap_or_default(),
                detail,
            },
            other => other,
        })
    }

    pub fn text(&self, column: &str) -> Result<String> {
        get!(self, column, String)
    }

    pub fn opt_text(&self, column: &str) -> Result<Option<String>> {
        get!(self, column, Option<String>)
    }

    pub fn int(&self, column: &str) -> Result<i64> {
        get!(self, column, i64)
    }

    pub fn opt_int(&self, column: &str) -> Result<Option<i64>> {
        get!(self, column, Option<i64>)
    }

    pub fn float(&self, column: &str) -> Result<f64> {
        get!(self, column, f64)
    }

    pub fn bool(&self, column: &str) -> Result<bool> {
        get!(self, column, bool)
    }

    pub fn bytes(&self, column: &str) -> Result<Vec<u8>> {
        get!(self, column, Vec<u8>)
    }

    pub fn time(&self, column: &str) -> Result<Timestamp> {
        self.int(column).map(Timestamp::from_micros)
    }

    pub fn opt_time(&self, column: &str) -> Result<Option<Timestamp>> {
        Ok(self.opt_int(column)?.map(Timestamp::from_micros))
    }

    pub fn id<K: Kind>(&self, column: &str) -> Result<Id<K>> {
        self.parsed(column)
    }

    pub fn opt_id<K: Kind>(&self, column: &str) -> Result<Option<Id<K>>> {
        self.opt_parsed(column)
    }

    /// A text column that holds a name of an enum or an id.
    pub fn parsed<T: FromStr<Err: std::fmt::Display>>(&self, column: &str) -> Result<T> {
        get!(self, column, &str)?
            .parse()
            .map_err(|error| malformed(column, &error))
    }

    /// The same where it may be NULL.
    pub fn opt_parsed<T: FromStr<Err: std::fmt::Display>>(
        &self,
        column: &str,
    ) -> Result<Option<T>> {
        get!(self, column, Option<&str>)?
            .map(str::parse)
            .transpose()
            .map_err(|error| malformed(column, &error))
    }

    /// A JSON column.
    pub fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        let Json(value) = get!(self, column, Json<serde_json::Value>)?;
        serde_json::from_value(value).map_err(|error| malformed(column, &error))
    }

    /// What `{array …}` gathered.
    pub fn array<T: DeserializeOwned>(&self, column: &str) -> Result<Vec<T>> {
        let text = self.opt_text(column)?;
        let all = text.map_or_else(|| Ok(Vec::new()), |text| serde_json::from_str(&text));
        all.map_err(|error| malformed(column, &error))
    }

    /// A JSON column that may be NULL.
    pub fn opt_json<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>> {
        get!(self, column, Option<Json<serde_json::Value>>)?
            .map(|Json(value)| serde_json::from_value(value))
            .transpose()
            .map_err(|error| malformed(column, &error))
    }
}
