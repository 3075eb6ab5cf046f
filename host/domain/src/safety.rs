//! When sending stops by itself because it does harm (SAF-1, SAF-2).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// No rate is judged below so many mails (SAF-1; the smallest window of SAF-2).
pub const LEAST_SENDS: i64 = 50;

/// From so many mails on a campaign below its floor of replies is told of, and from so many on it is
/// paused (SAF-1).
pub const FLOOR_WARNS: i64 = 100;
pub const FLOOR_PAUSES: i64 = 200;

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
    pub replies: i64,
}

/// When a campaign stops by itself (SAF-1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Thresholds {
    /// Hard bounces that are allowed, in a hundred mails: 1 to 20.
    pub bounce_percent: i64,
    /// So many complaints stop it: 1 to 100.
    pub complaints: i64,
    /// Replies that it must have, in a hundred mails: 1 to 50; None: none at all will do.
    pub reply_percent: Option<i64>,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            bounce_percent: 5,
            complaints: 3,
            reply_percent: None,
        }
    }
}

impl Thresholds {
    /// The setting that is out of its range, and the range.
    pub fn problem(&self) -> Option<(&'static str, &'static str)> {
        if !(1..=20).contains(&self.bounce_percent) {
            return Some(("bouncePercent", "it is from 1 to 20"));
        }
        if !(1..=100).contains(&self.complaints) {
            return Some(("complaints", "it is from 1 to 100"));
        }
        if self
            .reply_percent
            .is_some_and(|floor| !(1..=50).contains(&floor))
        {
            return Some(("replyPercent", "it is from 1 to 50; null for no floor"));
        }
        None
    }

    /// Fewer bounces and complaints are no trouble, whatever was sent.
    pub fn least(&self) -> i64 {
        self.complaints
            .min(LEAST_SENDS * self.bounce_percent / 100 + 1)
    }
}

/// A campaign that gets too few replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// It is to be paused; else to be told of.
    pub pauses: bool,
    /// For people.
    pub words: String,
}

impl Measure {
    /// What is wrong with a campaign's numbers, for people (SAF-1); None: they are good enough.
    pub fn trouble(&self, allowed: &Thresholds) -> Option<String> {
        if self.complaints >= allowed.complaints {
            let n = self.complaints;
            return Some(format!("{n} people reported its mails as spam in 7 days"));
        }
        let percent = allowed.bounce_percent;
        self.bounces_beyond(percent).then(|| {
            format!(
                "{} of {} mails came back in 7 days, more than {percent} %",
                self.bounces, self.sends
            )
        })
    }

    /// Whether a campaign is below its floor of replies (SAF-1).
    pub fn silence(&self, allowed: &Thresholds) -> Option<Silence> {
        let floor = allowed.reply_percent?;
        let below = self.sends >= FLOOR_WARNS && self.replies * 100 < floor * self.sends;
        below.then(|| Silence {
            pauses: self.sends >= FLOOR_PAUSES,
            words: format!(
                "{} replies to {} mails since it runs, fewer than {floor} %",
                self.replies, self.sends
            ),
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
            replies: self.replies - other.replies,
        }
    }
}

impl std::iter::Sum for Measure {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            sends: sum.sends + one.sends,
            bounces: sum.bounces + one.bounces,
            complaints: sum.complaints + one.complaints,
            replies: sum.replies + one.replies,
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
    /// An address that doesn't exist is suppressed, beside its prospect that is bounced (SAF-4).
    pub blocks_addresses: bool,
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
            blocks_addresses: true,
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
            replies: 0,
        }
    }

    // SAF-1: more than 5 % of 50 mails and more, or 3 complaints; both can be moved.
    #[test]
    fn a_campaign_is_in_trouble_beyond_its_thresholds() {
        let allowed = Thresholds::default();
        assert_eq!(allowed.least(), 3);
        for good in [of(49, 49, 0), of(60, 3, 0), of(50, 2, 2), of(0, 0, 0)] {
            assert_eq!(good.trouble(&allowed), None, "{good:?}");
        }
        for bad in [of(50, 3, 0), of(59, 3, 0), of(1, 0, 3)] {
            assert!(bad.trouble(&allowed).is_some(), "{bad:?}");
        }
        let moved = Thresholds {
            bounce_percent: 10,
            complaints: 4,
            ..allowed
        };
        for good in [of(50, 5, 0), of(1, 0, 3)] {
            assert_eq!(good.trouble(&moved), None, "{good:?}");
        }
        for bad in [of(50, 6, 0), of(1, 0, 4)] {
            assert!(bad.trouble(&moved).is_some(), "{bad:?}");
        }
    }

    // SAF-1: the floor of replies warns from 100 mails on and pauses from 200; there is none by default.
    #[test]
    fn a_floor_of_replies_warns_and_then_pauses() {
        let silence = |sends, replies, floor| {
            let allowed = Thresholds {
                reply_percent: floor,
                ..Thresholds::default()
            };
            let measure = Measure {
                replies,
                ..of(sends, 0, 0)
            };
            measure.silence(&allowed).map(|it| it.pauses)
        };
        assert_eq!(silence(1_000, 0, None), None);
        assert_eq!(silence(99, 0, Some(2)), None);
        assert_eq!(silence(100, 1, Some(2)), Some(false));
        assert_eq!(silence(100, 2, Some(2)), None);
        assert_eq!(silence(199, 3, Some(2)), Some(false));
        assert_eq!(silence(200, 3, Some(2)), Some(true));
        assert_eq!(silence(200, 4, Some(2)), None);
    }

    // SAF-1
    #[test]
    fn thresholds_have_ranges() {
        let problem = |bounce_percent, complaints, reply_percent| {
            let given = Thresholds {
                bounce_percent,
                complaints,
                reply_percent,
            };
            given.problem().map(|(field, _)| field)
        };
        assert_eq!(problem(5, 3, None), None);
        assert_eq!(problem(20, 100, Some(50)), None);
        assert_eq!(problem(0, 3, None), Some("bouncePercent"));
        assert_eq!(problem(21, 3, None), Some("bouncePercent"));
        assert_eq!(problem(5, 0, None), Some("complaints"));
        assert_eq!(problem(5, 3, Some(0)), Some("replyPercent"));
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
