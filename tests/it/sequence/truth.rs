//! What the mailboxes say: every mail in its window and under every cap, threads intact, nothing
//! after an end, everybody else written to in full.

use std::collections::{BTreeMap, HashMap};

use jiff::civil::{Date, DateTime};
use mail_parser::MessageParser;
use overture_domain::Timestamp;

use super::{
    ZONES_OF_SENDERS,
    campaigns::{DELAYS, Kind},
    outside::check_tracking,
    people::{Person, Role},
    run::{Run, Sent},
};
use crate::story::mails::{header, headers};

/// Of one mailbox: its own limit, and what CAP-1 sets by default.
const MAILBOX_A_DAY: usize = 30;
const CAMPAIGN_MAILBOX_A_DAY: usize = 50;
const CAMPAIGN_A_DAY: usize = 100;
const PROSPECT_A_DAY: usize = 3;
const DOMAIN_A_DAY: usize = 50;
const MAILBOX_A_MINUTE: usize = 2;
const MAILBOX_AN_HOUR: usize = 40;
const PROVIDER_A_MINUTE: usize = 30;
const PROVIDER_AN_HOUR: usize = 600;

/// SCH-4
const PACE: i64 = 5 * 60;

fn civil(at: Timestamp, zone: &str) -> DateTime {
    at.to_jiff().in_tz(zone).expect("a zone").datetime()
}

impl Run<'_> {
    fn person(&self, sent: &Sent) -> &Person {
        &self.people.all()[sent.person]
    }

    pub(super) fn check_mailboxes(&self) {
        self.check_windows();
        self.check_caps();
        self.check_pace();
        self.check_everybody();
    }

    // SCH-1
    fn check_windows(&self) {
        for sent in &self.sent {
            let person = self.person(sent);
            let wall = civil(sent.at, person.zone);
            assert!(
                person.campaign.may_send_at(wall.weekday(), wall.time()),
                "{person:?} got a mail at {wall}"
            );
            let date = MessageParser::default()
                .parse(&sent.bytes)
                .and_then(|mail| Some(mail.date()?.to_timestamp()));
            let date = date.expect("a date");
            assert!(
                (date - sent.at.as_secs()).abs() <= 1,
                "{date} is not {}",
                sent.at
            );
        }
    }

    // CAP-1, CAP-2
    fn check_caps(&self) {
        let zone_of = |sender: &str| {
            let place = self.senders.iter().position(|one| one == sender);
            ZONES_OF_SENDERS[place.expect("a sender of ours")]
        };
        let day = |sent: &Sent, zone| civil(sent.at, zone).date();
        self.check_days("mailbox", MAILBOX_A_DAY, |sent| {
            (sent.sender.clone(), day(sent, zone_of(&sent.sender)))
        });
        self.check_days("campaign and mailbox", CAMPAIGN_MAILBOX_A_DAY, |sent| {
            (
                format!("{:?} {}", self.person(sent).campaign, sent.sender),
                day(sent, "UTC"),
            )
        });
        self.check_days("campaign", CAMPAIGN_A_DAY, |sent| {
            (
                format!("{:?}", self.person(sent).campaign),
                day(sent, "UTC"),
            )
        });
        self.check_days("prospect", PROSPECT_A_DAY, |sent| {
            (self.person(sent).email.clone(), day(sent, "UTC"))
        });
        self.check_days("recipient's domain", DOMAIN_A_DAY, |sent| {
            let (_, domain) = self.person(sent).email.split_once('@').expect("an address");
            (domain.to_owned(), day(sent, "UTC"))
        });
        for sender in &self.senders {
            let of = self.moments(|sent| sent.sender == *sender);
            check_sliding("mailbox", &of, 60, MAILBOX_A_MINUTE);
            check_sliding("mailbox", &of, 3_600, MAILBOX_AN_HOUR);
        }
        let all = self.moments(|_| true);
        check_sliding("provider", &all, 60, PROVIDER_A_MINUTE);
        check_sliding("provider", &all, 3_600, PROVIDER_AN_HOUR);
    }

    fn check_days(&self, what: &str, limit: usize, bucket: impl Fn(&Sent) -> (String, Date)) {
        let mut counts: BTreeMap<(String, Date), usize> = BTreeMap::new();
        for sent in &self.sent {
            *counts.entry(bucket(sent)).or_default() += 1;
        }
        let over: Vec<_> = counts.iter().filter(|(_, n)| **n > limit).collect();
        assert!(
            over.is_empty(),
            "over the daily cap of a {what}, {limit}: {over:?}"
        );
        // The caps that bind were reached: otherwise this says nothing.
        if limit == MAILBOX_A_DAY {
            assert!(counts.values().any(|n| *n == limit), "{counts:?}");
        }
    }

    fn moments(&self, of: impl Fn(&Sent) -> bool) -> Vec<i64> {
        let mut moments: Vec<_> = self
            .sent
            .iter()
            .filter(|sent| of(sent))
            .map(|sent| sent.at.as_secs())
            .collect();
        moments.sort_unstable();
        moments
    }

    // SCH-4: over both campaigns.
    fn check_pace(&self) {
        for sender in &self.senders {
            let moments = self.moments(|sent| sent.sender == *sender);
            let closest = moments.windows(2).map(|pair| pair[1] - pair[0]).min();
            assert!(
                closest >= Some(PACE),
                "{sender} sent {closest:?} seconds after a mail"
            );
        }
    }

    fn check_everybody(&self) {
        let mut sent: HashMap<usize, Vec<&Sent>> = HashMap::new();
        for one in &self.sent {
            sent.entry(one.person).or_default().push(one);
        }
        for person in self.people.all() {
            let sent = sent.remove(&person.number).unwrap_or_default();
            assert_eq!(
                sent.len(),
                person.role.taken(),
                "{person:?}: {:?}",
                steps(&sent)
            );
            self.check_end(person, &sent);
            check_steps(person, &sent);
            let arrived = self
                .servers
                .mails(&person.email, "INBOX")
                .expect("readable");
            assert_eq!(
                arrived.len(),
                person.role.steps(),
                "{person:?} got each step once"
            ); // SAFE-3
            for (step, mail) in arrived.iter().enumerate() {
                let last = sent
                    .iter()
                    .rfind(|one| one.step == step)
                    .expect("it was sent");
                assert_eq!(
                    header(mail, "message-id"),
                    format!("<{}>", last.message_id),
                    "{person:?}"
                );
                check_thread(person, mail, &arrived[..step]);
                check_tracking(mail, person.campaign == Kind::Office);
            }
        }
    }

    /// SEQ-3, SAF-4, CLS-2, CLS-5, TRK-4
    fn check_end(&self, person: &Person, sent: &[&Sent]) {
        if let Some(ended) = self.deeds.ended.get(&person.number) {
            let late: Vec<_> = sent
                .iter()
                .filter(|one| one.at > *ended)
                .map(|one| one.at)
                .collect();
            assert!(
                late.is_empty(),
                "{person:?} ended it at {ended} and was written to at {late:?}"
            );
        }
        if let Some((said, back)) = self.deeds.away.get(&person.number) {
            let too_soon = sent.iter().find(|one| *said < one.at && one.at < *back);
            assert!(
                too_soon.is_none(),
                "{person:?} is back at {back} and was written to at {:?}",
                too_soon.map(|one| one.at)
            );
            assert!(
                sent.iter().any(|one| one.at >= *back),
                "{person:?} was written to again"
            );
        }
        let did_it = self.deeds.ended.contains_key(&person.number)
            || self.deeds.away.contains_key(&person.number);
        let must = person.role.taken() > 0 && person.role.ends_it()
            || matches!(person.role, Role::Away(..));
        assert_eq!(did_it, must, "{person:?}");
    }
}

fn steps(sent: &[&Sent]) -> Vec<(usize, Timestamp)> {
    sent.iter().map(|one| (one.step, one.at)).collect()
}

/// In order, none left out, from one mailbox, each after its delay (SCH-3, ROT-1).
fn check_steps(person: &Person, sent: &[&Sent]) {
    for (one, next) in sent.iter().zip(sent.iter().skip(1)) {
        assert_eq!(one.sender, next.sender, "{person:?} hears of one mailbox");
        if one.step == next.step {
            // SAF-4: what comes back is tried again four hours later at the soonest.
            assert_eq!(one.message_id, next.message_id, "{person:?}");
            assert!(next.at.since(one.at).as_secs() >= 4 * 3_600, "{person:?}");
        } else {
            assert_eq!(one.step + 1, next.step, "{person:?}: {:?}", steps(sent));
            let delay = DELAYS[next.step] * 24 * 3_600 + 60;
            let passed = next.at.as_secs() - one.at.as_secs();
            assert!(
                passed >= delay,
                "{person:?} got step {} after {passed} s",
                next.step
            );
        }
    }
}

/// SEQ-4: `earlier` are the mails that came before.
fn check_thread(person: &Person, mail: &[u8], earlier: &[Vec<u8>]) {
    let subject = person.campaign.subject();
    let Some(last) = earlier.last() else {
        assert_eq!(header(mail, "subject"), subject);
        let named = headers(mail)
            .into_iter()
            .find(|(name, _)| ["in-reply-to", "references"].contains(&&**name));
        assert_eq!(named, None, "{person:?}");
        return;
    };
    assert_eq!(header(mail, "subject"), format!("Re: {subject}"));
    assert_eq!(header(mail, "in-reply-to"), header(last, "message-id"));
    let ids: Vec<String> = earlier
        .iter()
        .map(|mail| header(mail, "message-id"))
        .collect();
    let references = header(mail, "references");
    assert_eq!(
        references.split_whitespace().collect::<Vec<_>>(),
        ids,
        "{person:?}"
    );
    assert_eq!(header(mail, "from"), header(last, "from"), "{person:?}");
}

/// No stretch of `seconds` holds more than `limit`.
fn check_sliding(what: &str, moments: &[i64], seconds: i64, limit: usize) {
    for (place, first) in moments.iter().enumerate() {
        let within = moments[place..]
            .iter()
            .take_while(|at| **at - first < seconds)
            .count();
        assert!(
            within <= limit,
            "{within} mails of a {what} within {seconds} s from {first}"
        );
    }
}
