//! SQLite's log and the disk: a commit is written in its turn, and waited for outside of it.
//!
//! `synchronous=FULL` waits for the disk within the COMMIT, and with it everybody who wants to
//! write. Here the COMMIT only writes (`NORMAL`), the turn passes on, and whoever has committed
//! waits until the log is on disk: one wait serves all whose commits came before it began. A power
//! cut takes commits from the end of the log alone, so none is kept without those that it builds on
//! (decision 22).

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::sync::Semaphore;

use crate::{Error, Result};

/// Waits for the disk at the same time.
const AT_ONCE: usize = 2;

/// The log of a database file.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    /// Commits that were written.
    written: AtomicU64,
    /// How many of them are on disk.
    kept: AtomicU64,
    /// The disk has failed, and nobody knows what it kept.
    failed: AtomicBool,
    /// Two at a time wait for the disk: who comes while one does needs the next, which need not begin
    /// only when that has ended.
    flushing: Semaphore,
}

impl Log {
    pub(crate) fn of(database: &Path) -> Arc<Self> {
        let mut path = database.as_os_str().to_owned();
        path.push("-wal");
        Arc::new(Self {
            path: path.into(),
            written: AtomicU64::new(0),
            kept: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            flushing: Semaphore::new(AT_ONCE),
        })
    }

    /// Waits until what was committed before the call is on disk.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the disk fails, and from then on always: what it kept shows when
    /// the database is opened anew.
    pub(crate) async fn flush(self: &Arc<Self>) -> Result<()> {
        let own = self.written.fetch_add(1, Ordering::SeqCst) + 1;
        let _place = self.flushing.acquire().await;
        if self.failed.load(Ordering::SeqCst) {
            return Err(self.unavailable(&"the disk has failed before"));
        }
        if self.kept.load(Ordering::SeqCst) >= own {
            return Ok(());
        }
        let log = Arc::clone(self);
        match tokio::task::spawn_blocking(move || log.flush_all()).await {
            Ok(flushed) => flushed.map_err(|error| self.unavailable(&error)),
            Err(panicked) => Err(self.unavailable(&panicked)),
        }
    }

    /// The file is opened each time: it is another one after all connections were closed.
    fn flush_all(&self) -> io::Result<()> {
        let written = self.written.load(Ordering::SeqCst);
        let file = File::options().write(true).open(&self.path)?;
        let flushed = file.sync_data();
        // The system forgets what it could not write: the answer of whoever waits beside, or next, would
        // be a lie.
        if flushed.is_err() || self.failed.load(Ordering::SeqCst) {
            self.failed.store(true, Ordering::SeqCst);
            return flushed.and(Err(io::Error::other("the disk has failed meanwhile")));
        }
        self.kept.fetch_max(written, Ordering::SeqCst);
        Ok(())
    }

    fn unavailable(&self, why: &dyn std::fmt::Display) -> Error {
        Error::Unavailable(format!("{}: {why}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(folder: &tempfile::TempDir) -> Arc<Log> {
        let database = folder.path().join("t.db");
        std::fs::write(folder.path().join("t.db-wal"), b"commits").unwrap();
        Log::of(&database)
    }

    // SAFE-3: nobody is told that a commit is kept before a flush that began after it.
    #[tokio::test(flavor = "multi_thread")]
    async fn one_flush_serves_those_who_came_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(&folder);
        let held = log.flushing.acquire_many(AT_ONCE as u32).await;
        let waiting: Vec<_> = (0..8)
            .map(|_| {
                let log = Arc::clone(&log);
                tokio::spawn(async move { log.flush().await })
            })
            .collect();
        while log.written.load(Ordering::SeqCst) < 8 {
            tokio::task::yield_now().await;
        }
        assert_eq!(log.kept.load(Ordering::SeqCst), 0);
        assert!(waiting.iter().all(|flush| !flush.is_finished()));
        drop(held);
        for flush in waiting {
            flush.await.unwrap().unwrap();
        }
        assert_eq!(log.kept.load(Ordering::SeqCst), 8);
    }

    #[tokio::test]
    async fn a_log_that_is_not_there_keeps_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(&folder);
        std::fs::remove_file(&log.path).unwrap();
        assert!(matches!(log.flush().await, Err(Error::Unavailable(_))));
        std::fs::write(&log.path, b"commits").unwrap();
        log.flush().await.unwrap();
        log.failed.store(true, Ordering::SeqCst);
        assert!(matches!(log.flush().await, Err(Error::Unavailable(_))));
    }
}
