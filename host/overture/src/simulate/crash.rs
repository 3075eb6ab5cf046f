//! The process dies: a commit or an effect never comes back, and whoever holds the life is told to
//! drop it. Only builds with the feature `test-clock` can die.

use overture_engine::Part;

pub use imp::{arm, at_effect, died, enter, outside, reborn};

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

impl Place {
    #[cfg(feature = "test-clock")]
    fn words(self) -> String {
        match self {
            Self::BeforeCommit(n) => format!("before commit {}", n + 1),
            Self::AfterCommit(n) => format!("after commit {}", n + 1),
            Self::Effect(n) => format!("beside effect {}", n + 1),
        }
    }
}

#[cfg(feature = "test-clock")]
mod imp {
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use overture_store::crash as commits;
    use tokio::sync::Notify;

    use super::{Part, Place};

    static EFFECTS: Mutex<Option<u64>> = Mutex::new(None);
    static DIED: Notify = Notify::const_new();
    static ARMED: Mutex<Armed> = Mutex::new(Armed {
        place: None,
        of: None,
        within: None,
    });

    struct Armed {
        place: Option<Place>,
        /// The part that is to die; any where it is None.
        of: Option<Part>,
        /// The part that works now.
        within: Option<Part>,
    }

    fn effects() -> MutexGuard<'static, Option<u64>> {
        EFFECTS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn armed() -> MutexGuard<'static, Armed> {
        ARMED.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The process will die there: in that part alone, where one is given, and then counted from
    /// when the part is called.
    pub fn arm(place: Place, of: Option<Part>) {
        let mut armed = armed();
        (armed.place, armed.of) = (Some(place), of);
        if of.is_none() {
            load(place);
        }
    }

    fn load(place: Place) {
        match place {
            Place::BeforeCommit(n) => commits::arm(n, false),
            Place::AfterCommit(n) => commits::arm(n, true),
            Place::Effect(n) => *effects() = Some(n),
        }
    }

    /// A part is called, or, with None, none is any more.
    pub fn enter(part: Option<Part>) {
        let mut armed = armed();
        armed.within = part;
        if let (Some(place), Some(of)) = (armed.place, armed.of) {
            *effects() = None;
            commits::disarm();
            if part == Some(of) {
                load(place);
            }
        }
    }

    /// Waits for the death of this life; where it died, in words.
    pub async fn died() -> String {
        tokio::select! {
            () = commits::died() => {}
            () = DIED.notified() => {}
        }
        let armed = armed();
        let within = armed.within.map_or("no part", Part::name);
        let place = armed.place.map(Place::words).unwrap_or_default();
        match armed.of {
            Some(_) => format!("{within} {place}"),
            // Its number counts from somewhere.
            None => within.to_owned(),
        }
    }

    /// A new life begins: nothing is armed.
    pub fn reborn() {
        let mut armed = armed();
        (armed.place, armed.of, armed.within) = (None, None, None);
        *effects() = None;
        commits::disarm();
    }

    /// Does what the outside world does, whole: the sandbox keeps its mailboxes in the host's
    /// database, and a death of the process is no death of theirs.
    pub async fn outside<T>(work: impl Future<Output = T>) -> T {
        let _outside = commits::Outside::enter();
        work.await
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
    use super::{Part, Place};

    pub fn arm(_: Place, _: Option<Part>) {}

    pub fn enter(_: Option<Part>) {}

    pub async fn died() -> String {
        std::future::pending().await
    }

    pub fn reborn() {}

    pub async fn outside<T>(work: impl Future<Output = T>) -> T {
        work.await
    }

    pub async fn at_effect() {}
}
