//! What the demo prints: who is written to, what happened by day, and the closing table.

use std::collections::BTreeMap;

use overture_domain::events::Event;

use super::people::{Counts, Person};
use crate::commands::say;

/// Who is in it.
pub fn begin(people: &[Person]) {
    say(format_args!(
        "A campaign to {} people who live in the sandbox: nothing leaves this machine.\n",
        people.len()
    ));
}

/// What happened on each day.
pub fn by_day(events: &[Event]) {
    let mut days: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for event in events {
        let zoned = event
            .occurred_at
            .to_jiff()
            .to_zoned(jiff::tz::TimeZone::UTC);
        let day = zoned.strftime("%Y-%m-%d %A").to_string();
        *days
            .entry(day)
            .or_default()
            .entry(event.kind.to_string())
            .or_default() += 1;
    }
    for (day, kinds) in days {
        say(&day);
        for (kind, many) in kinds {
            say(format_args!("  {many:>4}  {kind}"));
        }
    }
}

/// The closing table; true when both columns are equal.
pub fn table(expected: &Counts, found: &Counts) -> bool {
    say(format_args!(
        "\n{:<22} {:>9} {:>9}",
        "", "expected", "counted"
    ));
    let mut equal = expected.len() == found.len();
    for ((name, expected), (_, found)) in expected.iter().zip(found) {
        let same = expected == found;
        equal &= same;
        say(format_args!(
            "{name:<22} {expected:>9} {found:>9}{}",
            if same { "" } else { "   DIFFERENT" }
        ));
    }
    equal
}
