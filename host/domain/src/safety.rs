//! When sending stops by itself because it does harm (SAF-1, SAF-2).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Hard bounces of a campaign that are allowed, in a hundred mails (SAF-1).
pub const BOUNCE_PERCENT: i64 = 5;

/// No rate is judged below so many mails (SAF-1; the smallest window of SAF-2).
pub const LEAST_SENDS: i64 = 50;

/// So many complaints stop a campaign (SAF-1).
pub const COMPLAINTS: i64 = 3;

/// How far back a campaign's mails count: what it did before can't be mended any more.
pub const LOOK_BACK: Duration = Duration::from_secs(7 * 86_400);

/// How long a campaign rests at least, and until its numbers are read again (SAF-1).
pub const REST: Duration = Duration::from_secs(24 * 3_600);

/// What became of mails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measure {
    pub sends: i64,
    /// Hard ones alone (SAF-4).
    pub bounces: i64,
    pub complaints: i64,
}

impl Measure {
    /// What is wrong with a campaign's numbers, for people (SAF-1); None: they are good enough.
    pub fn trouble(&self) -> Option<String> {
        if self.complaints >= COMPLAINTS {
            let n = self.complaints;
            return Some(format!("{n} people reported its mails as spam in 7 days"));
        }
        self.bounces_beyond(BOUNCE_PERCENT).then(|| {
            format!(
                "{} of {} mails came back in 7 days, more than {BOUNCE_PERCENT} %",
                self.bounces, self.sends
            )
        })
    }

    /// Whether more came back than so many of a hundred, of enough mails to tell.
    pub const fn bounces_beyond(&self, percent: i64) -> bool {
        self.sends >= LEAST_SENDS && self.bounces * 100 > percent * self.sends
    }

    /// Without what another measure counts.
    #[must_use]
    pub const fn without(&self, other: &Self) -> Self {
        Self {
            sends: self.sends - other.sends,
            bounces: self.bounces - other.bounces,
            complaints: self.complaints - other.complaints,
        }
    }
}

impl std::iter::Sum for Measure {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            sends: sum.sends + one.sends,
            bounces: sum.bounces + one.bounces,
            complaints: sum.complaints + one.complaints,
        })
    }
}

/// The Bounce Shield of a workspace (SAF-2): all its campaigns stop when too many of its last mails
/// came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BounceShield {
    pub enabled: bool,
    /// Hard bounces that are allowed, in a hundred mails: 1 to 20.
    pub threshold_percent: i64,
    /// So many of the last mails are looked at: 50 to 1,000.
    pub window: i64,
    /// Its campaigns are paused; else an admin is only told.
    pub pauses_campaigns: bool,
    /// When it tripped last: mails before count no more, or it would trip again at once.
    pub tripped_at: Option<Timestamp>,
}

impl Default for BounceShield {
    fn default() -> Self {
        Self {
            enabled: true,
            threshold_percent: 10,
            window: 200,
            pauses_campaigns: true,
            tripped_at: None,
        }
    }
}

impl BounceShield {
    /// The setting that is out of its range, and the range.
    pub fn problem(&self) -> Option<(&'static str, &'static str)> {
        if !(1..=20).contains(&self.threshold_percent) {
            return Some(("thresholdPercent", "it is from 1 to 20"));
        }
        if !(50..=1_000).contains(&self.window) {
            return Some(("window", "it is from 50 to 1,000"));
        }
        None
    }

    /// Why it trips, for people.
    pub fn trouble(&self, last: &Measure) -> Option<String> {
        (self.enabled && last.bounces_beyond(self.threshold_percent)).then(|| {
            format!(
                "{} of the last {} mails of the workspace came back, more than {} %",
                last.bounces, last.sends, self.threshold_percent
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sends: i64, bounces: i64, complaints: i64) -> Measure {
        Measure {
            sends,
            bounces,
            complaints,
        }
    }

    // SAF-1: more than 5 % of 50 mails and more, or 3 complaints.
    #[test]
    fn a_campaign_is_in_trouble_beyond_its_thresholds() {
        for good in [of(49, 49, 0), of(60, 3, 0), of(50, 2, 2), of(0, 0, 0)] {
            assert_eq!(good.trouble(), None, "{good:?}");
        }
        for bad in [of(50, 3, 0), of(59, 3, 0), of(1, 0, 3)] {
            assert!(bad.trouble().is_some(), "{bad:?}");
        }
    }

    // SAF-2: default 10 %, 1 to 20; of the last 200, 50 to 1,000.
    #[test]
    fn a_shield_has_ranges() {
        let shield = BounceShield::default();
        assert_eq!(shield.problem(), None);
        assert_eq!(shield.trouble(&of(200, 20, 0)), None);
        assert!(shield.trouble(&of(200, 21, 0)).is_some());
        let off = BounceShield {
            enabled: false,
            ..shield.clone()
        };
        assert_eq!(off.trouble(&of(200, 200, 0)), None);
        for (percent, window) in [(0, 200), (21, 200), (10, 49), (10, 1_001)] {
            let wrong = BounceShield {
                threshold_percent: percent,
                window,
                ..shield.clone()
            };
            assert!(wrong.problem().is_some(), "{wrong:?}");
        }
    }
}
