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
        let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
        (text.len() <= 5 && hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
    };
    parse().ok_or_else(|| {
        Error::field(
            field,
            "invalid",
            format!("`{text}` is no time of day such as `09:30`"),
        )
    })
}
