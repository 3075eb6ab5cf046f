//! Civil dates of UTC timestamps, as texts want them.

use crate::Timestamp;

/// A day of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// 2026
    pub year: i32,
    /// 1 to 12
    pub month: u32,
    /// 1 to 31
    pub day: u32,
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

impl Date {
    /// The day, when there is one: no 31st of April.
    #[must_use]
    pub fn new(year: i32, month: u32, day: u32) -> Option<Self> {
        let date = Date { year, month, day };
        let exists = (1..=12).contains(&month) && (1..=31).contains(&day);
        (exists && Date::from_days(date.days()) == date).then_some(date)
    }

    /// The day of a timestamp in UTC.
    #[must_use]
    pub fn of(at: Timestamp) -> Self {
        Date::from_days((at / 86_400_000) as i64)
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub fn days(self) -> i64 {
        // Years that begin in March put the leap day at the end.
        let year = i64::from(self.year) - i64::from(self.month <= 2);
        let era = year.div_euclid(400);
        let of_era = year.rem_euclid(400);
        let month = (i64::from(self.month) + 9) % 12;
        let of_year = (153 * month + 2) / 5 + i64::from(self.day) - 1;
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
    }

    /// The day so many days after 1970-01-01.
    #[must_use]
    pub fn from_days(days: i64) -> Self {
        let days = days + 719_468;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = year + era * 400 + i64::from(month <= 2);
        Date {
            year: year as i32,
            month: month as u32,
            day: day as u32,
        }
    }

    /// 0 is Monday.
    #[must_use]
    pub fn weekday(self) -> u32 {
        (self.days() + 3).rem_euclid(7) as u32
    }

    /// So many days later.
    #[must_use]
    pub fn plus_days(self, days: i64) -> Self {
        Date::from_days(self.days() + days)
    }
}

impl std::fmt::Display for Date {
    /// `2026-03-09`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// `2026-03-09T08:30:00.000Z` (RFC 3339), for the years 0 to 9999. Digit by digit: every card has a
/// date, and `format!` would cost a guest more than the rest of it.
#[must_use]
pub fn rfc3339(at: Timestamp) -> String {
    let Date { year, month, day } = Date::of(at);
    let (hour, minute, second) = clock_of(at);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let fields = [
        (0..4, u64::from(year.unsigned_abs())),
        (5..7, u64::from(month)),
        (8..10, u64::from(day)),
        (11..13, hour),
        (14..16, minute),
        (17..19, second),
        (20..23, at % 1_000),
    ];
    for (places, mut number) in fields {
        for place in text[places].iter_mut().rev() {
            *place = b'0' + (number % 10) as u8;
            number /= 10;
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// `Mon, 9 Mar 2026 08:30:00 +0000` (RFC 5322 §3.3)
#[must_use]
pub fn rfc5322(at: Timestamp) -> String {
    let date = Date::of(at);
    let (hour, minute, second) = clock_of(at);
    format!(
        "{}, {} {} {:04} {hour:02}:{minute:02}:{second:02} +0000",
        WEEKDAYS[date.weekday() as usize],
        date.day,
        MONTHS[date.month as usize - 1],
        date.year,
    )
}

fn clock_of(at: Timestamp) -> (u64, u64, u64) {
    let seconds = at / 1_000 % 86_400;
    (seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_a_timestamp() {
        assert_eq!(rfc3339(1_773_045_000_123), "2026-03-09T08:30:00.123Z");
        assert_eq!(rfc5322(1_773_045_000_123), "Mon, 9 Mar 2026 08:30:00 +0000");
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn every_day_of_four_centuries_comes_back() {
        for days in -719_468..=146_097 {
            assert_eq!(Date::from_days(days).days(), days);
        }
        assert_eq!(Date::new(2026, 2, 29), None);
        assert_eq!(Date::new(2028, 2, 29).map(Date::weekday), Some(1));
    }
}
