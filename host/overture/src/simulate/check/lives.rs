//! What became of people, campaigns and mailboxes: their ends, their audit, what was told of them.

use std::{collections::HashMap, time::Duration};

use jiff::civil::date;
use overture_domain::{
    CampaignId, Timestamp, enrollments::EnrollmentState, events::EventKind, people::Audit,
};

use super::{Checked, DAY, written, zone};
use crate::simulate::{deeds, outside::Submitted};

/// Within which time of a process's life counters are counted anew; simulations do that every four
/// hours.
const COUNTED_WITHIN: Duration = Duration::from_secs(6 * 3_600);

impl Checked<'_, '_> {
    /// SEQ-3, SUP-1: nothing after a reply, a hard bounce or an unsubscribe was known.
    pub(super) fn nothing_after_the_end(&mut self) {
        let kinds = [
            EventKind::ReplyReceived,
            EventKind::EmailBounced,
            EventKind::EmailUnsubscribed,
            EventKind::EmailComplained,
        ];
        let mut broken = Vec::new();
        for mail in &self.mails {
            let stopped = mail.enrollment.state == EnrollmentState::Stopped;
            let stopped = mail.enrollment.finished_at.filter(|_| stopped);
            let ends = [self.known(&kinds, mail.enrollment.id), stopped];
            let ends = ends.into_iter().flatten().min();
            if let Some(end) = ends.filter(|end| self.before(*end, mail.taken.at)) {
                broken.push(format!(
                    "{} was written to at {} after {end}",
                    mail.taken.to, mail.taken.at
                ));
            }
        }
        for what in broken {
            self.found.add("SEQ-3", what);
        }
    }

    /// SUP-1: nothing to whom the workspace suppresses, in any campaign, whether it knew them or not;
    /// among them is whoever unsubscribes or complains.
    pub(super) fn nothing_to_the_suppressed(&mut self) {
        let mut suppressed = HashMap::new();
        for event in &self.of.events {
            if event.kind == EventKind::ProspectSuppressed
                && let (Some(email), Some(at)) = (event.data["email"].as_str(), written(event))
            {
                suppressed.entry(email).or_insert(at);
            }
        }
        let mut broken = Vec::new();
        let asked = [EventKind::EmailUnsubscribed, EventKind::EmailComplained];
        for event in self
            .of
            .events
            .iter()
            .filter(|one| asked.contains(&one.kind))
        {
            let mut of = self.of.enrollments.iter();
            let of = of.find(|(enrollment, _)| Some(enrollment.id) == event.enrollment_id);
            let email = of.map_or("", |(_, email)| email);
            let at = written(event).unwrap_or(event.occurred_at);
            if (suppressed.get(email)).is_none_or(|since| self.before(at, *since)) {
                broken.push(format!(
                    "{} of {email} at {at} suppresses nobody",
                    event.kind
                ));
            }
        }
        for what in broken {
            self.found.add("SUP-1", what);
        }
        for mail in &self.mails {
            let since = suppressed.get(mail.taken.to.as_str());
            if let Some(since) = since.filter(|since| self.before(**since, mail.taken.at)) {
                let what = format!(
                    "{} is suppressed since {since} and was written to at {}",
                    mail.taken.to, mail.taken.at
                );
                self.found.add("SUP-1", what);
            }
        }
    }

    /// SAFE-4: the statuses of each campaign and mailbox are a chain of audit rows that ends where
    /// it stands.
    pub(super) fn audited(&mut self) {
        let campaigns = self
            .of
            .campaigns
            .iter()
            .map(|(c, ..)| (c.id.to_string(), c.status.name()));
        let mailboxes = self
            .of
            .mailboxes
            .iter()
            .map(|m| (m.id.to_string(), m.status.name()));
        let mut broken = Vec::new();
        for (subject, status) in campaigns.chain(mailboxes) {
            let mut now: Option<&str> = None;
            let mut rows: Vec<_> = (self.of.audit.iter())
                .filter(|row| row.subject_id == subject)
                .collect();
            while !rows.is_empty() {
                let mut chain = self.chain(&rows, now);
                if chain.is_empty() {
                    broken.push(format!(
                        "{subject}: from {:?} to {}, but it was {now:?}",
                        rows[0].from_status, rows[0].to_status
                    ));
                    chain.push(rows[0]);
                }
                rows.retain(|row| chain.iter().all(|link| !std::ptr::eq(*link, *row)));
                now = chain.last().map(|row| row.to_status.as_str());
                for row in chain {
                    if row.reason.is_empty() || row.actor.is_empty() {
                        broken.push(format!(
                            "{subject} became {} by `{}`, for `{}`",
                            row.to_status, row.actor, row.reason
                        ));
                    }
                }
            }
            if now != Some(status) {
                broken.push(format!("{subject} is {status}; its audit ends at {now:?}"));
            }
        }
        for what in broken {
            self.found.add("SAFE-4", what);
        }
    }

    /// The longest chain of audit rows that begins at a status. Several changes may stand at one
    /// moment of the clock, or in a span that it has shown twice: each of them may be the next.
    fn chain<'r>(&self, rows: &[&'r Audit], now: Option<&str>) -> Vec<&'r Audit> {
        let mut longest = Vec::new();
        let same = rows
            .iter()
            .take_while(|row| row.at == rows[0].at || self.at_once(rows[0].at, row.at))
            .count();
        for next in (0..same).filter(|n| rows[*n].from_status.as_deref() == now) {
            let mut rest = rows.to_vec();
            let mut chain = vec![rest.remove(next)];
            chain.extend(self.chain(&rest, Some(&rows[next].to_status)));
            if chain.len() > longest.len() {
                longest = chain;
            }
            if longest.len() == rows.len() {
                break;
            }
        }
        longest
    }

    /// SAFE-5: what was taken outside was told, once a time; nothing else was.
    pub(super) fn counted(&mut self) {
        let mut broken = Vec::new();
        for (enrollment, email) in &self.of.enrollments {
            let told = self.told(&[EventKind::EmailSent], enrollment.id).len();
            let taken = self
                .mails
                .iter()
                .filter(|mail| mail.enrollment.id == enrollment.id);
            let taken = taken.count();
            // What nobody knows may have been taken, and isn't told: a person is asked (SAFE-3).
            let unclear = self.of.unclear.iter().filter(|id| **id == enrollment.id);
            let unclear = unclear.count();
            if told > taken || taken > told + unclear {
                let state = enrollment.state;
                broken.push(format!(
                    "{email} got {taken} mails and {told} were told; it is {state}"
                ));
            }
        }
        for what in broken {
            self.found.add("SAFE-5", what);
        }
    }

    /// SAFE-5: no counter says more than was tried that day, or is to be tried, for longer than it
    /// takes until it is counted anew. One that was falsified is left out.
    pub(super) fn counters_believable(&mut self) {
        let mut broken = Vec::new();
        let mut too_much_since = HashMap::new();
        for counter in &self.evidence.counters {
            if counter.used >= deeds::FAR_TOO_MUCH / 2 {
                continue;
            }
            let subject = &counter.subject;
            let mut mailboxes = self.of.mailboxes.iter();
            let mut campaigns = self.of.campaigns.iter();
            let mailbox = mailboxes.find(|one| one.id.to_string() == *subject);
            let campaign = campaigns.find(|(one, ..)| one.id.to_string() == *subject);
            let name = match (mailbox, campaign) {
                (Some(mailbox), _) => &mailbox.time_zone,
                (_, Some((campaign, ..))) => &campaign.time_zone,
                _ => continue,
            };
            let zone = zone(name);
            let day = |at: Timestamp| zone.to_datetime(at.to_jiff()).date();
            let today = day(counter.at);
            let since = today.since(date(1970, 1, 1)).map(|span| span.get_days());
            if since.is_ok_and(|days| i64::from(days) != counter.day) {
                continue;
            }
            let of = |mail: &Submitted, id: CampaignId| match mailbox {
                Some(mailbox) => mail.from == mailbox.address,
                None => campaign.is_some_and(|(one, ..)| one.id == id),
            };
            let tried = (self.tried.iter())
                .take_while(|(place, ..)| *place < counter.tried)
                .filter(|(_, mail, id)| of(mail, *id) && day(mail.at) == today);
            let most = tried.count() + counter.untried;
            let key = (counter.cap, subject, counter.day);
            if counter.used <= most as i64 {
                too_much_since.remove(&key);
                continue;
            }
            let since = *too_much_since.entry(key).or_insert(counter.at);
            if self.lived_since(since) >= self.lived_since(counter.at) + COUNTED_WITHIN {
                broken.push(format!(
                    "{} of {subject} is {} at {}, and {most} mails were tried that day",
                    counter.cap, counter.used, counter.at
                ));
            }
        }
        for what in broken {
            self.found.add("SAFE-5", what);
        }
    }

    /// SAFE-2, SCH-11: nobody stands still longer than for their reason, and whoever could be
    /// written to was.
    pub(super) fn alive(&mut self) {
        let mut broken = Vec::new();
        for (enrollment, email) in &self.of.enrollments {
            let Some((campaign, ..)) = self.campaign(enrollment.campaign_id) else {
                continue;
            };
            let state = enrollment.state;
            // SAF-4: a mail that came back is tried three times more.
            let given_up = self
                .told(&[EventKind::EmailSoftBounced], enrollment.id)
                .len()
                > 3;
            if state == EnrollmentState::Failed && !given_up {
                broken.push(("SAFE-2", format!("{email} failed: {}", enrollment.reason)));
            }
            let runs = campaign.status == overture_domain::campaigns::CampaignStatus::Running;
            let runs_since = self.running(campaign.id).last().map(|(from, _)| *from);
            let late = (enrollment.next_action_at).is_none_or(|at| {
                let since = runs_since.map_or(at, |from| at.max(from));
                self.lived_since(since) > DAY
            });
            if runs && state.is_open() && late {
                let next = enrollment.next_action_at;
                broken.push((
                    "SCH-11",
                    format!("{email} is {state}, next {next:?}: {}", enrollment.reason),
                ));
            }
            // TPL-4: whoever waited for a text goes on when it is mended.
            let mended = self.evidence.mended.iter();
            let mended = mended
                .filter(|(_, id)| *id == campaign.id)
                .map(|(at, _)| *at);
            if state == EnrollmentState::PendingTemplateFix
                && mended.max().is_some_and(|at| enrollment.updated_at < at)
            {
                broken.push((
                    "SAFE-2",
                    format!("{email} still waits for a text that was mended"),
                ));
            }
            if state == EnrollmentState::Completed {
                let steps = self.evidence.steps.get(&campaign.id).copied().unwrap_or(0);
                let taken = self
                    .mails
                    .iter()
                    .filter(|mail| mail.enrollment.id == enrollment.id);
                let taken: std::collections::BTreeSet<_> = taken.map(|mail| mail.step).collect();
                if taken.len() != steps as usize {
                    broken.push((
                        "SAFE-2",
                        format!("{email} is completed after {taken:?} of {steps} steps"),
                    ));
                }
            }
        }
        for (rule, what) in broken {
            self.found.add(rule, what);
        }
    }
}
