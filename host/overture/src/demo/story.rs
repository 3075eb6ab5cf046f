//! What the demo prints: who is written to, what happened by day, and the closing table.

use std::collections::{BTreeMap, BTreeSet};

use overture_domain::events::{Event, EventKind};
use serde_json::Value;

use super::{
    expected::{Counts, Row},
    people::People,
};
use crate::commands::say;

/// What of a reply is shown.
const SHOWN: usize = 56;

/// Who is in it.
pub fn begin(people: &People) {
    say(format_args!(
        "A campaign of {} mails to {} people who live in the sandbox: nothing leaves this machine.",
        super::campaign::MAILS,
        people.list.len()
    ));
}

/// What happened on each day: how many mails, and what people said.
pub fn by_day(events: &[Event]) {
    let mut days: BTreeMap<jiff::civil::Date, Vec<&Event>> = BTreeMap::new();
    for event in events {
        days.entry(local(event).date()).or_default().push(event);
    }
    for (day, events) in days {
        let many = |kind| events.iter().filter(|event| event.kind == kind).count();
        let numbers = [
            (many(EventKind::EmailSent), "sent"),
            (many(EventKind::EmailOpened), "opened"),
            (many(EventKind::EmailClicked), "clicked"),
        ];
        let numbers: Vec<_> = numbers
            .iter()
            .filter(|(many, _)| *many > 0)
            .map(|(many, what)| format!("{many} {what}"))
            .collect();
        let told: Vec<String> = events.iter().filter_map(|event| told(event)).collect();
        if numbers.is_empty() && told.is_empty() {
            continue;
        }
        say(format_args!("\n{}", day.strftime("%A, %-d %B")));
        if !numbers.is_empty() {
            say(format_args!("  {}", numbers.join(", ")));
        }
        for line in told {
            say(line);
        }
    }
}

fn local(event: &Event) -> jiff::civil::DateTime {
    let at = event.occurred_at.to_jiff();
    at.to_zoned(jiff::tz::TimeZone::UTC).datetime()
}

/// What somebody did who didn't only open a mail.
fn told(event: &Event) -> Option<String> {
    let text = |name: &str| event.data.get(name).and_then(Value::as_str);
    let said = match event.kind {
        EventKind::ReplyReceived => {
            let what = match text("label").unwrap_or_default() {
                "interested" => "is interested",
                "meeting_request" => "wants to meet",
                "question" => "has a question",
                "neutral" => "leaves it open",
                "not_interested" => "is not interested",
                "wrong_person" => "is the wrong person",
                "referral" => "names the right person",
                _ => "replied",
            };
            let words = text("messageText").unwrap_or_default();
            format!("{what}: {}", shortened(words))
        }
        EventKind::OutOfOfficeReceived => {
            format!(
                "is out of office, back on {}",
                text("until").unwrap_or("some day")
            )
        }
        EventKind::AutoReplyReceived => "answered by machine".to_owned(),
        EventKind::EmailBounced => format!("bounced: {}", text("bounceReason").unwrap_or_default()),
        EventKind::EmailSoftBounced => {
            format!("came back: {}", text("bounceReason").unwrap_or_default())
        }
        EventKind::EmailDeferred => "waits: the mailbox's quota is used up".to_owned(),
        EventKind::EmailUnsubscribed => "unsubscribed".to_owned(),
        EventKind::EmailComplained => "marked the mail as spam".to_owned(),
        _ => return None,
    };
    let who = text("prospectEmail").unwrap_or("somebody");
    Some(format!(
        "  {}  {who} {said}",
        local(event).strftime("%H:%M")
    ))
}

fn shortened(words: &str) -> String {
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// The closing table; true when both columns are equal.
pub fn table(expected: &Counts, found: &Counts) -> bool {
    say(format_args!(
        "\n{:<26} {:>9} {:>9}",
        "", "expected", "counted"
    ));
    let rows: BTreeSet<Row> = expected.keys().chain(found.keys()).copied().collect();
    for row in rows {
        let of = |counts: &Counts| counts.get(&row).copied().unwrap_or_default();
        let (expected, found) = (of(expected), of(found));
        let mark = if expected == found {
            ""
        } else {
            "   DIFFERENT"
        };
        say(format_args!(
            "{:<26} {expected:>9} {found:>9}{mark}",
            row.to_string()
        ));
    }
    expected == found
}
