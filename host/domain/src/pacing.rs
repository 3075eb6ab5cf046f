//! The distances between sends, and how long a failure waits.

use std::{ops::RangeInclusive, time::Duration};

use crate::{
    Rng, Timestamp,
    planted::{Bug, planted},
};

/// Seconds added to a step's delay (SCH-3): 1 to 5 minutes.
pub const STEP_JITTER: RangeInclusive<u64> = 60..=300;

/// Seconds added to a mailbox's minutes between sends (SCH-4).
pub const PACE_JITTER: RangeInclusive<u64> = 1..=60;

/// Seconds over which re-armed enrollments are spread (TPL-4): 0 to 30 minutes.
pub const REARM_JITTER: RangeInclusive<u64> = 0..=1_800;

/// Seconds that an account of a network rests when its service asks for patience and doesn't say
/// how long (LI-8): 4 to 8 hours.
pub const COOLDOWN: RangeInclusive<u64> = 14_400..=28_800;

/// How long a sequence waits for an invitation to be accepted (SEQ-2): 14 days.
pub const WAIT_ACCEPT_MINUTES: i64 = 14 * 1_440;

/// A whole number of seconds in the range.
pub fn jitter(seconds: RangeInclusive<u64>, rng: &dyn Rng) -> Duration {
    let (low, high) = (*seconds.start(), *seconds.end());
    Duration::from_secs(low + rng.below(high.saturating_sub(low) + 1))
}

/// The earliest moment of a step: previous action + delay + jitter (SCH-3). The window comes on
/// top.
pub fn step_due(previous: Timestamp, delay_minutes: i64, rng: &dyn Rng) -> Timestamp {
    if planted(Bug::DelayForgotten) {
        return previous + jitter(STEP_JITTER, rng);
    }
    previous + minutes(delay_minutes) + jitter(STEP_JITTER, rng)
}

/// When a mailbox that sends at `at` may send again (SCH-4).
pub fn next_send(at: Timestamp, minutes_between_sends: i64, rng: &dyn Rng) -> Timestamp {
    at + minutes(minutes_between_sends) + jitter(PACE_JITTER, rng)
}

/// A delay as steps have it; nothing below 0.
pub fn minutes(n: i64) -> Duration {
    Duration::from_secs(u64::try_from(n).unwrap_or(0).saturating_mul(60))
}

/// The ladder of a mailbox whose server asks for patience (CAP-3).
const BACKOFF: [Duration; 4] = [
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(15 * 60),
    Duration::from_secs(60 * 60),
];

/// How long the mailbox rests on a rung, from 1; the last rung repeats.
pub fn backoff(rung: i64) -> Duration {
    let place = usize::try_from(rung.max(1) - 1).unwrap_or(usize::MAX);
    BACKOFF[place.min(BACKOFF.len() - 1)]
}

/// So many successes within [`RECOVERY_SPAN`] bring a mailbox back to rung 0 (CAP-3).
pub const RECOVERY_SENDS: i64 = 30;
/// See [`RECOVERY_SENDS`].
pub const RECOVERY_SPAN: Duration = Duration::from_secs(60 * 60);

/// How long a mail waits after its n-th soft refusal, from 1; None when it is given up. Three
/// retries over 72 hours (SAF-4).
pub fn soft_retry(refusals: i64) -> Option<Duration> {
    const HOUR: u64 = 3_600;
    if planted(Bug::GivenUpAtTheFirstRefusal) {
        return None;
    }
    match refusals {
        ..=1 => Some(Duration::from_secs(4 * HOUR)),
        2 => Some(Duration::from_secs(20 * HOUR)),
        3 => Some(Duration::from_secs(48 * HOUR)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SeededRng;

    // SCH-3, SCH-4
    #[test]
    fn distances_stay_in_their_ranges() {
        let rng = SeededRng::new(2);
        let start = Timestamp::from_secs(1_000_000);
        for _ in 0..2_000 {
            let due = step_due(start, 1_440, &rng).since(start).as_secs();
            assert!((86_460..=86_700).contains(&due), "{due}");
            let pace = next_send(start, 5, &rng).since(start).as_secs();
            assert!((301..=360).contains(&pace), "{pace}");
            assert!(jitter(REARM_JITTER, &rng) <= Duration::from_secs(1_800));
        }
    }

    // CAP-3
    #[test]
    fn the_ladder_ends_at_an_hour() {
        let minutes = [1, 2, 3, 4, 5, 99].map(|rung| backoff(rung).as_secs() / 60);
        assert_eq!(minutes, [1, 5, 15, 60, 60, 60]);
    }

    // SAF-4
    #[test]
    fn soft_refusals_are_retried_three_times_over_72_hours() {
        let waits: Vec<_> = (1..).map_while(soft_retry).collect();
        assert_eq!(waits.len(), 3);
        assert_eq!(
            waits.iter().sum::<Duration>(),
            Duration::from_secs(72 * 3_600)
        );
    }
}
