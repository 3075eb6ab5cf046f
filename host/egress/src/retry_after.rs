//! `Retry-After` (RFC 9110 §10.2.3).

use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, header::RETRY_AFTER};
use overture_domain::Timestamp;

/// How long the server asks to wait, counted from `now`: given as seconds, or as a date in any of
/// the three forms of RFC 9110 §5.6.7. Zero for a date that is past. `None` without the header, or
/// when it can't be read. The caller sets the bounds (API-8).
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // What is too large for the number is "for ever" all the same.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    let seconds = date.duration_since(UNIX_EPOCH).ok()?.as_secs();
    Some(Timestamp::from_secs(i64::try_from(seconds).ok()?).since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, wait: Option<u64>) {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, value.parse().unwrap());
        let now = "1994-11-06T08:49:00Z".parse().unwrap();
        assert_eq!(
            retry_after(&headers, now),
            wait.map(Duration::from_secs),
            "{value}"
        );
    }

    // API-8
    #[test]
    fn seconds() {
        check("120", Some(120));
        check(" 0 ", Some(0));
        check("99999999999999999999999", Some(u64::MAX));
    }

    // API-8
    #[test]
    fn dates_in_all_three_forms() {
        check("Sun, 06 Nov 1994 08:49:37 GMT", Some(37));
        check("Sunday, 06-Nov-94 08:49:37 GMT", Some(37));
        check("Sun Nov  6 08:49:37 1994", Some(37));
        check("Sun, 06 Nov 1994 08:48:00 GMT", Some(0));
    }

    #[test]
    fn nonsense_is_nothing() {
        for value in ["", "-5", "1.5", "soon", "tomorrow GMT"] {
            check(value, None);
        }
        assert_eq!(
            retry_after(&HeaderMap::new(), Timestamp::from_secs(0)),
            None
        );
    }
}
