//! Where the time comes from: the system, or, in builds with the feature `test-clock`, a driver.

use std::{future::Future, pin::Pin, time::Duration};

use overture_domain::{Clock, Timestamp};
use overture_engine::DatabaseClock;

/// A clock that can also be waited for.
pub trait Time: Clock {
    /// Returns when the clock shows `at` or later.
    fn reached(&self, at: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The system's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where real time comes in"
    )]
    fn now(&self) -> Timestamp {
        jiff::Timestamp::now().into()
    }
}

impl Time for SystemClock {
    fn reached(&self, at: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(shows(self, at))
    }
}

/// It goes as fast as the system's.
impl Time for DatabaseClock {
    fn reached(&self, at: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(shows(self, at))
    }
}

/// Returns when a clock that goes as fast as the system's shows `at` or later.
#[expect(clippy::disallowed_methods, reason = "the one place that sleeps")]
async fn shows(clock: &dyn Clock, at: Timestamp) {
    // In slices: a laptop that slept or a clock that was set is noticed within a minute.
    while let Some(left) = Some(at.since(clock.now())).filter(|left| !left.is_zero()) {
        tokio::time::sleep(left.min(Duration::from_secs(60))).await;
    }
}
