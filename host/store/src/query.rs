//! Running one SQL text on either database. This file alone chooses the driver.

use std::{borrow::Cow, fmt::Write as _, sync::OnceLock};

use overture_domain::{Id, Timestamp, id::Kind};
use serde_json::value::{RawValue, to_raw_value};
use sqlx::{
    AssertSqlSafe, SqlSafeStr, SqliteConnection, postgres::PgArguments, sqlite::SqliteArguments,
    types::Json,
};

use crate::{
    Read, Record, Result, Row, Tx,
    dialect::{self, Dialect},
};

/// A statement of this crate, registered by [`sql!`].
#[derive(Debug)]
pub struct Sql {
    text: &'static str,
    file: &'static str,
    line: u32,
    sqlite: OnceLock<String>,
    postgres: OnceLock<String>,
}

impl Sql {
    #[doc(hidden)]
    pub const fn new(text: &'static str, file: &'static str, line: u32) -> Self {
        Self {
            text,
            file,
            line,
            sqlite: OnceLock::new(),
            postgres: OnceLock::new(),
        }
    }

    /// The text for one database.
    pub fn text(&'static self, dialect: Dialect) -> &'static str {
        let cell = match dialect {
            Dialect::Sqlite => &self.sqlite,
            Dialect::Postgres => &self.postgres,
        };
        cell.get_or_init(|| dialect::expand(self.text, dialect))
    }

    /// Where it stands in the code: `file:line`.
    pub fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }
}

/// Every statement of the crate, also those of functions that nobody calls.
#[linkme::distributed_slice]
pub static STATEMENTS: [Sql];

/// Every statement of the crate, for the test that prepares them all on both databases.
pub fn statements() -> &'static [Sql] {
    &STATEMENTS
}

/// Registers a statement and gives a reference to it.
macro_rules! sql {
    ($text:expr) => {{
        #[expect(
            unsafe_code,
            reason = "linkme places the statement in a linker section"
        )]
        #[linkme::distributed_slice($crate::query::STATEMENTS)]
        static STATEMENT: $crate::query::Sql = $crate::query::Sql::new($text, file!(), line!());
        &STATEMENT
    }};
}
pub(crate) use sql;

/// A row for `{rows $n}`: an object with these fields, written as JSON without a tree of values.
macro_rules! row {
    ($($field:ident: $value:expr),+ $(,)?) => {{
        #[expect(non_camel_case_types, reason = "a field's type is named as the field")]
        let row = {
            #[derive(serde::Serialize)]
            struct Row<$($field),+> {
                $($field: $field),+
            }
            Row {
                $($field: $value),+
            }
        };
        row
    }};
}
pub(crate) use row;

/// A value on its way into a statement.
#[derive(Clone, Debug)]
pub enum Value {
    Text(Option<String>),
    Int(Option<i64>),
    Float(Option<f64>),
    Bool(Option<bool>),
    Bytes(Option<Vec<u8>>),
    Json(Option<Box<RawValue>>),
    /// For `{among $1}`.
    Texts(Vec<String>),
}

impl Value {
    /// What a JSON column holds.
    pub fn json(value: &impl serde::Serialize) -> Self {
        Self::Json(Some(raw(value)))
    }
}

macro_rules! values {
    ($($type:ty => $variant:ident, $from:expr;)*) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(Some($from(value)))
            }
        }
        impl From<Option<$type>> for Value {
            fn from(value: Option<$type>) -> Self {
                Self::$variant(value.map($from))
            }
        }
    )*};
}
values! {
    &str => Text, str::to_owned;
    &String => Text, String::clone;
    String => Text, std::convert::identity;
    i64 => Int, std::convert::identity;
    u32 => Int, i64::from;
    Timestamp => Int, Timestamp::as_micros;
    f64 => Float, std::convert::identity;
    bool => Bool, std::convert::identity;
    Vec<u8> => Bytes, std::convert::identity;
    &[u8] => Bytes, <[u8]>::to_vec;
    serde_json::Value => Json, raw;
}
fn texts<T: std::fmt::Display>(of: impl IntoIterator<Item = T>) -> Vec<String> {
    of.into_iter().map(|one| one.to_string()).collect()
}

fn raw(value: impl serde::Serialize) -> Box<RawValue> {
    to_raw_value(&value).expect("records serialise to JSON")
}

impl<K: Kind> From<Id<K>> for Value {
    fn from(id: Id<K>) -> Self {
        Self::Text(Some(id.to_string()))
    }
}
impl<K: Kind> From<Option<Id<K>>> for Value {
    fn from(id: Option<Id<K>>) -> Self {
        Self::Text(id.map(|id| id.to_string()))
    }
}

/// How many rows one statement takes: few sizes, so that few statements are prepared.
const SIZES: [usize; 5] = [256, 64, 16, 4, 1];

/// Cuts rows for [`Query::bind_rows`].
pub(crate) fn in_sizes<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = SIZES.into_iter().find(|size| *size <= rows.len())?;
        let (piece, rest) = rows.split_at(size);
        rows = rest;
        Some(piece)
    })
}

macro_rules! bind {
    ($query:expr, $values:expr, $texts:expr) => {{
        let mut query = $query;
        for value in $values {
            query = match value {
                Value::Text(value) => query.bind(value),
                Value::Int(value) => query.bind(value),
                Value::Float(value) => query.bind(value),
                Value::Bool(value) => query.bind(value),
                Value::Bytes(value) => query.bind(value),
                Value::Json(value) => query.bind(value.map(Json)),
                Value::Texts(value) => query.bind($texts(value)),
            };
        }
        query
    }};
}

/// The text of a query for one database.
#[derive(Debug)]
pub struct Statement(Text);

#[derive(Debug)]
enum Text {
    Fixed(&'static Sql),
    Built(String),
}

impl Statement {
    /// Whether its parameters have numbers on SQLite, as all have but `{values N}`.
    pub(crate) fn is_numbered(&self) -> bool {
        !matches!(&self.0, Text::Built(text) if text.contains("{values "))
    }

    /// The text for one database.
    fn text(&self, dialect: Dialect) -> Cow<'_, str> {
        match &self.0 {
            Text::Fixed(sql) => sql.text(dialect).into(),
            Text::Built(text) => dialect::expand(text, dialect).into(),
        }
    }

    fn safe(&self, dialect: Dialect) -> sqlx::SqlStr {
        match &self.0 {
            Text::Fixed(sql) => sql.text(dialect).into_sql_str(),
            // Built from static texts alone: values travel as parameters.
            Text::Built(text) => AssertSqlSafe(dialect::expand(text, dialect)).into_sql_str(),
        }
    }

    pub(crate) fn sqlite(
        &self,
        values: Vec<Value>,
    ) -> sqlx::query::Query<'static, sqlx::Sqlite, SqliteArguments> {
        let query = sqlx::query(self.safe(Dialect::Sqlite));
        bind!(query, values, Json::<Vec<String>>)
    }

    pub(crate) fn postgres(
        &self,
        values: Vec<Value>,
    ) -> sqlx::query::Query<'static, sqlx::Postgres, PgArguments> {
        let query = sqlx::query(self.safe(Dialect::Postgres));
        bind!(query, values, std::convert::identity::<Vec<String>>)
    }
}

/// Statements that SQLite runs one after the other before anybody is told: a change of threads there
/// and back, instead of one for each.
#[derive(Debug, Default)]
pub(crate) struct Together {
    text: String,
    values: Vec<Value>,
}

impl Together {
    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub(crate) fn and(mut self, statement: &Statement, values: Vec<Value>) -> Self {
        self.add(&statement.text(Dialect::Sqlite));
        self.values.extend(values);
        self
    }

    /// Runs them, if there are any.
    pub(crate) async fn run(self, on: &mut SqliteConnection) -> sqlx::Result<()> {
        if !self.is_empty() {
            self.sqlite().execute(on).await?;
        }
        Ok(())
    }

    /// A statement without values at the end.
    pub(crate) fn and_last(
        mut self,
        text: &str,
    ) -> sqlx::query::Query<'static, sqlx::Sqlite, SqliteArguments> {
        self.add(text);
        self.sqlite()
    }

    pub(crate) fn sqlite(self) -> sqlx::query::Query<'static, sqlx::Sqlite, SqliteArguments> {
        // Built from static texts alone: values travel as parameters.
        let query = sqlx::query(AssertSqlSafe(self.text).into_sql_str());
        bind!(query, self.values, Json::<Vec<String>>)
    }

    /// Adds a text whose parameters come behind those that are there.
    fn add(&mut self, text: &str) {
        assert!(!text.contains('?'), "parameters have numbers: {text}");
        if !self.text.is_empty() {
            self.text.push(';');
        }
        let before = self.values.len();
        let mut parts = text.split('$');
        self.text.push_str(parts.next().unwrap_or_default());
        for part in parts {
            let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, rest) = part.split_at(digits);
            let _ = match number.parse::<usize>() {
                Ok(number) => write!(self.text, "${}{rest}", number + before),
                Err(_) => write!(self.text, "${rest}"),
            };
        }
    }
}

/// A statement with its values.
#[derive(Debug)]
#[must_use = "a query does nothing until it is run"]
pub struct Query {
    statement: Statement,
    values: Vec<Value>,
}

/// Starts a query from a registered statement.
pub(crate) fn query(sql: &'static Sql) -> Query {
    Query {
        statement: Statement(Text::Fixed(sql)),
        values: Vec::new(),
    }
}

impl Query {
    /// The value of the next parameter, `$1` first.
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// A JSON value: a set for `{rows $n}`, or a JSON column.
    pub fn bind_json(mut self, value: &impl serde::Serialize) -> Self {
        self.values.push(Value::json(value));
        self
    }

    /// What a column may be among, for `{among $n}`.
    pub fn bind_ids<T: std::fmt::Display>(mut self, ids: impl IntoIterator<Item = T>) -> Self {
        self.values.push(Value::Texts(texts(ids)));
        self
    }

    /// The rows of `{values N}`, which have N values each; there must be at least one. Give them as
    /// [`in_sizes`] cuts them.
    pub fn bind_rows<const N: usize>(mut self, rows: impl Iterator<Item = [Value; N]>) -> Self {
        self.values = rows.flatten().collect();
        if let Text::Fixed(sql) = self.statement.0 {
            let several = format!("{{values {N} {}}}", self.values.len() / N);
            let built = sql.text.replace(&format!("{{values {N}}}"), &several);
            self.statement = Statement(Text::Built(built));
        }
        self
    }

    /// Adds text, for filters that are not always there. Values come with
    /// [`push_bind`](Self::push_bind).
    pub fn push(mut self, text: &'static str) -> Self {
        let mut built = match self.statement.0 {
            Text::Fixed(sql) => sql.text.to_owned(),
            Text::Built(built) => built,
        };
        built.push_str(text);
        self.statement = Statement(Text::Built(built));
        self
    }

    /// Adds text that ends where the number of a new parameter belongs, and its value.
    pub fn push_bind(mut self, text: &'static str, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        let number = self.values.len();
        self = self.push(text);
        if let Text::Built(built) = &mut self.statement.0 {
            let _ = write!(built, "${number}");
        }
        self
    }

    /// Adds text that ends with a column, which is among these.
    pub fn push_among<T: std::fmt::Display>(
        mut self,
        text: &'static str,
        ids: impl IntoIterator<Item = T>,
    ) -> Self {
        self.values.push(Value::Texts(texts(ids)));
        let number = self.values.len();
        self = self.push(text);
        if let Text::Built(built) = &mut self.statement.0 {
            let _ = write!(built, "{{among ${number}}}");
        }
        self
    }

    /// Runs a write; how many rows it touched.
    pub async fn execute(self, tx: &mut Tx) -> Result<u64> {
        tx.execute(&self.statement, self.values).await
    }

    /// Leaves a write to the transaction, which runs it with the next statement that somebody waits
    /// for, or with its commit, and in order: what it breaks is told there.
    pub fn later(self, tx: &mut Tx) {
        tx.later(self.statement, self.values);
    }

    /// All rows.
    pub async fn rows(self, on: &mut impl Read) -> Result<Vec<Row>> {
        on.fetch(&self.statement, self.values).await
    }

    /// All rows as records.
    pub async fn all<T: Record>(self, on: &mut impl Read) -> Result<Vec<T>> {
        self.rows(on).await?.iter().map(Row::record).collect()
    }

    /// The first row as a record, if there is one.
    pub async fn optional<T: Record>(self, on: &mut impl Read) -> Result<Option<T>> {
        self.rows(on).await?.first().map(Row::record).transpose()
    }

    /// The whole number in the column `n` of the only row.
    pub async fn number(self, on: &mut impl Read) -> Result<i64> {
        self.rows(on)
            .await?
            .first()
            .map_or(Ok(0), |row| row.int("n"))
    }
}
