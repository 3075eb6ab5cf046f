//! SQLite's log on its way into the database file, on a connection of its own.
//!
//! Left alone, a COMMIT that finds the log long moves all of it and waits for the disk twice, within
//! its turn: 50 ms and more in which nobody writes. Here it is moved while others write. Now and then
//! the rest that they have added meanwhile is moved within a turn, so that the log begins anew and
//! does not grow on and on under load.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sqlx::{ConnectOptions, Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::sync::Mutex;

/// Turns from one look at the log to the next.
const LOOK_EVERY: u64 = 32;

/// Pages that are moved together: batches write the same pages of an index again and again.
const MANY: i64 = 4_000;

/// Pages of a log that shall begin anew.
const LONG: i64 = 16_000;

/// So few pages are moved within a turn.
const REST: i64 = 1_000;

/// Where the log is longer than this all the same, the COMMIT that finds it so moves it.
pub(crate) const TOO_LONG: &str = "40000";

/// The log of one database.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    turns: AtomicU64,
    closed: AtomicBool,
    /// Opened when it is first needed; locked by the only one who uses it.
    connection: Mutex<Option<SqliteConnection>>,
}

impl Checkpoints {
    /// Notes that a turn has ended. Whether it is time for a look.
    pub(crate) fn turn_ended(&self) -> bool {
        let before = self.turns.fetch_add(1, Ordering::Relaxed);
        before % LOOK_EVERY == LOOK_EVERY - 1
    }

    /// Moves what many have written. `turn` waits for a turn, which lasts until it is dropped. Does
    /// nothing while another does.
    ///
    /// # Errors
    /// Whatever SQLite says: the log stays as it is.
    pub(crate) async fn run<T>(
        &self,
        options: &SqliteConnectOptions,
        turn: impl AsyncFnOnce() -> Option<T>,
    ) -> sqlx::Result<()> {
        let Ok(mut place) = self.connection.try_lock() else {
            return Ok(());
        };
        if self.closed.load(Ordering::SeqCst) {
            return Ok(());
        }
        let connection = match &mut *place {
            Some(connection) => connection,
            none => none.insert(options.connect().await?),
        };
        // NOOP only tells how long the log is.
        let (pages, moved) = checkpoint(connection, "PRAGMA wal_checkpoint(NOOP)").await?;
        if pages - moved < MANY {
            return Ok(());
        }
        let (pages, moved) = checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)").await?;
        // Who reads an old page keeps it where it is: then it is for the next time.
        if pages >= LONG
            && pages - moved < REST
            && let Some(_turn) = turn().await
        {
            checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)").await?;
        }
        Ok(())
    }

    /// Closes the connection; there is no other after it.
    pub(crate) async fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        if let Some(connection) = self.connection.lock().await.take() {
            // Whatever it says, nobody uses it any more.
            let _ = connection.close().await;
        }
    }
}

/// How many pages the log has, and how many of them are in the database file.
async fn checkpoint(
    connection: &mut SqliteConnection,
    pragma: &'static str,
) -> sqlx::Result<(i64, i64)> {
    let row = sqlx::query(pragma).fetch_one(connection).await?;
    Ok((row.try_get(1)?, row.try_get(2)?))
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqliteJournalMode;

    use super::*;

    async fn turn() -> Option<()> {
        Some(())
    }

    async fn pages(connection: &mut SqliteConnection) -> i64 {
        let (pages, _) = checkpoint(connection, "PRAGMA wal_checkpoint(NOOP)")
            .await
            .unwrap();
        pages
    }

    #[tokio::test]
    async fn a_long_log_is_moved_and_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("t.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .pragma("wal_autocheckpoint", TOO_LONG);
        let mut writing = options.connect().await.unwrap();
        let checkpoints = Checkpoints::default();
        let write = "INSERT INTO t SELECT randomblob(3000) FROM json_each($1)";
        sqlx::query("CREATE TABLE t (b BLOB)")
            .execute(&mut writing)
            .await
            .unwrap();
        let rows = |n: usize| sqlx::types::Json(vec![0; n]);
        let short = sqlx::query(write).bind(rows(10));
        short.execute(&mut writing).await.unwrap();
        let before = pages(&mut writing).await;
        checkpoints.run(&options, turn).await.unwrap();
        sqlx::query(write)
            .bind(rows(1))
            .execute(&mut writing)
            .await
            .unwrap();
        assert!(pages(&mut writing).await > before, "a short one goes on");

        let many = sqlx::query(write).bind(rows(MANY as usize));
        many.execute(&mut writing).await.unwrap();
        checkpoints.run(&options, turn).await.unwrap();
        let (all, moved) = checkpoint(&mut writing, "PRAGMA wal_checkpoint(NOOP)")
            .await
            .unwrap();
        assert_eq!(all, moved);

        let long = sqlx::query(write).bind(rows(LONG as usize));
        long.execute(&mut writing).await.unwrap();
        assert!(pages(&mut writing).await > LONG);
        checkpoints.run(&options, turn).await.unwrap();
        sqlx::query(write)
            .bind(rows(1))
            .execute(&mut writing)
            .await
            .unwrap();
        assert!(pages(&mut writing).await < 10);

        checkpoints.close().await;
        checkpoints.run(&options, turn).await.unwrap();
        assert!(checkpoints.connection.lock().await.is_none());
    }
}
