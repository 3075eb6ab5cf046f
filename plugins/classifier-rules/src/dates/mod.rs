//! The first day back that an absence notice names, as far as it names one.
//!
//! "Back on the 9th" is the 9th. "Until the 9th" is the 9th too: people mean it both ways, and a
//! mail on the day itself is rarely too early. "Through the 9th", "bis einschließlich" and a range
//! name the last day away: the next working day follows.

mod cues;
mod find;

use overture_plugin::time::Date;

use self::{
    cues::{BACK, FROM, LAST, SINGLE_DAY, UNTIL},
    find::{Found, dates},
};
use crate::words::{Class, Words};

/// The first day back, for a notice received on `today`.
pub(crate) fn first_day_back(words: &Words<'_>, today: Date, language: &str) -> Option<Date> {
    let found = dates(words, today, language);
    let mut best: Option<(u8, Date)> = None;
    for (nth, date) in found.iter().enumerate() {
        let before = nth.checked_sub(1).map(|n| found[n]);
        let last = found
            .get(nth + 1)
            .is_none_or(|next| words.list[next.from].sentence != words.list[date.from].sentence);
        let (rank, day) = match role(words, date, before, last) {
            Role::Back => (4, date.day),
            Role::LastAway => (3, next_working_day(date.day)),
            Role::Until => (2, date.day),
            Role::Away => (1, next_working_day(date.day)),
            Role::From => continue,
        };
        // Of two with equal claim the later one: "until Friday, and again until Tuesday".
        if best.is_none_or(|(r, d)| rank > r || rank == r && day > d) {
            best = Some((rank, day));
        }
    }
    best.map(|(_, day)| day)
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Back,
    LastAway,
    Until,
    Away,
    From,
}

/// How far a cue may stand from its date.
const REACH: usize = 6;
/// What a date means beside the words around it; `last` when no other follows in its sentence.
fn role(words: &Words<'_>, date: &Found, before: Option<Found>, last: bool) -> Role {
    let sentence = words.list[date.from].sentence;
    let here = |index: &usize| {
        words
            .list
            .get(*index)
            .is_some_and(|w| w.sentence == sentence)
    };
    let floor = before.filter(|b| here(&b.from)).map_or(0, |b| b.to);
    let start = date.from.saturating_sub(REACH).max(floor);
    let is = |list: &[&str], index: usize| list.contains(&words.at(index));
    let anywhere = |list: &[&str]| {
        let first = (0..date.from)
            .rev()
            .take_while(here)
            .last()
            .unwrap_or(date.from);
        (first..words.list.len())
            .take_while(here)
            .any(|n| is(list, n))
    };
    let after = |list: &[&str]| {
        (date.to..words.list.len().min(date.to + REACH))
            .take_while(here)
            .take_while(|n| words.list[*n].class != Class::Number)
            .any(|n| is(list, n))
    };
    let cue = (start..date.from).rev().filter(here).find_map(|n| {
        if is(BACK, n) {
            Some(Role::Back)
        } else if is(LAST, n) {
            Some(Role::LastAway)
        } else if is(UNTIL, n) {
            Some(Role::Until)
        } else if is(FROM, n) {
            Some(Role::From)
        } else {
            None
        }
    });
    // "Until the 9th inclusive", in either order.
    let inclusive = after(LAST) || (start..date.from).filter(here).any(|n| is(LAST, n));
    let in_range = date.ends_range
        || before.is_some_and(|b| {
            here(&b.from) && date.from - b.to <= 4 && b.day < date.day && cue != Some(Role::Back)
        });
    match cue {
        Some(Role::Back) => Role::Back,
        _ if inclusive => Role::LastAway,
        // "bis 13.3. im Urlaub", "from the 2nd until the 9th".
        Some(Role::Until) | None if in_range => Role::LastAway,
        Some(Role::Until) => Role::Until,
        // "available again from the 9th", "ab dem 9.3. wieder".
        Some(Role::From) if !last => Role::From,
        Some(Role::From) if anywhere(&["again"]) => Role::Back,
        Some(Role::From) if after(BACK) || before.is_none() && anywhere(BACK) => Role::Back,
        Some(Role::From) => Role::From,
        _ if after(BACK) => Role::Back,
        _ if is_single(words, date) => Role::Away,
        _ => Role::From,
    }
}

/// "I am away on the 9th."
fn is_single(words: &Words<'_>, date: &Found) -> bool {
    let lead = date.from.checked_sub(1).map_or("", |n| words.at(n));
    SINGLE_DAY.contains(&lead) || SINGLE_DAY.contains(&words.at(date.from))
}

fn next_working_day(day: Date) -> Date {
    let next = day.plus_days(1);
    match next.weekday() {
        5 => next.plus_days(2),
        6 => next.plus_days(1),
        _ => next,
    }
}

#[cfg(test)]
mod tests;
