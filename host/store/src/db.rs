//! Opening a database, reading from it, and writing to it in transactions.

use std::{future::Future, path::Path, str::FromStr, time::Duration};

use sqlx::{
    Connection, PgConnection,
    pool::PoolConnectionMetadata,
    postgres::{PgConnectOptions, PgPool, PgPoolOptions},
    sqlite::{
        SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
    },
};

use overture_domain::{EventId, WorkspaceId};

#[cfg(feature = "failpoints")]
use crate::crash::commit as at_commit;
use crate::{
    Error, Result, Row, checkpoint, counts,
    dialect::Dialect,
    query::{Statement, Together, Value},
    revisions::{Concerns, Revision},
    writer::{Turn, Writer},
};

/// A connection to PostgreSQL that was idle for longer is looked at before it is used.
const LOOKED_AT_AFTER: Duration = Duration::from_secs(1);

/// A database, shared by cloning.
#[derive(Clone, Debug)]
pub struct Database(Pools);

#[derive(Clone, Debug)]
enum Pools {
    /// One connection writes, several read beside it (WAL).
    Sqlite { write: Writer, read: SqlitePool },
    /// Those of transactions look every row up by an index.
    Postgres { write: PgPool, read: PgPool },
}

/// Transactions touch few rows, whatever the tables hold. What PostgreSQL believes of a table that
/// has grown since it was last counted must not make it read the whole of it, nor may a plan do so
/// that was made when the table was empty.
const BY_INDEX: [(&str, &str); 5] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
];

/// KiB of pages, negative, that SQLite's writer keeps. Most COMMITs go through all of them, and what
/// isn't there is in the system's memory.
const WRITERS_CACHE: &str = "-8192";

/// What a statement may have to undo, and what it sorts: files of a batch would be made, written and
/// removed within the turn (decision 24).
const UNDO_IN_MEMORY: &str = "PRAGMA temp_store = MEMORY";
const UNDO_IN_FILES: &str = "PRAGMA temp_store = FILE";

impl Database {
    /// Opens the database of a URL: `postgres://…`, or `sqlite:` and a path. The file is made
    /// when it is missing, its folder is not. The schema is not looked at; see
    /// [`migrate`](Self::migrate) and [`check_schema`](Self::check_schema).
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it can't be opened or reached.
    pub async fn open(url: &str) -> Result<Self> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Self::open_postgres(url).await;
        }
        match url.strip_prefix("sqlite:") {
            Some(path) => {
                Self::open_sqlite(Path::new(path.strip_prefix("//").unwrap_or(path))).await
            }
            None => Err(Error::Unavailable(
                "its URL must start with `sqlite:` or `postgres://`".to_owned(),
            )),
        }
    }

    async fn open_postgres(url: &str) -> Result<Self> {
        // Statements touch few rows of large tables, and PostgreSQL can't know how many a JSON
        // parameter holds: at its default price of a page it reads whole tables instead.
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| unavailable(&error))?
            .options([("random_page_cost", "1.1"), ("jit", "off")])
            .statement_cache_capacity(500);
        let pool = |options| {
            PgPoolOptions::new()
                .max_connections(8)
                // Not before every transaction: that is a round trip.
                .test_before_acquire(false)
                .before_acquire(|connection, known| Box::pin(look_at(connection, known)))
                .acquire_timeout(Duration::from_secs(10))
                .connect_with(options)
        };
        let read = pool(options.clone()).await;
        let write = pool(options.options(BY_INDEX)).await;
        Ok(Self(Pools::Postgres {
            write: write.map_err(|error| unavailable(&error))?,
            read: read.map_err(|error| unavailable(&error))?,
        }))
    }

    async fn open_sqlite(path: &Path) -> Result<Self> {
        // NORMAL leaves it to the writer to wait for the disk: it does before it says that something
        // is committed, or a mail would go twice after a power cut (SAFE-3).
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10))
            .statement_cache_capacity(500)
            // A whole batch, instead of a change of threads for every 50 rows.
            .row_buffer_size(1_000);
        let failed = |error: sqlx::Error| {
            let code = error
                .as_database_error()
                .and_then(|it| it.code().map(std::borrow::Cow::into_owned));
            let file = path.display();
            Error::Unavailable(match code.as_deref() {
                Some("26") => format!(
                    "{file} is no SQLite database: name another file in database.url, or put a backup back with `overture restore`"
                ),
                _ => format!("{file}: {error}"),
            })
        };
        // Pages in the log before a COMMIT writes them to their places.
        let writing = options
            .clone()
            .pragma("cache_size", WRITERS_CACHE)
            .pragma("temp_store", "MEMORY")
            .pragma("wal_autocheckpoint", checkpoint::TOO_LONG);
        let write = Writer::open(path, writing).await.map_err(failed)?;
        let read = SqlitePoolOptions::new()
            .max_connections(8)
            .test_before_acquire(false)
            .connect_with(options.read_only(true).create_if_missing(false))
            .await
            .map_err(failed)?;
        Ok(Self(Pools::Sqlite { write, read }))
    }

    /// Which database this is.
    pub const fn dialect(&self) -> Dialect {
        match self.0 {
            Pools::Sqlite { .. } => Dialect::Sqlite,
            Pools::Postgres { .. } => Dialect::Postgres,
        }
    }

    /// Whether transactions write one after the other.
    pub const fn has_one_writer(&self) -> bool {
        matches!(self.0, Pools::Sqlite { .. })
    }

    /// For reads outside a transaction.
    pub fn reader(&self) -> Reader {
        Reader(self.clone())
    }

    /// For many reads that see the same, on one connection: on SQLite each read by itself begins with
    /// pages that it must fetch anew, because somebody has written.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when no connection can be had.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        Ok(Snapshot(match &self.0 {
            Pools::Sqlite { read, .. } => Seen::Sqlite(read.begin().await?),
            Pools::Postgres { read, .. } => Seen::Postgres(
                read.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                    .await?,
            ),
        }))
    }

    /// Begins a write transaction; dropping it undoes it. On SQLite this is the only writer
    /// (`BEGIN IMMEDIATE`), so keep it short and never open across the network.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when no connection can be had.
    pub async fn begin(&self) -> Result<Tx> {
        let inner = match &self.0 {
            Pools::Sqlite { write, .. } => Transaction::Sqlite(write.begin().await?),
            Pools::Postgres { write, .. } => Transaction::Postgres(write.begin().await?),
        };
        Ok(Tx {
            inner,
            later: Vec::new(),
            to_count: Vec::new(),
            concerns: Concerns::default(),
        })
    }

    /// For a write that is a single statement: nobody says when it begins and ends, which takes a
    /// third of the time. When the statement returns, it is on disk. It comes before the
    /// transactions that wait.
    pub fn alone(&self) -> Alone {
        Alone(match &self.0 {
            Pools::Sqlite { write, .. } => Single::Sqlite(write.clone(), None),
            Pools::Postgres { write, .. } => Single::Postgres(write.clone()),
        })
    }

    /// Tells whether what was read with a [`Reader`] still holds in a [`Tx`]: the same before the
    /// read and in the transaction, nothing was committed in between that concerns the workspace,
    /// but single statements ([`alone`](Self::alone)). None where other processes may write as well.
    pub fn revision(&self, ws: WorkspaceId) -> Option<Revision> {
        match &self.0 {
            Pools::Sqlite { write, .. } => Some(write.revisions.of(ws)),
            Pools::Postgres { .. } => None,
        }
    }

    /// Waits for open connections and closes the database.
    pub async fn close(&self) {
        match &self.0 {
            Pools::Sqlite { write, read } => {
                read.close().await;
                write.close().await;
            }
            Pools::Postgres { write, read } => {
                read.close().await;
                write.close().await;
            }
        }
    }

    #[cfg(feature = "testing")]
    pub(crate) async fn prepare(&self, text: &'static str) -> Result<()> {
        use sqlx::{Executor, SqlSafeStr};
        match &self.0 {
            Pools::Sqlite { read, .. } => read.prepare(text.into_sql_str()).await.map(drop)?,
            Pools::Postgres { read, .. } => read.prepare(text.into_sql_str()).await.map(drop)?,
        }
        Ok(())
    }

    /// Runs a text that SQLite alone understands, outside a transaction and beside the writer.
    pub(crate) async fn sqlite_alone(&self, text: String) -> Result<Vec<Row>> {
        use sqlx::Executor;
        let Pools::Sqlite { read, .. } = &self.0 else {
            return Err(Error::Unavailable(format!(
                "PostgreSQL does not know `{text}`"
            )));
        };
        let rows = read.fetch_all(sqlx::AssertSqlSafe(text)).await?;
        Ok(rows.into_iter().map(Row::Sqlite).collect())
    }

    /// How many connections are open, and how many of them do nothing, by what they are for.
    pub fn connections(&self) -> Vec<(&'static str, u32, usize)> {
        match &self.0 {
            Pools::Sqlite { write, read } => vec![
                ("write", 1, usize::from(write.is_idle())),
                ("read", read.size(), read.num_idle()),
            ],
            Pools::Postgres { write, read } => vec![
                ("write", write.size(), write.num_idle()),
                ("read", read.size(), read.num_idle()),
            ],
        }
    }

    pub(crate) async fn run_migrations(
        &self,
        migrator: &sqlx::migrate::Migrator,
    ) -> Result<(), sqlx::migrate::MigrateError> {
        match &self.0 {
            Pools::Sqlite { write, .. } => {
                let failed = |error: Error| {
                    let error = std::io::Error::other(error.to_string());
                    sqlx::migrate::MigrateError::Execute(sqlx::Error::Io(error))
                };
                let mut turn = write.urgent().await.map_err(failed)?;
                // A migration may sort, and undo, more than fits into memory.
                sqlx::query(UNDO_IN_FILES)
                    .execute(turn.connection())
                    .await?;
                let migrated = migrator.run(turn.connection()).await;
                sqlx::query(UNDO_IN_MEMORY)
                    .execute(turn.connection())
                    .await?;
                migrated?;
                turn.end().await.map_err(failed)
            }
            Pools::Postgres { write, .. } => migrator.run(write).await,
        }
    }
}

async fn look_at(
    connection: &mut PgConnection,
    known: PoolConnectionMetadata,
) -> sqlx::Result<bool> {
    if known.idle_for > LOOKED_AT_AFTER {
        connection.ping().await?;
    }
    Ok(true)
}

fn unavailable(error: &sqlx::Error) -> Error {
    Error::Unavailable(error.to_string())
}

/// Reads outside a transaction; each statement sees what is committed when it runs.
#[derive(Clone, Debug)]
pub struct Reader(Database);

/// A write transaction. Nothing is kept until [`commit`](Self::commit). A write whose answer nobody
/// needs may be left for the next statement ([`Query::later`](crate::query::Query::later)).
#[derive(Debug)]
pub struct Tx {
    inner: Transaction,
    /// Writes that come with the next statement.
    later: Vec<(Statement, Vec<Value>)>,
    /// Events that it wrote and that are to be counted.
    to_count: Vec<EventId>,
    concerns: Concerns,
}

#[derive(Debug)]
enum Transaction {
    Sqlite(Turn),
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
}

impl Tx {
    /// Keeps everything that was written, and counts its events (SAFE-5). On return it is on disk.
    ///
    /// # Errors
    /// When the database can't; then nothing is kept.
    pub async fn commit(mut self) -> Result<()> {
        let events = std::mem::take(&mut self.to_count);
        if !events.is_empty() {
            counts::add(&mut self, &events);
        }
        let concerns = self.concerns;
        let commit = async {
            let left = self.left().await?;
            match self.inner {
                Transaction::Sqlite(tx) => tx.commit(left, concerns).await,
                Transaction::Postgres(tx) => Ok(tx.commit().await?),
            }
        };
        at_commit(commit).await
    }

    /// See [`Query::later`](crate::query::Query::later).
    pub(crate) fn later(&mut self, statement: Statement, values: Vec<Value>) {
        self.later.push((statement, values));
    }

    /// The writes that were left for later, for SQLite to run with the next statement. PostgreSQL has
    /// run them.
    async fn left(&mut self) -> Result<Together> {
        let mut left = Together::default();
        for (statement, values) in std::mem::take(&mut self.later) {
            match &mut self.inner {
                Transaction::Sqlite(_) => left = left.and(&statement, values),
                Transaction::Postgres(tx) => {
                    statement.postgres(values).execute(&mut **tx).await?;
                }
            }
        }
        Ok(left)
    }

    /// Says whom it concerns, for [`Database::revision`]; everybody, where nothing is said.
    pub fn concerns(&mut self, whom: Concerns) {
        self.concerns = whom;
    }

    /// Notes events that were written, for [`commit`](Self::commit) to count.
    pub(crate) fn count_later(&mut self, events: impl Iterator<Item = EventId>) {
        self.to_count.extend(events);
    }

    pub(crate) async fn execute(
        &mut self,
        statement: &Statement,
        values: Vec<Value>,
    ) -> Result<u64> {
        let left = self.left().await?;
        Ok(match &mut self.inner {
            Transaction::Sqlite(tx) => {
                // Of several together nobody could say which touched how many.
                left.run(tx.connection()).await?;
                statement
                    .sqlite(values)
                    .execute(tx.connection())
                    .await?
                    .rows_affected()
            }
            Transaction::Postgres(tx) => statement
                .postgres(values)
                .execute(&mut **tx)
                .await?
                .rows_affected(),
        })
    }
}

/// Where a read runs: a [`Reader`] or, seeing its own writes, a [`Tx`].
pub trait Read: Send {
    /// Which database this is.
    fn dialect(&self) -> Dialect;

    /// Runs a statement that gives rows.
    fn fetch(
        &mut self,
        statement: &Statement,
        values: Vec<Value>,
    ) -> impl Future<Output = Result<Vec<Row>>> + Send;
}

impl Read for Reader {
    fn dialect(&self) -> Dialect {
        self.0.dialect()
    }

    async fn fetch(&mut self, statement: &Statement, values: Vec<Value>) -> Result<Vec<Row>> {
        Ok(match &self.0.0 {
            Pools::Sqlite { read, .. } => {
                sqlite_rows(statement.sqlite(values).fetch_all(read).await?)
            }
            Pools::Postgres { read, .. } => {
                postgres_rows(statement.postgres(values).fetch_all(read).await?)
            }
        })
    }
}

/// Reads of one moment. Keep it short: SQLite's log can't begin anew meanwhile.
#[derive(Debug)]
pub struct Snapshot(Seen);

#[derive(Debug)]
enum Seen {
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>),
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
}

impl Read for Snapshot {
    fn dialect(&self) -> Dialect {
        match self.0 {
            Seen::Sqlite(_) => Dialect::Sqlite,
            Seen::Postgres(_) => Dialect::Postgres,
        }
    }

    async fn fetch(&mut self, statement: &Statement, values: Vec<Value>) -> Result<Vec<Row>> {
        Ok(match &mut self.0 {
            Seen::Sqlite(tx) => sqlite_rows(statement.sqlite(values).fetch_all(&mut **tx).await?),
            Seen::Postgres(tx) => {
                postgres_rows(statement.postgres(values).fetch_all(&mut **tx).await?)
            }
        })
    }
}

impl Read for Tx {
    fn dialect(&self) -> Dialect {
        match self.inner {
            Transaction::Sqlite(_) => Dialect::Sqlite,
            Transaction::Postgres(_) => Dialect::Postgres,
        }
    }

    async fn fetch(&mut self, statement: &Statement, values: Vec<Value>) -> Result<Vec<Row>> {
        let left = self.left().await?;
        Ok(match &mut self.inner {
            Transaction::Sqlite(tx) => {
                let all = if left.is_empty() {
                    statement.sqlite(values)
                } else if statement.is_numbered() {
                    left.and(statement, values).sqlite()
                } else {
                    left.run(tx.connection()).await?;
                    statement.sqlite(values)
                };
                sqlite_rows(all.fetch_all(tx.connection()).await?)
            }
            Transaction::Postgres(tx) => {
                postgres_rows(statement.postgres(values).fetch_all(&mut **tx).await?)
            }
        })
    }
}

/// Where a write that is a single statement runs: an [`Alone`], or a [`Tx`] among others.
pub trait Write: Read {}

impl Write for Tx {}

impl Write for Alone {}

/// A single statement that is a transaction by itself.
#[derive(Debug)]
pub struct Alone(Single);

#[derive(Debug)]
enum Single {
    /// With the turn that it has waited for.
    Sqlite(Writer, Option<Turn>),
    Postgres(PgPool),
}

impl Alone {
    /// Waits for its turn before the statement is known; on PostgreSQL nobody waits. Whoever has the
    /// turn uses it at once.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it takes too long.
    pub async fn wait(&mut self) -> Result<()> {
        if let Single::Sqlite(writer, turn) = &mut self.0 {
            *turn = Some(writer.urgent().await?);
        }
        Ok(())
    }
}

impl Read for Alone {
    fn dialect(&self) -> Dialect {
        match self.0 {
            Single::Sqlite(..) => Dialect::Sqlite,
            Single::Postgres(_) => Dialect::Postgres,
        }
    }

    async fn fetch(&mut self, statement: &Statement, values: Vec<Value>) -> Result<Vec<Row>> {
        let commit = async {
            Ok::<_, Error>(match &mut self.0 {
                Single::Sqlite(writer, turn) => {
                    let mut turn = match turn.take() {
                        Some(turn) => turn,
                        None => writer.urgent().await?,
                    };
                    let rows = statement
                        .sqlite(values)
                        .fetch_all(turn.connection())
                        .await?;
                    turn.end().await?;
                    sqlite_rows(rows)
                }
                Single::Postgres(pool) => {
                    postgres_rows(statement.postgres(values).fetch_all(&*pool).await?)
                }
            })
        };
        at_commit(commit).await
    }
}

/// Keeps writes for good. With the feature `failpoints` a simulated process may die there.
#[cfg(not(feature = "failpoints"))]
async fn at_commit<T>(work: impl Future<Output = T>) -> T {
    work.await
}

fn sqlite_rows(rows: Vec<sqlx::sqlite::SqliteRow>) -> Vec<Row> {
    rows.into_iter().map(Row::Sqlite).collect()
}

fn postgres_rows(rows: Vec<sqlx::postgres::PgRow>) -> Vec<Row> {
    rows.into_iter().map(Row::Postgres).collect()
}
