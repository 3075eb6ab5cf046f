//! What must come of a campaign, worked out from what its people do: without engine and store.

use std::collections::BTreeMap;

use overture_domain::messages::Label;
use sandbox_personas::Persona;

use super::people::Person;

/// What the demo counts: a name and how often, in the order of the table.
pub type Counts = BTreeMap<Row, i64>;

/// A row of the closing table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Row {
    /// Mails that went out; one that comes back and is tried again is the same.
    Sent,
    Opened,
    Clicked,
    Replied(Label),
    OutOfOffice,
    /// Those of them whose sequence went on, on the day that they were back or later.
    Resumed,
    AutoReplied,
    BouncedHard,
    /// People, however often their mail came back.
    BouncedSoft,
    Blocked,
    /// People whose mail waited for a quota of the sender's.
    Deferred,
    Unsubscribed,
    Complained,
    /// People who got every mail and never said a word.
    Completed,
    WebhooksDelivered,
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Row::Sent => "sent",
            Row::Opened => "opened",
            Row::Clicked => "clicked",
            Row::Replied(label) => {
                return write!(f, "replied: {}", label.to_string().replace('_', " "));
            }
            Row::OutOfOffice => "out of office",
            Row::Resumed => "out of office, resumed",
            Row::AutoReplied => "answered by machine",
            Row::BouncedHard => "bounced, hard",
            Row::BouncedSoft => "bounced, soft",
            Row::Blocked => "bounced, blocked",
            Row::Deferred => "waited for a quota",
            Row::Unsubscribed => "unsubscribed",
            Row::Complained => "complained",
            Row::Completed => "went through all steps",
            Row::WebhooksDelivered => "webhooks delivered",
        })
    }
}

/// What must come of a campaign of so many mails, which ends for whoever replies, wants no more or
/// can't be reached.
pub fn of(people: &[Person], mails: usize) -> Counts {
    let mut counts = Counts::new();
    for person in people {
        one(person, mails, &mut counts);
    }
    counts
}

fn one(person: &Person, mails: usize, counts: &mut Counts) {
    // A machine answers once, and a server that turns mails away for now does so once.
    let (mut machine_answered, mut turned_away) = (false, false);
    for nth in 0..mails {
        let persona = person.behaviour.with_mail(nth).persona;
        let outcome = persona.outcome();
        let mut count = |row, holds: bool| {
            if holds {
                *counts.entry(row).or_default() += 1;
            }
        };
        count(Row::BouncedHard, outcome.bounced_hard);
        if outcome.bounced_hard {
            count(Row::Sent, persona != Persona::Refused);
            count(Row::WebhooksDelivered, true);
            return;
        }
        count(Row::Sent, true);
        // A mailbox that is full stays full: after the last retry the mail is given up.
        let given_up = persona == Persona::SoftBounce;
        count(
            Row::BouncedSoft,
            outcome.bounced_soft && (given_up || !turned_away),
        );
        count(Row::Deferred, outcome.deferred && !turned_away);
        turned_away |= matches!(persona, Persona::Greylists | Persona::OverLimit);
        if given_up {
            return;
        }
        count(Row::Blocked, outcome.blocked);
        count(Row::Opened, outcome.opened);
        count(Row::Clicked, outcome.clicked);
        count(Row::OutOfOffice, outcome.out_of_office && !machine_answered);
        let mails_left = nth + 1 < mails;
        count(
            Row::Resumed,
            outcome.out_of_office && !machine_answered && mails_left,
        );
        count(Row::AutoReplied, outcome.auto_replied && !machine_answered);
        machine_answered |= outcome.out_of_office || outcome.auto_replied;

        let label = persona
            .label(person.language)
            .and_then(|label| label.parse().ok());
        // Who asks in words to be taken off the list counts there, not as a reply.
        let reply = label.filter(|label| *label != Label::UnsubscribeRequest);
        if let Some(label) = reply {
            count(Row::Replied(label), true);
        }
        count(Row::Unsubscribed, outcome.unsubscribed);
        count(Row::Complained, outcome.complained);
        let told = reply.is_some() || outcome.unsubscribed;
        count(Row::WebhooksDelivered, told);
        if told || outcome.complained {
            return;
        }
        count(Row::Completed, !mails_left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::people::People;

    /// Input: what somebody does; expectation: what three mails to them come to.
    #[track_caller]
    fn check(does: &str, language: &str, expected: &[(&str, i64)]) {
        let file = format!(
            "[[people]]\nemail = \"p@example.com\"\nlanguage = \"{language}\"\ndoes = \"{does}\"\n"
        );
        let counts = of(&People::read(&file).unwrap().list, 3);
        let found: Vec<_> = counts
            .iter()
            .map(|(row, n)| (row.to_string(), *n))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(row, n)| ((*row).to_owned(), *n))
            .collect();
        assert_eq!(found, expected, "{does}");
    }

    #[test]
    fn what_somebody_does_leads_to_counts() {
        check(
            "silent",
            "en",
            &[("sent", 3), ("went through all steps", 1)],
        );
        check("scan", "en", &[("sent", 3), ("went through all steps", 1)]);
        check(
            "open, click, stop",
            "en",
            &[
                ("sent", 3),
                ("opened", 3),
                ("clicked", 1),
                ("unsubscribed", 1),
                ("webhooks delivered", 1),
            ],
        );
        check(
            "meeting",
            "de",
            &[
                ("sent", 1),
                ("opened", 1),
                ("replied: meeting request", 1),
                ("webhooks delivered", 1),
            ],
        );
        check(
            "meeting",
            "fr",
            &[
                ("sent", 1),
                ("opened", 1),
                ("replied: other", 1),
                ("webhooks delivered", 1),
            ],
        );
        check(
            "ooo",
            "en",
            &[
                ("sent", 3),
                ("out of office", 1),
                ("out of office, resumed", 1),
                ("went through all steps", 1),
            ],
        );
        check(
            "silent, silent, ooo",
            "en",
            &[
                ("sent", 3),
                ("out of office", 1),
                ("went through all steps", 1),
            ],
        );
        check(
            "refuse",
            "en",
            &[("bounced, hard", 1), ("webhooks delivered", 1)],
        );
        check(
            "open, bounce",
            "en",
            &[
                ("sent", 2),
                ("opened", 1),
                ("bounced, hard", 1),
                ("webhooks delivered", 1),
            ],
        );
        check("soft", "en", &[("sent", 1), ("bounced, soft", 1)]);
        check(
            "greylist",
            "en",
            &[
                ("sent", 3),
                ("bounced, soft", 1),
                ("went through all steps", 1),
            ],
        );
        check(
            "block",
            "en",
            &[
                ("sent", 3),
                ("bounced, blocked", 3),
                ("went through all steps", 1),
            ],
        );
        check("complain", "en", &[("sent", 1), ("complained", 1)]);
    }
}
