//! The `date` filter. Dates are never guessed: what isn't surely a date is written as it is.

use jiff::{
    Timestamp, Zoned,
    civil::{Date, DateTime},
    fmt::{
        rfc2822,
        strtime::{BrokenDownTime, Config},
    },
};

use crate::{
    Value,
    render::budget::{Outcome, Trouble},
};

use super::Call;

/// Ways to write a date, with and without a time. Day and month in figures (03/04/2026) are not
/// among them: which is which can't be known.
const DATES: &[&str] = &[
    "%B %d, %Y",
    "%B %d %Y",
    "%d %B %Y",
    "%d. %B %Y",
    "%Y/%m/%d",
    "%Y%m%d",
    "%A, %B %d, %Y",
];
const TIMES: &[&str] = &["%H:%M:%S", "%H:%M", "%I:%M %p"];

/// The longest format.
const FORMAT: usize = 256;

pub(super) fn apply<'a>(
    call: &mut Call<'_>,
    input: Value<'a>,
    format: &Value<'a>,
) -> Outcome<Value<'a>> {
    let format = format.to_text();
    if format.is_empty() || matches!(input, Value::Nil) {
        return Ok(input);
    }
    if format.len() > FORMAT {
        return Err(Trouble::failed("the format of a date is too long"));
    }
    let Some(moment) = moment(&input, call.now) else {
        return Ok(input);
    };
    call.budget.bytes(4 * format.len())?;
    let mut text = String::new();
    let shown = BrokenDownTime::from(&moment).format_with_config(
        &Config::new().lenient(true),
        &*format,
        &mut text,
    );
    match shown {
        Ok(()) => {
            call.budget.bytes(text.len())?;
            Ok(text.into())
        }
        Err(e) => Err(Trouble::failed(format!(
            "`{format}` is no format of a date: {e}"
        ))),
    }
}

/// The moment that a value names, in the zone of `now`.
fn moment(value: &Value<'_>, now: &Zoned) -> Option<Zoned> {
    let seconds = |n: i64| {
        Some(
            Timestamp::from_second(n)
                .ok()?
                .to_zoned(now.time_zone().clone()),
        )
    };
    let text = match value {
        Value::Int(n) => return seconds(*n),
        value => value.as_text()?.trim(),
    };
    if matches!(text, "now" | "today") {
        return Some(now.clone());
    }
    // A year alone, or an epoch's seconds: both are only figures, so only long ones are seconds.
    if text.len() > 8 && text.bytes().all(|b| b.is_ascii_digit()) {
        return seconds(text.parse().ok()?);
    }
    let zone = now.time_zone();
    if let Ok(zoned) = text.parse::<Zoned>() {
        return Some(zoned);
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at.to_zoned(zone.clone()));
    }
    if let Ok(at) = rfc2822::parse(text) {
        return Some(at);
    }
    let civil = |at: DateTime| at.to_zoned(zone.clone()).ok();
    if let Ok(at) = text.parse::<DateTime>() {
        return civil(at);
    }
    for date in DATES {
        if let Ok(day) = Date::strptime(date, text) {
            return civil(day.into());
        }
        for time in TIMES {
            if let Ok(at) = DateTime::strptime(format!("{date} {time}"), text) {
                return civil(at);
            }
        }
    }
    None
}
