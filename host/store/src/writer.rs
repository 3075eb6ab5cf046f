//! SQLite's only writer: one connection, which transactions have in turn.
//!
//! It is no pool of one: that looks at the connection before and after every transaction, each
//! time a change of threads, and all who write wait meanwhile.
//!
//! Transactions stand at a door, one of them at a time before the connection, so that an urgent
//! statement waits for one of them at most.

use std::{path::Path, sync::Arc, time::Duration};

use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::{
    runtime::Handle,
    sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard},
};

use crate::{
    Error, Result,
    checkpoint::Checkpoints,
    flush::Log,
    query::Together,
    revisions::{Concerns, Revisions},
};

/// The longest wait for a turn.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The writer of a database, shared by cloning.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    options: Arc<SqliteConnectOptions>,
    /// Held by the transaction that is next, or has its turn.
    door: Arc<Mutex<()>>,
    /// None once it is closed.
    connection: Arc<Mutex<Option<SqliteConnection>>>,
    log: Arc<Log>,
    checkpoints: Arc<Checkpoints>,
    pub(crate) revisions: Arc<Revisions>,
}

impl Writer {
    /// Opens the connection to a file; makes it, where the options say so.
    pub(crate) async fn open(file: &Path, options: SqliteConnectOptions) -> sqlx::Result<Self> {
        let connection = Some(options.connect().await?);
        Ok(Self {
            options: Arc::new(options),
            door: Arc::default(),
            connection: Arc::new(Mutex::new(connection)),
            log: Log::of(file),
            checkpoints: Arc::default(),
            revisions: Arc::default(),
        })
    }

    /// Waits for a turn before all transactions but the one that has its turn.
    pub(crate) async fn urgent(&self) -> Result<Turn> {
        within(self.turn(None)).await
    }

    async fn turn(&self, door: Option<OwnedMutexGuard<()>>) -> Result<Turn> {
        let locked = Arc::clone(&self.connection).lock_owned().await;
        match OwnedMutexGuard::try_map(locked, Option::as_mut) {
            Ok(connection) => Ok(Turn {
                held: Some((connection, door)),
                begun: false,
                writer: self.clone(),
            }),
            Err(_) => Err(Error::Unavailable("it was closed".to_owned())),
        }
    }

    /// Whether nobody has a turn.
    pub(crate) fn is_idle(&self) -> bool {
        self.connection.try_lock().is_ok()
    }

    /// A turn with a transaction. A connection that has died is opened anew.
    pub(crate) async fn begin(&self) -> Result<Turn> {
        let mut turn = within(async {
            let door = Arc::clone(&self.door).lock_owned().await;
            self.turn(Some(door)).await
        })
        .await?;
        match turn.begin().await {
            Err(sqlx::Error::WorkerCrashed) => {
                *turn.connection() = self.options.connect().await?;
                turn.begin().await?;
            }
            begun => begun?,
        }
        Ok(turn)
    }

    /// Moves the log into the database file, where it is long.
    async fn checkpoint(self) {
        let turn = async || self.turn(None).await.ok();
        if let Err(error) = self.checkpoints.run(&self.options, turn).await {
            tracing::warn!(%error, "SQLite's log could not be moved into the database file; it is tried again");
        }
    }

    /// Closes it after the transaction that has its turn.
    pub(crate) async fn close(&self) {
        self.checkpoints.close().await;
        if let Some(connection) = self.connection.lock().await.take() {
            // Whatever it says, nobody uses it any more.
            let _ = connection.close().await;
        }
    }
}

/// Waits for a turn, at most half a minute.
async fn within(turn: impl Future<Output = Result<Turn>>) -> Result<Turn> {
    let waited = tokio::time::timeout(LONGEST_WAIT, turn).await;
    waited.unwrap_or_else(|_| {
        let words = "another transaction has been writing for half a minute";
        Err(Error::Unavailable(words.to_owned()))
    })
}

/// The connection, and the door of a transaction: given back in this order.
type Held = (
    OwnedMappedMutexGuard<Option<SqliteConnection>, SqliteConnection>,
    Option<OwnedMutexGuard<()>>,
);

/// The right to write; dropped, what was not committed is undone.
#[derive(Debug)]
pub(crate) struct Turn {
    /// Some until it is dropped.
    held: Option<Held>,
    /// A transaction may be open.
    begun: bool,
    writer: Writer,
}

impl Turn {
    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        let held = self.held.as_mut();
        let (connection, _) = held.expect("it is held until the turn is dropped");
        connection
    }

    async fn begin(&mut self) -> sqlx::Result<()> {
        self.begun = true;
        let begin = sqlx::query_scalar("BEGIN IMMEDIATE; PRAGMA data_version");
        let result = begin.fetch_one(self.connection()).await;
        self.begun = result.is_ok();
        self.writer.revisions.has_version(result?);
        Ok(())
    }

    /// Keeps what was written, with what is left to be. On return it is on disk. `concerns`: whom it
    /// may concern.
    pub(crate) async fn commit(mut self, left: Together, concerns: Concerns) -> Result<()> {
        let result = left.and_last("COMMIT").execute(self.connection()).await;
        self.begun = result.is_err();
        // Before the next has its turn.
        self.writer.revisions.changed(concerns);
        result?;
        self.end().await
    }

    /// Ends the turn, and waits until all that was committed in it is on disk.
    pub(crate) async fn end(self) -> Result<()> {
        let writer = self.writer.clone();
        drop(self);
        if writer.checkpoints.turn_ended() {
            tokio::spawn(writer.clone().checkpoint());
        }
        writer.log.flush().await
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let held = self.held.take().filter(|_| self.begun);
        if let (Some(mut held), Ok(runtime)) = (held, Handle::try_current()) {
            // Nobody else has a turn until it is done. An error says that nothing is open.
            runtime.spawn(async move { run(&mut held.0, "ROLLBACK").await });
        }
    }
}

async fn run(connection: &mut SqliteConnection, text: &'static str) -> sqlx::Result<()> {
    sqlx::query(text).execute(connection).await.map(drop)
}

#[cfg(test)]
mod tests {
    use overture_domain::{Timestamp, WorkspaceId, rng::SeededRng};
    use sqlx::sqlite::SqliteJournalMode;

    use super::*;

    async fn writer(folder: &tempfile::TempDir) -> Writer {
        let file = folder.path().join("t.db");
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        let writer = Writer::open(&file, options).await.unwrap();
        let mut turn = writer.urgent().await.unwrap();
        run(
            turn.connection(),
            "CREATE TABLE IF NOT EXISTS t (n INTEGER)",
        )
        .await
        .unwrap();
        drop(turn);
        writer
    }

    async fn count(writer: &Writer) -> i64 {
        let mut turn = writer.urgent().await.unwrap();
        let rows = sqlx::query_scalar("SELECT COUNT(*) FROM t");
        rows.fetch_one(turn.connection()).await.unwrap()
    }

    // SAFE-3: what was not committed is not there, and holds nobody up.
    #[tokio::test]
    async fn a_transaction_that_is_dropped_is_undone() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder).await;
        let mut turn = writer.begin().await.unwrap();
        run(turn.connection(), "INSERT INTO t VALUES (1)")
            .await
            .unwrap();
        drop(turn);
        assert_eq!(count(&writer).await, 0);

        let mut turn = writer.begin().await.unwrap();
        run(turn.connection(), "INSERT INTO t VALUES (1)")
            .await
            .unwrap();
        turn.commit(Together::default(), Concerns::Everybody)
            .await
            .unwrap();
        let mut turn = writer.urgent().await.unwrap();
        run(turn.connection(), "INSERT INTO t VALUES (2)")
            .await
            .unwrap();
        drop(turn);
        assert_eq!(count(&writer).await, 2);
    }

    #[tokio::test]
    async fn a_statement_that_is_cut_short_is_undone_with_its_transaction() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder).await;
        let mut turn = writer.begin().await.unwrap();
        let long = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) INSERT INTO t SELECT i FROM n";
        let insert = run(turn.connection(), long);
        // Polled once: its thread has it, and nobody waits for the answer. Where the thread is so quick
        // that it has answered, the rest holds as well.
        let _ = futures::poll!(Box::pin(insert));
        drop(turn);
        assert_eq!(count(&writer).await, 0);
    }

    // SAFE-3: a connection stands still behind each attempt.
    #[tokio::test]
    async fn an_urgent_statement_comes_before_those_who_wait() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder).await;
        let first = writer.begin().await.unwrap();
        let order = std::sync::Mutex::new(Vec::new());
        let note = |name: &'static str| order.lock().unwrap().push(name);
        let transaction = async {
            let turn = writer.begin().await.unwrap();
            note("transaction");
            turn.commit(Together::default(), Concerns::Everybody)
                .await
                .unwrap();
        };
        let urgent = async {
            let turn = writer.urgent().await.unwrap();
            note("urgent");
            turn.end().await.unwrap();
        };
        let ends = async {
            first
                .commit(Together::default(), Concerns::Everybody)
                .await
                .unwrap();
        };
        tokio::join!(transaction, urgent, ends);
        assert_eq!(*order.lock().unwrap(), ["urgent", "transaction"]);
    }

    // CAP-2: what was decided before does not hold then.
    #[tokio::test]
    async fn another_process_that_has_written_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let (here, there) = (writer(&folder).await, writer(&folder).await);
        let ws = WorkspaceId::new(Timestamp::from_secs(1), &SeededRng::new(1));
        here.begin()
            .await
            .unwrap()
            .commit(Together::default(), Concerns::Nobody)
            .await
            .unwrap();
        let before = here.revisions.of(ws);
        here.begin()
            .await
            .unwrap()
            .commit(Together::default(), Concerns::Nobody)
            .await
            .unwrap();
        assert_eq!(here.revisions.of(ws), before);
        let mut turn = there.begin().await.unwrap();
        run(turn.connection(), "INSERT INTO t VALUES (1)")
            .await
            .unwrap();
        turn.commit(Together::default(), Concerns::Nobody)
            .await
            .unwrap();
        let turn = here.begin().await.unwrap();
        assert_ne!(here.revisions.of(ws), before);
        drop(turn);
    }

    // Decision 24.
    #[tokio::test]
    async fn sqlite_is_built_for_many_connections() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder).await;
        let mut turn = writer.urgent().await.unwrap();
        let options: Vec<String> = sqlx::query_scalar("PRAGMA compile_options")
            .fetch_all(turn.connection())
            .await
            .unwrap();
        let has = |name: &str| options.iter().any(|option| option == name);
        assert!(!has("ENABLE_MEMORY_MANAGEMENT"), "{options:?}");
        assert!(has("DEFAULT_MEMSTATUS=0"), "{options:?}");
    }

    #[tokio::test]
    async fn a_closed_one_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder).await;
        writer.close().await;
        assert!(matches!(writer.begin().await, Err(Error::Unavailable(_))));
    }
}
