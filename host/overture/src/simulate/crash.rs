//! The process dies: a commit or an effect never comes back, and whoever holds the life is told to
//! drop it. Only builds with the feature `test-clock` can die.

pub use imp::{arm, at_effect, died, reborn};

/// Where the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before the commit that comes after so many.
    BeforeCommit(u64),
    /// After it.
    AfterCommit(u64),
    /// At the effect that comes after so many: a call of a provider, or the return from one.
    Effect(u64),
}

#[cfg(feature = "test-clock")]
mod imp {
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use overture_store::crash as commits;
    use tokio::sync::Notify;

    use super::Place;

    static EFFECTS: Mutex<Option<u64>> = Mutex::new(None);
    static DIED: Notify = Notify::const_new();

    fn effects() -> MutexGuard<'static, Option<u64>> {
        EFFECTS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The process will die there.
    pub fn arm(place: Place) {
        match place {
            Place::BeforeCommit(n) => commits::arm(n, false),
            Place::AfterCommit(n) => commits::arm(n, true),
            Place::Effect(n) => *effects() = Some(n),
        }
    }

    /// Waits for the death of this life.
    pub async fn died() {
        tokio::select! {
            () = commits::died() => {}
            () = DIED.notified() => {}
        }
    }

    /// A new life begins: nothing is armed.
    pub fn reborn() {
        *effects() = None;
        commits::disarm();
    }

    /// An effect on the outside world, or the return from it. Doesn't come back where the process
    /// dies.
    pub async fn at_effect() {
        let now = match &mut *effects() {
            Some(0) => true,
            Some(n) => {
                *n -= 1;
                false
            }
            None => false,
        };
        if now {
            DIED.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(feature = "test-clock"))]
mod imp {
    use super::Place;

    pub fn arm(_: Place) {}

    pub async fn died() {
        std::future::pending::<()>().await;
    }

    pub fn reborn() {}

    pub async fn at_effect() {}
}
