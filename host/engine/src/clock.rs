//! One clock for all hosts of a database: the database's own (SCH-7). A host looks at its own clock
//! and corrects it by the offset that it has measured, so that the caps and calendars of all hosts
//! agree, however far apart their own clocks are.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use overture_domain::{Clock, Timestamp};
use overture_store::{Database, upkeep};

use crate::Result;

/// How often the offset is measured.
const EVERY: Duration = Duration::from_secs(60);

/// Nothing is planned while the offset may be wrong by more.
pub const MOST: Duration = Duration::from_secs(5);

/// Of the time since a measurement, this part is doubted: more than any clock runs wrong by itself.
const DRIFT: u32 = 1_000;

/// Tells what the database's clock shows.
#[async_trait]
pub trait Authority: Send + Sync {
    /// # Errors
    /// When it can't be asked.
    async fn now(&self) -> Result<Timestamp>;
}

#[async_trait]
impl Authority for Database {
    async fn now(&self) -> Result<Timestamp> {
        Ok(upkeep::clock(&mut self.reader()).await?)
    }
}

/// The database's clock, as far as this host knows it.
pub struct DatabaseClock {
    own: Arc<dyn Clock>,
    authority: Arc<dyn Authority>,
    last: Mutex<Option<Offset>>,
}

/// How far the database's clock is ahead of the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offset {
    /// In microseconds.
    pub ahead: i64,
    /// It may be so much more or less.
    pub uncertain: Duration,
    /// By the host's own clock.
    measured_at: Timestamp,
}

impl Offset {
    /// The same some time later.
    fn aged(self, now: Timestamp) -> Self {
        let age = now.since(self.measured_at);
        Self {
            uncertain: self.uncertain + age / DRIFT,
            ..self
        }
    }

    /// Whether one of them must be wrong: a clock was set between them.
    fn contradicts(self, other: Self) -> bool {
        let apart = Duration::from_micros(self.ahead.abs_diff(other.ahead));
        apart > self.uncertain + other.uncertain
    }
}

impl DatabaseClock {
    /// Shows the host's own time until it is measured.
    pub fn new(own: Arc<dyn Clock>, authority: Arc<dyn Authority>) -> Self {
        Self {
            own,
            authority,
            last: Mutex::new(None),
        }
    }

    /// Measures the offset. The database's clock was read between the two looks at the own one; in the
    /// middle, as far as is known. A slow answer says less than a quick one a minute ago, and is left
    /// out, unless it shows that a clock was set meanwhile.
    ///
    /// # Errors
    /// When the database can't be asked: what was known stays, and is doubted more and more.
    pub async fn measure(&self) -> Result<()> {
        let asked = self.own.now();
        let theirs = self.authority.now().await?;
        let answered = self.own.now();
        let middle = i64::midpoint(asked.as_micros(), answered.as_micros());
        let measured = Offset {
            ahead: theirs.as_micros() - middle,
            uncertain: answered.since(asked) / 2,
            measured_at: answered,
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let before = last.map(|before| before.aged(answered));
        let keeps = before.is_some_and(|before| {
            before.uncertain < measured.uncertain && !before.contradicts(measured)
        });
        if !keeps {
            *last = Some(measured);
        }
        Ok(())
    }

    /// Measures the offset where its time has come, or where it is not certain.
    ///
    /// # Errors
    /// As [`measure`](Self::measure).
    pub(crate) async fn look(&self) -> Result<()> {
        let (offset, now) = (self.offset(), self.own.now());
        match offset {
            Some(offset) if self.is_certain() && now.since(offset.measured_at) < EVERY => Ok(()),
            _ => self.measure().await,
        }
    }

    /// What is known now; None before the first measurement.
    pub fn offset(&self) -> Option<Offset> {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        Some(last?.aged(self.own.now()))
    }

    /// Whether it is known well enough to plan by (SCH-7).
    pub fn is_certain(&self) -> bool {
        self.offset().is_some_and(|offset| offset.uncertain <= MOST)
    }
}

impl Clock for DatabaseClock {
    fn now(&self) -> Timestamp {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let ahead = last.map_or(0, |offset| offset.ahead);
        Timestamp::from_micros(self.own.now().as_micros().saturating_add(ahead))
    }
}

#[cfg(test)]
mod tests {
    use overture_domain::time::ManualClock;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// A database behind a network on which both ways take as long.
    struct Distant {
        own: Arc<ManualClock>,
        /// How far it is ahead, in seconds, and how long a question takes.
        said: Mutex<(i64, Duration)>,
    }

    #[async_trait]
    impl Authority for Distant {
        async fn now(&self) -> Result<Timestamp> {
            let (ahead, trip) = *self.said.lock().unwrap();
            self.own.advance(trip / 2);
            let at = Timestamp::from_micros(self.own.now().as_micros() + ahead * 1_000_000);
            self.own.advance(trip / 2);
            Ok(at)
        }
    }

    fn clocks() -> (Arc<ManualClock>, Arc<Distant>, DatabaseClock) {
        let own = Arc::new(ManualClock::new(Timestamp::from_secs(1_772_442_000)));
        let said = Mutex::new((0, Duration::ZERO));
        let distant = Arc::new(Distant {
            own: own.clone(),
            said,
        });
        (
            own.clone(),
            distant.clone(),
            DatabaseClock::new(own, distant),
        )
    }

    // SCH-7
    #[tokio::test]
    async fn an_offset_is_known_to_half_of_the_trip() {
        let (own, distant, clock) = clocks();
        assert_eq!(
            (clock.now(), clock.offset(), clock.is_certain()),
            (own.now(), None, false)
        );
        for (ahead, trip, certain) in [(420, 2, true), (-420, 10, true), (3, 11, false)] {
            let (_, distant, clock) = clocks();
            *distant.said.lock().unwrap() = (ahead, Duration::from_secs(trip));
            clock.measure().await.unwrap();
            let offset = clock.offset().unwrap();
            assert_eq!(
                (offset.ahead, offset.uncertain),
                (ahead * 1_000_000, Duration::from_secs(trip) / 2)
            );
            assert_eq!(clock.is_certain(), certain, "{trip}");
            assert_eq!(
                clock.now().as_micros(),
                distant.own.now().as_micros() + ahead * 1_000_000
            );
        }
        *distant.said.lock().unwrap() = (7, Duration::ZERO);
        clock.look().await.unwrap();
        assert_eq!(
            clock.now(),
            own.now() + Duration::from_secs(7),
            "the first look measures"
        );
    }

    // SCH-7: what is not measured again is doubted; a slow answer says less, unless a clock was set.
    #[tokio::test]
    async fn the_better_measurement_counts() {
        let (own, distant, clock) = clocks();
        *distant.said.lock().unwrap() = (60, Duration::ZERO);
        clock.look().await.unwrap();
        *distant.said.lock().unwrap() = (61, Duration::from_secs(8));
        own.advance(MINUTE - Duration::from_secs(1));
        clock.look().await.unwrap();
        assert_eq!(clock.offset().unwrap().ahead, 60_000_000, "not yet");
        own.advance(MINUTE);
        clock.look().await.unwrap();
        let kept = clock.offset().unwrap();
        assert_eq!(kept.ahead, 60_000_000);
        assert!(
            kept.uncertain > Duration::from_millis(100) && clock.is_certain(),
            "{kept:?}"
        );
        // Somebody set a clock.
        *distant.said.lock().unwrap() = (90, Duration::from_secs(8));
        clock.look().await.unwrap();
        assert_eq!(clock.offset().unwrap().ahead, 90_000_000);
        own.advance(MINUTE * 60);
        assert!(!clock.is_certain(), "nothing was heard for an hour");
    }
}
