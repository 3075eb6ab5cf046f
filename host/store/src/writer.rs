//! SQLite's only writer: one connection, which transactions have in turn.
//!
//! It is no pool of one: that looks at the connection before and after every transaction, each
//! time a change of threads, and all who write wait meanwhile.

use std::{sync::Arc, time::Duration};

use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::{
    runtime::Handle,
    sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard},
};

use crate::{Error, Result};

/// The longest wait for a turn.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The writer of a database, shared by cloning.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    options: Arc<SqliteConnectOptions>,
    /// None once it is closed.
    connection: Arc<Mutex<Option<SqliteConnection>>>,
}

impl Writer {
    /// Opens the connection; makes the file, where the options say so.
    pub(crate) async fn open(options: SqliteConnectOptions) -> sqlx::Result<Self> {
        let connection = Some(options.connect().await?);
        Ok(Self {
            options: Arc::new(options),
            connection: Arc::new(Mutex::new(connection)),
        })
    }

    /// Waits for its turn, at most half a minute. Each statement is on disk when it returns, until
    /// [`Turn::begin`].
    pub(crate) async fn turn(&self) -> Result<Turn> {
        let locked = Arc::clone(&self.connection).lock_owned();
        let Ok(locked) = tokio::time::timeout(LONGEST_WAIT, locked).await else {
            let words = "another transaction has been writing for half a minute";
            return Err(Error::Unavailable(words.to_owned()));
        };
        match OwnedMutexGuard::try_map(locked, Option::as_mut) {
            Ok(connection) => Ok(Turn {
                connection: Some(connection),
                begun: false,
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
        let mut turn = self.turn().await?;
        match turn.begin().await {
            Err(sqlx::Error::WorkerCrashed) => {
                *turn.connection() = self.options.connect().await?;
                turn.begin().await?;
            }
            begun => begun?,
        }
        Ok(turn)
    }

    /// Closes it after the transaction that has its turn.
    pub(crate) async fn close(&self) {
        if let Some(connection) = self.connection.lock().await.take() {
            // Whatever it says, nobody uses it any more.
            let _ = connection.close().await;
        }
    }
}

type Held = OwnedMappedMutexGuard<Option<SqliteConnection>, SqliteConnection>;

/// The right to write; dropped, what was not committed is undone.
#[derive(Debug)]
pub(crate) struct Turn {
    /// Some until it is dropped.
    connection: Option<Held>,
    /// A transaction may be open.
    begun: bool,
}

impl Turn {
    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        let held = self.connection.as_mut();
        held.expect("the connection is there until the turn is dropped")
    }

    async fn begin(&mut self) -> sqlx::Result<()> {
        self.begun = true;
        let result = run(self.connection(), "BEGIN IMMEDIATE").await;
        self.begun = result.is_ok();
        result
    }

    /// Keeps what was written.
    pub(crate) async fn commit(mut self) -> sqlx::Result<()> {
        let result = run(self.connection(), "COMMIT").await;
        self.begun = result.is_err();
        result
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let held = self.connection.take().filter(|_| self.begun);
        if let (Some(mut held), Ok(runtime)) = (held, Handle::try_current()) {
            // Nobody else has a turn until it is done. An error says that nothing is open.
            runtime.spawn(async move { run(&mut held, "ROLLBACK").await });
        }
    }
}

async fn run(connection: &mut SqliteConnection, text: &'static str) -> sqlx::Result<()> {
    sqlx::query(text).execute(connection).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn writer(folder: &tempfile::TempDir) -> Writer {
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("t.db"))
            .create_if_missing(true);
        let writer = Writer::open(options).await.unwrap();
        let mut turn = writer.turn().await.unwrap();
        run(turn.connection(), "CREATE TABLE t (n INTEGER)")
            .await
            .unwrap();
        drop(turn);
        writer
    }

    async fn count(writer: &Writer) -> i64 {
        let mut turn = writer.turn().await.unwrap();
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
        turn.commit().await.unwrap();
        let mut turn = writer.turn().await.unwrap();
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
        let insert = run(turn.connection(), "INSERT INTO t VALUES (1)");
        // Polled once: its thread has it, and nobody waits for the answer.
        assert!(futures::poll!(Box::pin(insert)).is_pending());
        drop(turn);
        assert_eq!(count(&writer).await, 0);
    }

    #[tokio::test]
    async fn a_closed_one_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder).await;
        writer.close().await;
        assert!(matches!(writer.begin().await, Err(Error::Unavailable(_))));
    }
}
