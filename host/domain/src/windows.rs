//! When a campaign may send (SCH-1, SCH-2).

use std::time::Duration;

use jiff::{
    civil::{Date, DateTime, Time},
    tz::{TimeZone, TimeZoneTransition},
};

use crate::{
    Timestamp,
    campaigns::Window,
    planted::{Bug, planted},
};

/// How far [`clamp_to_window`] looks ahead (SCH-2).
const SCAN_DAYS: i64 = 8;

/// The zone of an IANA name; None when there is none of that name.
pub fn zone(name: &str) -> Option<TimeZone> {
    match name {
        "" => None,
        name => TimeZone::get(name).ok(),
    }
}

/// The first moment not before `earliest` at which a window is open; None when none opens within
/// 8 days (SCH-2). `earliest` is the earliest legal time (previous action + delay + jitter), never
/// a stored run time.
///
/// A moment is inside a window when the clock on the wall says so. An hour that daylight saving
/// repeats is open both times; one that it leaves out opens with the next that exists.
pub fn clamp_to_window(
    earliest: Timestamp,
    windows: &[Window],
    zone: &TimeZone,
) -> Option<Timestamp> {
    if is_open(earliest, windows, zone) {
        return Some(earliest);
    }
    // A window opens at its start, or in it when a change of the clock jumps into it.
    let last = earliest + Duration::from_secs(SCAN_DAYS as u64 * 86_400);
    let today = civil(earliest, zone).date();
    let starts = (0..=SCAN_DAYS)
        .filter_map(|day| today.checked_add(jiff::Span::new().days(day)).ok())
        .flat_map(|date| {
            windows
                .iter()
                .filter(move |window| begins_on(window, date))
                .map(move |window| opening(window, date))
        })
        .flat_map(|at| moments(at, zone));
    let changes = zone
        .following(earliest.to_jiff())
        .map(|change: TimeZoneTransition<'_>| Timestamp::from(change.timestamp()))
        .take_while(|at| *at <= last);
    starts
        .chain(changes)
        .filter(|at| (earliest..=last).contains(at) && is_open(*at, windows, zone))
        .min()
}

/// Whether a window is open at this moment.
pub fn is_open(at: Timestamp, windows: &[Window], zone: &TimeZone) -> bool {
    let late = if planted(Bug::WindowClosesLate) {
        1_800
    } else {
        0
    };
    if late > 0 && covers_at(at - Duration::from_secs(late), windows, zone) {
        return true;
    }
    covers_at(at, windows, zone)
}

fn covers_at(at: Timestamp, windows: &[Window], zone: &TimeZone) -> bool {
    let now = civil(at, zone);
    covers(windows, now.date(), minute_of_day(now))
}

/// How many minutes of the day of `from` are open from that moment on, by the clock on the wall.
pub fn open_minutes(windows: &[Window], from: DateTime) -> i64 {
    let minutes = minute_of_day(from)..24 * 60;
    let open = minutes.filter(|minute| covers(windows, from.date(), *minute));
    open.count() as i64
}

fn minute_of_day(at: DateTime) -> u16 {
    u16::try_from(at.hour()).unwrap_or(0) * 60 + u16::try_from(at.minute()).unwrap_or(0)
}

fn covers(windows: &[Window], date: Date, minute: u16) -> bool {
    let yesterday = date.yesterday().ok();
    windows.iter().any(|window| {
        let today = begins_on(window, date);
        if window.start == window.end {
            today
        } else if window.start < window.end {
            today && (window.start..window.end).contains(&minute)
        } else {
            today && minute >= window.start
                || minute < window.end && yesterday.is_some_and(|date| begins_on(window, date))
        }
    })
}

/// The civil day of a moment in a zone, as days since 1970: the bucket of calendar caps (CAP-2).
pub fn civil_day(at: Timestamp, zone: &TimeZone) -> i64 {
    let date = civil(at, zone).date();
    i64::from((date - Date::constant(1970, 1, 1)).get_days())
}

/// The moment at which the day after that of `at` begins in the zone.
pub fn next_day(at: Timestamp, zone: &TimeZone) -> Timestamp {
    civil(at, zone)
        .date()
        .tomorrow()
        .ok()
        .and_then(|date| date.to_zoned(zone.clone()).ok())
        .map_or(Timestamp::MAX, |start| start.timestamp().into())
}

fn civil(at: Timestamp, zone: &TimeZone) -> DateTime {
    zone.to_datetime(at.to_jiff())
}

fn begins_on(window: &Window, date: Date) -> bool {
    let day = date.weekday().to_sunday_zero_offset();
    window.days.iter().any(|d| i8::try_from(*d) == Ok(day))
}

fn opening(window: &Window, date: Date) -> DateTime {
    let minutes = if window.start == window.end {
        0
    } else {
        window.start
    };
    let (hour, minute) = (minutes / 60 % 24, minutes % 60);
    let time = Time::new(hour as i8, minute as i8, 0, 0).unwrap_or(Time::midnight());
    date.to_datetime(time)
}

/// Every moment at which the clock on the wall shows `at`: none, one or two.
fn moments(at: DateTime, zone: &TimeZone) -> impl Iterator<Item = Timestamp> + use<> {
    let ambiguous = zone.to_ambiguous_timestamp(at);
    let (earlier, later) = (ambiguous.earlier().ok(), ambiguous.later().ok());
    [earlier, later].into_iter().flatten().map(Timestamp::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Rng, rng::SeededRng};

    fn window(days: &[u8], start: u16, end: u16) -> Window {
        Window {
            days: days.to_vec(),
            start: start / 100 * 60 + start % 100,
            end: end / 100 * 60 + end % 100,
        }
    }

    fn check(zone_name: &str, windows: &[Window], earliest: &str, expected: Option<&str>) {
        let zone = zone(zone_name).unwrap();
        let parse = |text: &str| {
            text.parse::<jiff::Timestamp>()
                .map(Timestamp::from)
                .unwrap()
        };
        let found = clamp_to_window(parse(earliest), windows, &zone);
        assert_eq!(found, expected.map(parse), "{zone_name} {earliest}");
    }

    const WEEK: &[u8] = &[1, 2, 3, 4, 5];
    const ALL: &[u8] = &[0, 1, 2, 3, 4, 5, 6];

    // SCH-1, SCH-2. 2026-03-02 is a Monday.
    #[test]
    fn the_next_opening_is_found() {
        let office = [Window::working_hours()];
        check(
            "UTC",
            &office,
            "2026-03-02T08:59:59Z",
            Some("2026-03-02T09:00:00Z"),
        );
        check(
            "UTC",
            &office,
            "2026-03-02T09:00:00Z",
            Some("2026-03-02T09:00:00Z"),
        );
        check(
            "UTC",
            &office,
            "2026-03-02T16:59:59Z",
            Some("2026-03-02T16:59:59Z"),
        );
        check(
            "UTC",
            &office,
            "2026-03-02T17:00:00Z",
            Some("2026-03-03T09:00:00Z"),
        );
        check(
            "UTC",
            &office,
            "2026-03-06T17:00:00Z",
            Some("2026-03-09T09:00:00Z"),
        );
        check(
            "America/New_York",
            &office,
            "2026-03-02T13:00:00Z",
            Some("2026-03-02T14:00:00Z"),
        );
        check(
            "Asia/Kolkata",
            &office,
            "2026-03-02T11:30:00Z",
            Some("2026-03-03T03:30:00Z"),
        );
    }

    #[test]
    fn several_windows_and_weekdays_have_their_own_hours() {
        let windows = [
            window(&[1], 900, 1100),
            window(&[1], 1400, 1500),
            window(&[3], 600, 700),
        ];
        check(
            "UTC",
            &windows,
            "2026-03-02T11:00:00Z",
            Some("2026-03-02T14:00:00Z"),
        );
        check(
            "UTC",
            &windows,
            "2026-03-02T15:00:00Z",
            Some("2026-03-04T06:00:00Z"),
        );
        check(
            "UTC",
            &windows,
            "2026-03-04T07:00:00Z",
            Some("2026-03-09T09:00:00Z"),
        );
    }

    #[test]
    fn a_window_may_cross_midnight() {
        // It begins on Friday and ends on Saturday morning.
        let night = [window(&[5], 2200, 600)];
        check(
            "UTC",
            &night,
            "2026-03-06T21:00:00Z",
            Some("2026-03-06T22:00:00Z"),
        );
        check(
            "UTC",
            &night,
            "2026-03-07T05:59:00Z",
            Some("2026-03-07T05:59:00Z"),
        );
        check(
            "UTC",
            &night,
            "2026-03-07T06:00:00Z",
            Some("2026-03-13T22:00:00Z"),
        );
        // Friday's own early morning belongs to Thursday, which is not active.
        check(
            "UTC",
            &night,
            "2026-03-06T05:00:00Z",
            Some("2026-03-06T22:00:00Z"),
        );
    }

    #[test]
    fn equal_ends_mean_all_day() {
        let days = [window(WEEK, 900, 900)];
        check(
            "UTC",
            &days,
            "2026-03-02T00:00:00Z",
            Some("2026-03-02T00:00:00Z"),
        );
        check(
            "UTC",
            &days,
            "2026-03-07T12:00:00Z",
            Some("2026-03-09T00:00:00Z"),
        );
    }

    #[test]
    fn nothing_opens() {
        check("UTC", &[], "2026-03-02T00:00:00Z", None);
        check(
            "UTC",
            &[window(&[], 900, 1700)],
            "2026-03-02T00:00:00Z",
            None,
        );
    }

    #[test]
    fn daylight_saving_moves_the_opening_with_the_wall_clock() {
        let office = [window(ALL, 900, 1700)];
        // Berlin goes to summer time on 2026-03-29, back on 2026-10-25.
        check(
            "Europe/Berlin",
            &office,
            "2026-03-28T16:00:00Z",
            Some("2026-03-29T07:00:00Z"),
        );
        check(
            "Europe/Berlin",
            &office,
            "2026-10-24T15:00:00Z",
            Some("2026-10-25T08:00:00Z"),
        );
        // 02:30 does not exist on the first day: 03:00 is the first moment inside.
        let gap = [window(ALL, 230, 400)];
        check(
            "Europe/Berlin",
            &gap,
            "2026-03-29T00:00:00Z",
            Some("2026-03-29T01:00:00Z"),
        );
        // A window that lies wholly in the gap is not open that day.
        let lost = [window(ALL, 215, 245)];
        check(
            "Europe/Berlin",
            &lost,
            "2026-03-29T00:00:00Z",
            Some("2026-03-30T00:15:00Z"),
        );
        // 02:15-02:45 comes twice on the other.
        check(
            "Europe/Berlin",
            &lost,
            "2026-10-25T00:50:00Z",
            Some("2026-10-25T01:15:00Z"),
        );
    }

    /// The same by asking every minute.
    fn by_the_minute(
        earliest: Timestamp,
        windows: &[Window],
        zone: &TimeZone,
    ) -> Option<Timestamp> {
        if is_open(earliest, windows, zone) {
            return Some(earliest);
        }
        let first = Timestamp::from_secs(earliest.as_secs().div_euclid(60) * 60);
        (1..=SCAN_DAYS as u64 * 1_440)
            .map(|minute| first + Duration::from_secs(60 * minute))
            .find(|at| is_open(*at, windows, zone))
    }

    #[test]
    fn it_agrees_with_a_look_at_every_minute() {
        let rng = SeededRng::new(41);
        let zones = [
            "UTC",
            "Europe/Berlin",
            "America/St_Johns",
            "Australia/Lord_Howe",
            "Asia/Kathmandu",
            "America/Sao_Paulo",
        ];
        for round in 0..300 {
            let zone = zone(zones[rng.below(zones.len() as u64) as usize]).unwrap();
            let windows: Vec<Window> = (0..=rng.below(3))
                .map(|_| Window {
                    days: (0..7).filter(|_| rng.below(3) == 0).collect(),
                    start: rng.below(1_440) as u16,
                    end: rng.below(1_440) as u16,
                })
                .collect();
            // Half of them close to a change of the clock.
            let base = if round % 2 == 0 {
                let spring = "2026-01-01T00:00:00Z".parse::<jiff::Timestamp>().unwrap();
                zone.following(spring)
                    .next()
                    .map_or(spring, |change| change.timestamp())
            } else {
                "2026-05-05T00:00:00Z".parse().unwrap()
            };
            let earliest = Timestamp::from(base) - Duration::from_secs(3 * 86_400)
                + Duration::from_secs(60 * rng.below(6 * 1_440));
            let found = clamp_to_window(earliest, &windows, &zone);
            assert_eq!(
                found,
                by_the_minute(earliest, &windows, &zone),
                "{earliest} {windows:?} {zone:?}"
            );
            // SAFE-1: never before its input.
            assert!(found.is_none_or(|at| at >= earliest));
        }
    }

    // CAP-2
    #[test]
    fn civil_days_follow_the_zone() {
        let at = "2026-03-29T22:30:00Z"
            .parse::<jiff::Timestamp>()
            .unwrap()
            .into();
        let (utc, berlin) = (TimeZone::UTC, zone("Europe/Berlin").unwrap());
        assert_eq!(civil_day(at, &berlin), civil_day(at, &utc) + 1);
        assert_eq!(next_day(at, &utc).to_string(), "2026-03-30T00:00:00Z");
        assert_eq!(next_day(at, &berlin).to_string(), "2026-03-30T22:00:00Z");
    }

    #[test]
    fn unknown_zones_are_none() {
        assert!(zone("Mars/Olympus").is_none() && zone("").is_none());
    }
}
