//! Death at a commit, for simulations: from an armed commit on nothing comes back, as if the
//! process had been killed there. Exists with the feature `failpoints` alone.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Notify;

/// Commits that still come back, and whether the one after them is still done.
static ARMED: Mutex<Option<(u64, bool)>> = Mutex::new(None);
static DIED: Notify = Notify::const_new();
static OUTSIDE: AtomicUsize = AtomicUsize::new(0);

fn armed() -> MutexGuard<'static, Option<(u64, bool)>> {
    ARMED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// So many commits come back; the next doesn't. `after`: it is done all the same. Those after it
/// neither are done nor come back.
pub fn arm(commits: u64, after: bool) {
    *armed() = Some((commits, after));
}

/// Commits come back again.
pub fn disarm() {
    *armed() = None;
}

/// While this is held, commits are those of the outside world, which goes on when the process
/// dies: they come back and aren't counted.
#[must_use]
pub struct Outside(());

impl Outside {
    /// From here on.
    pub fn enter() -> Self {
        OUTSIDE.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        OUTSIDE.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Waits for a commit that doesn't come back.
pub async fn died() {
    DIED.notified().await;
}

/// What becomes of a commit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    ComesBack,
    IsLost,
    IsDone,
}

/// Commits, where the process doesn't die before it; comes back, where it doesn't die after it.
pub(crate) async fn commit<T>(work: impl Future<Output = T>) -> T {
    let fate = fate();
    if fate == Fate::IsLost {
        die().await;
    }
    let done = work.await;
    if fate == Fate::IsDone {
        die().await;
    }
    done
}

fn fate() -> Fate {
    if OUTSIDE.load(Ordering::Relaxed) > 0 {
        return Fate::ComesBack;
    }
    let mut armed = armed();
    match &mut *armed {
        None => Fate::ComesBack,
        Some((0, true)) => {
            *armed = Some((0, false));
            Fate::IsDone
        }
        Some((0, false)) => Fate::IsLost,
        Some((n, _)) => {
            *n -= 1;
            Fate::ComesBack
        }
    }
}

/// The process is dead.
async fn die() {
    DIED.notify_one();
    std::future::pending::<()>().await;
}
