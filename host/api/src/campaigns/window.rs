//! The sending window as the API writes it: one stretch for plain campaigns (`sendingWindowStart`,
//! `sendingWindowEnd`, `scheduleDays`), or several (`windows`).

use overture_domain::campaigns::Window;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Error;

/// A stretch of the week.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WindowOut {
    /// Days on which it begins, 0 = Sunday.
    #[schema(example = json!([1, 2, 3, 4, 5]))]
    days: Vec<u8>,
    #[schema(example = "09:00")]
    start: String,
    /// The same as `start`: all day. Before it: past midnight.
    #[schema(example = "17:00")]
    end: String,
}

impl From<Window> for WindowOut {
    fn from(window: Window) -> Self {
        let clock = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        Self {
            days: window.days,
            start: clock(window.start),
            end: clock(window.end),
        }
    }
}

/// The windows of a request; `None` when it says nothing about them.
pub(super) fn windows(
    several: Option<Vec<WindowOut>>,
    start: Option<&str>,
    end: Option<&str>,
    days: Option<Vec<u8>>,
) -> Result<Option<Vec<Window>>, Error> {
    if let Some(several) = several {
        if start.is_some() || end.is_some() || days.is_some() {
            let message = "give either `windows`, or `sendingWindowStart`, `sendingWindowEnd` and `scheduleDays`";
            return Err(Error::field("windows", "ambiguous", message));
        }
        let read = |(index, window): (usize, WindowOut)| {
            Ok(Window {
                days: window.days,
                start: minutes(&format!("windows[{index}].start"), &window.start)?,
                end: minutes(&format!("windows[{index}].end"), &window.end)?,
            })
        };
        return several
            .into_iter()
            .enumerate()
            .map(read)
            .collect::<Result<Vec<_>, Error>>()
            .map(Some);
    }
    if start.is_none() && end.is_none() && days.is_none() {
        return Ok(None);
    }
    let default = Window::working_hours();
    Ok(Some(vec![Window {
        days: days.unwrap_or(default.days),
        start: start.map_or(Ok(default.start), |text| {
            minutes("sendingWindowStart", text)
        })?,
        end: end.map_or(Ok(default.end), |text| minutes("sendingWindowEnd", text))?,
    }]))
}

/// `09:30` as minutes of the day.
fn minutes(field: &str, text: &str) -> Result<u16, Error> {
    let parse = || {
        let (hours, minutes) = text.split_once(':')?;
        // `parse` would also take a sign.
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let well_formed =
            hours.len() <= 2 && minutes.len() == 2 && digits(hours) && digits(minutes);
        let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
        (well_formed && hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
    };
    parse().ok_or_else(|| {
        Error::field(
            field,
            "invalid",
            format!("`{text}` is no time of day such as `09:30`"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // SCH-1
    #[test]
    fn a_time_of_day_is_read() {
        let check = |text: &str, expected: Option<u16>| {
            assert_eq!(minutes("start", text).ok(), expected, "{text:?}");
        };
        check("00:00", Some(0));
        check("09:30", Some(570));
        check("9:30", Some(570));
        check("23:59", Some(1_439));
        for wrong in [
            "", "9", "24:00", "09:60", "09:5", "9:5", "09:30:00", "-1:00", "+9:30", "09:+5",
            " 9:30", "09:30 ", "0x9:30", "nine",
        ] {
            check(wrong, None);
        }
    }

    fn shown(windows: Vec<Window>) -> Vec<(Vec<u8>, String, String)> {
        let out = windows.into_iter().map(WindowOut::from);
        out.map(|window| (window.days, window.start, window.end))
            .collect()
    }

    // SCH-1
    #[test]
    fn what_is_left_out_is_working_hours() {
        let check = |start, end, days: Option<&[u8]>, expected: (&[u8], &str, &str)| {
            let read = windows(None, start, end, days.map(<[u8]>::to_vec)).unwrap();
            let expected = (
                expected.0.to_vec(),
                expected.1.to_owned(),
                expected.2.to_owned(),
            );
            assert_eq!(shown(read.unwrap()), [expected]);
        };
        let week = &[1, 2, 3, 4, 5];
        check(Some("8:05"), None, None, (week, "08:05", "17:00"));
        check(None, Some("12:00"), None, (week, "09:00", "12:00"));
        check(None, None, Some(&[6, 0]), (&[6, 0], "09:00", "17:00"));
        assert_eq!(windows(None, None, None, None).unwrap(), None);
    }

    // API-2
    #[test]
    fn several_windows_stand_alone() {
        let window = |start: &str| WindowOut {
            days: vec![1],
            start: start.to_owned(),
            end: "12:00".to_owned(),
        };
        let several = Some(vec![window("09:00"), window("22:15")]);
        let read = windows(several.clone(), None, None, None).unwrap().unwrap();
        let starts: Vec<u16> = read.iter().map(|window| window.start).collect();
        assert_eq!(starts, [540, 1_335]);
        assert!(windows(several.clone(), Some("09:00"), None, None).is_err());
        assert!(windows(several, None, None, Some(vec![1])).is_err());
        assert_eq!(
            windows(Some(Vec::new()), None, None, None).unwrap(),
            Some(Vec::new())
        );
    }
}
