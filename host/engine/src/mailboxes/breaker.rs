//! Mail hosts that can't be reached are left alone for a while (SAF-3).

use std::time::Duration;

use overture_domain::Timestamp;

/// Connections in a row that must fail.
const FAILURES: u32 = 5;

/// How long a host is left alone then.
const OPEN: Duration = Duration::from_secs(5 * 60);

/// How long the one probe after that keeps the others waiting, at most.
const PROBE: Duration = Duration::from_secs(60);

/// Whether one mail host is tried at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Breaker {
    /// In a row.
    failures: u32,
    /// Where they are enough: when the next connection may be tried.
    open_until: Option<Timestamp>,
}

impl Breaker {
    /// Whether a connection may be tried now; else from when on. After the rest one may: the
    /// probe, whose outcome decides for all.
    pub(super) fn admit(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        match self.open_until {
            Some(until) if now < until => Err(until),
            Some(_) => {
                self.open_until = Some(now + PROBE);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// After how many failures in a row it is left alone, where it is: until a connection comes
    /// about.
    pub(super) fn open_after(&self) -> Option<u32> {
        self.open_until.map(|_| self.failures)
    }

    /// A connection came about.
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// None came about. True: with this one the host is left alone.
    pub(super) fn failed(&mut self, now: Timestamp) -> bool {
        self.failures = self.failures.saturating_add(1);
        if self.failures < FAILURES {
            return false;
        }
        self.open_until = Some(now + OPEN);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // SAF-3
    #[test]
    fn five_failures_open_it_for_five_minutes_then_one_probe() {
        let start = Timestamp::from_secs(1_000_000);
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut breaker = Breaker::default();
        for n in 1..=5 {
            assert_eq!(breaker.admit(start), Ok(()), "before failure {n}");
            assert_eq!(breaker.failed(start), n == 5);
        }
        assert_eq!(breaker.admit(at(299)), Err(at(300)));
        assert_eq!(breaker.admit(at(300)), Ok(()));
        // Everybody else waits for the probe.
        assert_eq!(breaker.admit(at(300)), Err(at(360)));
        assert!(breaker.failed(at(310)), "the probe has failed");
        assert_eq!(breaker.admit(at(360)), Err(at(610)));
        assert_eq!(breaker.admit(at(610)), Ok(()));
        breaker.succeeded();
        assert_eq!(breaker, Breaker::default());
    }

    // SAF-3
    #[test]
    fn a_success_between_begins_the_count_anew() {
        let now = Timestamp::from_secs(1_000_000);
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            breaker.failed(now);
        }
        breaker.succeeded();
        assert!(!breaker.failed(now));
        assert_eq!(breaker.admit(now), Ok(()));
    }

    // SAF-3: a probe that never tells keeps nobody waiting for ever.
    #[test]
    fn a_lost_probe_is_followed_by_another() {
        let now = Timestamp::from_secs(1_000_000);
        let mut breaker = Breaker::default();
        for _ in 0..5 {
            breaker.failed(now);
        }
        assert_eq!(breaker.admit(now + OPEN), Ok(()));
        assert_eq!(breaker.admit(now + OPEN + PROBE), Ok(()));
    }
}
