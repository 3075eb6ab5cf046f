//! SCH-1, SCH-2 and CAP-2 around every change of the clock, in all IANA zones, over two years to
//! come and over two that were odder: a day left out, clocks that change at midnight.
//!
//! What is expected is counted minute by minute on a table of what the clock on the wall shows.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use jiff::{civil::Date, tz::TimeZone};
use overture_domain::{
    Rng, Timestamp,
    campaigns::Window,
    rng::SeededRng,
    windows::{civil_day, clamp_to_window, is_open, next_day, zone},
};

const YEARS: [Range<i16>; 2] = [2026..2028, 2011..2013];

/// Looked at before and after a change.
const AROUND: Duration = Duration::from_secs(30 * 3_600);
/// Sets of windows for each change, and moments at which each is asked.
const SETS: usize = 4;
const MOMENTS: usize = 12;

const DAY: i64 = 1_440;

/// What the clock on the wall shows in one minute.
#[derive(Clone, Copy)]
struct Wall {
    /// Days since 1970.
    day: i64,
    minute: i64,
}

impl Wall {
    fn at(at: Timestamp, zone: &TimeZone) -> Self {
        let civil = zone.to_datetime(at.to_jiff());
        let day = (civil.date() - Date::constant(1970, 1, 1)).get_days();
        Self {
            day: day.into(),
            minute: i64::from(civil.hour()) * 60 + i64::from(civil.minute()),
        }
    }

    /// SCH-1: a window that began today or yesterday holds this minute.
    fn is_in(self, windows: &[Window]) -> bool {
        windows.iter().any(|window| {
            let (start, end) = match (i64::from(window.start), i64::from(window.end)) {
                (start, end) if start == end => (0, DAY),
                (start, end) if start > end => (start, end + DAY),
                both => both,
            };
            [0, 1].into_iter().any(|ago| {
                // 1970-01-01 was a Thursday.
                let weekday = (self.day - ago + 4).rem_euclid(7);
                let begins = window.days.iter().any(|day| i64::from(*day) == weekday);
                begins && (start..end).contains(&(self.minute + ago * DAY))
            })
        })
    }
}

/// The minutes around a change.
struct Change<'a> {
    name: &'a str,
    zone: TimeZone,
    first: Timestamp,
    walls: Vec<Wall>,
}

impl Change<'_> {
    fn minute(&self, place: usize) -> Timestamp {
        self.first + Duration::from_secs(60 * place as u64)
    }

    /// The first moment from `at` on that is in a window, if it is on the table.
    fn expected(&self, at: Timestamp, windows: &[Window]) -> Option<Timestamp> {
        let place = (at.since(self.first).as_secs() / 60) as usize;
        if self.walls[place].is_in(windows) {
            return Some(at);
        }
        let later = self.walls.iter().enumerate().skip(place + 1);
        let mut open = later.filter(|(_, wall)| wall.is_in(windows));
        open.next().map(|(place, _)| self.minute(place))
    }

    fn check(&self, windows: &[Window], rng: &SeededRng) {
        let name = self.name;
        let length = self.minute(self.walls.len()).since(self.first);
        for _ in 0..MOMENTS {
            let after = Duration::from_micros(rng.below(length.as_micros() as u64));
            let at = self.first + after;
            let found = clamp_to_window(at, windows, &self.zone);
            match self.expected(at, windows) {
                Some(expected) => assert_eq!(found, Some(expected), "{name} {at} {windows:?}"),
                None => assert!(
                    found.is_none_or(|found| found >= self.first + length),
                    "{name} {at} {windows:?}: {found:?}"
                ),
            }
            if let Some(found) = found {
                assert!(
                    found >= at && is_open(found, windows, &self.zone),
                    "{name} {at}"
                );
                let again = clamp_to_window(found, windows, &self.zone);
                assert_eq!(again, Some(found), "{name} {at} {windows:?}");
            }
        }
        self.check_days(windows);
    }

    /// Each moment is in one day, and each day that has an open minute has its own first moment:
    /// whatever is done once a day is neither left out nor done twice.
    fn check_days(&self, windows: &[Window]) {
        let (name, zone) = (self.name, &self.zone);
        let end = self.minute(self.walls.len());
        let mut day = next_day(self.first, zone);
        loop {
            let next = next_day(day, zone);
            if next > end {
                return;
            }
            let last = next - Duration::from_micros(1);
            assert_eq!(civil_day(last, zone), civil_day(day, zone), "{name} {day}");
            assert!(civil_day(next, zone) > civil_day(day, zone), "{name} {day}");
            let place = |at: Timestamp| (at.since(self.first).as_secs() / 60) as usize;
            let minutes = &self.walls[place(day)..place(next)];
            let first = clamp_to_window(day, windows, zone).filter(|first| *first < next);
            let has_open = minutes.iter().any(|wall| wall.is_in(windows));
            assert_eq!(first.is_some(), has_open, "{name} {day} {windows:?}");
            assert!(
                minutes.iter().all(|wall| wall.day == civil_day(day, zone)),
                "{name} {day}"
            );
            day = next;
        }
    }
}

/// Windows of which some begin or end close to what the clock shows at the change.
fn windows(change: &Change<'_>, rng: &SeededRng) -> Vec<Window> {
    let middle = &change.walls[change.walls.len() / 2];
    let minute = |near: bool| match near {
        true => (middle.minute + rng.below(240) as i64 - 120).rem_euclid(DAY) as u16,
        false => rng.below(DAY as u64) as u16,
    };
    let one = |_| {
        let near = rng.below(3) > 0;
        let start = minute(near);
        let end = match rng.below(4) {
            0 => start,
            1 => (start + 1 + rng.below(90) as u16) % DAY as u16,
            _ => minute(near),
        };
        let days = (0..7).filter(|_| rng.below(4) > 0).collect();
        Window { days, start, end }
    };
    (0..=rng.below(3)).map(one).collect()
}

/// A zone by its name, and when its clock changes.
type Changes = (String, TimeZone, Vec<Timestamp>);

/// Every change of the clock in these years, each once for all zones that have the same.
fn changes(names: &[String], years: &Range<i16>) -> Vec<Changes> {
    let begin = |year| {
        let date = Date::constant(year, 1, 1);
        let midnight = date.to_zoned(TimeZone::UTC);
        midnight.expect("every day begins").timestamp()
    };
    let (from, to) = (begin(years.start), begin(years.end));
    let mut distinct: BTreeMap<Vec<(i64, i32)>, Changes> = BTreeMap::new();
    for name in names {
        let zone = zone(name).unwrap_or_else(|| panic!("{name} is a zone"));
        let found: Vec<_> = zone
            .following(from)
            .take_while(|change| change.timestamp() < to)
            .collect();
        let at = |change: &jiff::tz::TimeZoneTransition<'_>| Timestamp::from(change.timestamp());
        let offset = zone.to_offset(from).seconds();
        let key = [(0, offset)].into_iter().chain(
            found
                .iter()
                .map(|change| (at(change).as_secs(), change.offset().seconds())),
        );
        let moments = found.iter().map(at).collect();
        distinct
            .entry(key.collect())
            .or_insert_with(|| (name.clone(), zone.clone(), moments));
    }
    distinct.into_values().collect()
}

// SCH-1, SCH-2, CAP-2, SAFE-1
#[test]
fn no_change_of_the_clock_opens_shuts_or_repeats_a_window() {
    let names: Vec<String> = jiff::tz::db()
        .available()
        .map(|name| name.to_string())
        .collect();
    assert!(names.len() > 500, "{} zones are known", names.len());
    for years in YEARS {
        let zones = changes(&names, &years);
        let looked_at: usize = zones.iter().map(|(_, _, changes)| changes.len()).sum();
        assert!(looked_at > 100, "{looked_at} changes");
        for (name, zone, changes) in &zones {
            // A zone that never changes is looked at as well.
            let quiet = "2026-02-28T12:00:00Z".parse().unwrap();
            let looked_at = if changes.is_empty() {
                std::slice::from_ref(&quiet)
            } else {
                changes
            };
            for at in looked_at {
                let rng = SeededRng::new(at.as_secs() as u64);
                // On a whole minute, as all changes of these years are.
                let first = Timestamp::from_secs((*at - AROUND).as_secs().div_euclid(60) * 60);
                let minutes = 2 * AROUND.as_secs() / 60;
                let wall = |minute| Wall::at(first + Duration::from_secs(60 * minute), zone);
                let walls = (0..minutes).map(wall).collect();
                let change = Change {
                    name,
                    zone: zone.clone(),
                    first,
                    walls,
                };
                for _ in 0..SETS {
                    change.check(&windows(&change, &rng), &rng);
                }
            }
        }
    }
}
