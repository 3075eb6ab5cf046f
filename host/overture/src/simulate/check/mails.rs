//! Each mail that went out: once, in its hours, at its pace, under its caps, in its thread.

use std::{collections::BTreeMap, time::Duration};

use jiff::tz::TimeZone;
use overture_domain::{EnrollmentId, Timestamp, accounts::Account, events::EventKind};

use super::{Checked, DAY, Mail, zone};

impl Checked<'_, '_> {
    /// SAFE-3: one step reaches one person once; again only after it came back (SAF-4).
    pub(super) fn once(&mut self) {
        let mut taken: BTreeMap<(EnrollmentId, u32), Vec<&Mail<'_>>> = BTreeMap::new();
        for mail in &self.mails {
            let key = (mail.enrollment.id, mail.step);
            taken.entry(key).or_default().push(mail);
        }
        let mut broken = Vec::new();
        for ((enrollment, step), mails) in &taken {
            let came_back = self.told(&[EventKind::EmailSoftBounced], *enrollment).len();
            if mails.len() > 1 + came_back {
                let to = &mails[0].taken.to;
                let times: Vec<_> = mails.iter().map(|m| m.taken.at.to_string()).collect();
                broken.push(format!(
                    "step {step} went to {to} {} times: {}",
                    mails.len(),
                    times.join(", ")
                ));
            }
        }
        for what in broken {
            self.found.add("SAFE-3", what);
        }
    }

    /// SCH-1, SCH-2: by the clock on the wall of the campaign's zone.
    pub(super) fn in_windows(&mut self) {
        for mail in &self.mails {
            let Some((campaign, ..)) = self.campaign(mail.enrollment.campaign_id) else {
                continue;
            };
            let at = zone(&campaign.time_zone).to_datetime(mail.taken.at.to_jiff());
            let minute = at.hour() as u16 * 60 + at.minute() as u16;
            let today = at.weekday().to_sunday_zero_offset() as u8;
            let yesterday = (today + 6) % 7;
            let open = campaign.windows.iter().any(|window| {
                let (start, end) = (window.start, window.end);
                let crosses = end < start;
                let all_day = start == end;
                let begun = window.days.contains(&today)
                    && (all_day || minute >= start && (crosses || minute < end));
                let goes_on = crosses && window.days.contains(&yesterday) && minute < end;
                begun || goes_on
            });
            if !open {
                let what = format!(
                    "a mail to {} at {at} in {}",
                    mail.taken.to, campaign.time_zone
                );
                self.found.add("SCH-2", what);
            }
        }
    }

    /// SCH-4: a mailbox keeps the longest minutes between sends of the campaigns that share it, as
    /// far as they run.
    pub(super) fn at_a_pace(&mut self) {
        let running: Vec<_> = (self.of.campaigns.iter())
            .map(|(campaign, ..)| (campaign.minutes_between_sends, self.running(campaign.id)))
            .collect();
        for mailbox in &self.of.mailboxes {
            let times: Vec<_> = self.times(|mail| mail.taken.from == mailbox.address);
            for pair in times.windows(2) {
                // What ran in a span that the clock has shown twice isn't known.
                if self.at_once(pair[0], pair[1]) {
                    continue;
                }
                // One that began at the moment of the first may not have shared it.
                let run = |spans: &[(Timestamp, Timestamp)]| {
                    spans
                        .iter()
                        .any(|(from, to)| *from < pair[0] && pair[1] <= *to)
                };
                let sharing = running.iter().filter(|(_, spans)| run(spans));
                let pace = sharing.map(|(minutes, _)| *minutes).max().unwrap_or(0);
                if pair[0] + Duration::from_secs(60 * pace.unsigned_abs()) > pair[1] {
                    let what = format!(
                        "{} sent at {} and at {}, {pace} minutes are due",
                        mailbox.address, pair[0], pair[1]
                    );
                    self.found.add("SCH-4", what);
                }
            }
        }
    }

    /// CAP-1, CAP-2.
    pub(super) fn under_caps(&mut self) {
        let mut broken = Vec::new();
        for mailbox in &self.of.mailboxes {
            let times = self.times(|mail| mail.taken.from == mailbox.address);
            let zone = zone(&mailbox.time_zone);
            broken.extend(
                days(&times, &zone, |_| mailbox.daily_limit)
                    .map(|day| format!("{}: {day}", mailbox.address)),
            );
            for (most, span) in [(2, 60), (40, 3_600)] {
                let span = Duration::from_secs(span);
                let full = times
                    .windows(most + 1)
                    .find(|all| all[0] + span > all[most]);
                if let Some(all) = full {
                    broken.push(format!(
                        "{}: {} mails within {span:?} at {}",
                        mailbox.address,
                        most + 1,
                        all[0]
                    ));
                }
            }
        }
        for (campaign, ..) in &self.of.campaigns {
            let times = self.times(|mail| mail.enrollment.campaign_id == campaign.id);
            let zone = zone(&campaign.time_zone);
            // A limit that was lowered in the course of a day binds from then on.
            let limit = |day: Timestamp| {
                let mut moved = self
                    .evidence
                    .limits
                    .iter()
                    .filter(|(_, id, _)| *id == campaign.id);
                let after: Vec<_> = moved
                    .clone()
                    .filter(|(at, ..)| *at >= day)
                    .map(|(.., n)| *n)
                    .collect();
                let before = moved.rfind(|(at, ..)| *at < day).map(|(.., n)| *n);
                let first = self.campaign(campaign.id).map_or(0, |(_, _, limit)| *limit);
                after
                    .into_iter()
                    .chain([before.unwrap_or(first)])
                    .max()
                    .unwrap_or(first)
            };
            broken
                .extend(days(&times, &zone, limit).map(|day| format!("{}: {day}", campaign.name)));
        }
        for what in broken {
            self.found.add("CAP-2", what);
        }
    }

    /// CAP-1: a day between mails of different campaigns that one person gets, and three of a day.
    pub(super) fn at_a_distance(&mut self) {
        let mut by_person: BTreeMap<&str, Vec<&Mail<'_>>> = BTreeMap::new();
        for mail in &self.mails {
            by_person.entry(&mail.taken.to).or_default().push(mail);
        }
        let mut broken = Vec::new();
        for (to, mut mails) in by_person {
            mails.sort_by_key(|mail| mail.taken.at);
            for (place, mail) in mails.iter().enumerate() {
                let at = mail.taken.at;
                let near = mails[..place].iter().find(|one| {
                    let came_back = self.told(&[EventKind::EmailSoftBounced], one.enrollment.id);
                    one.enrollment.campaign_id != mail.enrollment.campaign_id
                        && one.taken.at + DAY > at
                        && !self.at_once(one.taken.at, at)
                        && !came_back
                            .iter()
                            .any(|back| (one.taken.at..=at).contains(back))
                });
                if let Some(one) = near {
                    let first = one.taken.at;
                    broken.push(format!(
                        "{to} got mails of two campaigns at {first} and {at}"
                    ));
                }
            }
            let times: Vec<_> = mails.iter().map(|mail| mail.taken.at).collect();
            broken.extend(days(&times, &TimeZone::UTC, |_| 3).map(|day| format!("{to}: {day}")));
        }
        for what in broken {
            self.found.add("CAP-1", what);
        }
    }

    /// SEQ-3, SEQ-4: steps in their order, after their delays, in one thread.
    pub(super) fn in_order(&mut self) {
        let mut by_person: BTreeMap<EnrollmentId, Vec<&Mail<'_>>> = BTreeMap::new();
        for mail in &self.mails {
            by_person.entry(mail.enrollment.id).or_default().push(mail);
        }
        let mut broken = Vec::new();
        for mails in by_person.values() {
            let delay = self
                .campaign(mails[0].enrollment.campaign_id)
                .map_or(0, |(_, days, _)| *days);
            let mut seen: Vec<&Mail<'_>> = Vec::new();
            for mail in mails {
                let to = &mail.taken.to;
                if let Some(last) = seen.last() {
                    if mail.step < last.step || mail.step > last.step + 1 {
                        broken.push((
                            "SEQ-3",
                            format!("step {} came to {to} after step {}", mail.step, last.step),
                        ));
                    }
                    if mail.step > last.step && last.taken.at + DAY * delay > mail.taken.at {
                        broken.push((
                            "SCH-3",
                            format!(
                                "step {} came to {to} at {}, step {} at {}",
                                mail.step, mail.taken.at, last.step, last.taken.at
                            ),
                        ));
                    }
                    let mut there = self.of.mailboxes.iter();
                    let stays = |one: &Account| {
                        one.address == last.taken.from
                            && one.created_at < seen[0].taken.at
                            && !self.was_deleted(one, (last.taken.at, mail.taken.at))
                    };
                    if last.taken.from != mail.taken.from && there.any(stays) {
                        broken.push((
                            "SEQ-4",
                            format!(
                                "{to} was written to by {} and then by {}",
                                last.taken.from, mail.taken.from
                            ),
                        ));
                    }
                    let known: Vec<_> = seen
                        .iter()
                        .filter_map(|m| m.headers.get("message-id"))
                        .map(|id| id.trim())
                        .collect();
                    let answers = mail.headers.get("in-reply-to").map(|id| id.trim());
                    if mail.step > last.step && !answers.is_some_and(|id| known.contains(&id)) {
                        broken.push((
                            "SEQ-4",
                            format!(
                                "step {} to {to} answers {answers:?}, none of its thread",
                                mail.step
                            ),
                        ));
                    }
                    let header = |mail: &Mail<'_>, name| mail.headers.get(name).cloned();
                    let references = header(mail, "references").unwrap_or_default();
                    let referred: Vec<_> = references.split_whitespace().collect();
                    let named = |step: u32| {
                        let mut of = seen.iter().filter(|one| one.step == step);
                        of.any(|one| {
                            let id = one.headers.get("message-id");
                            id.is_some_and(|id| referred.contains(&id.trim()))
                        })
                    };
                    if mail.step > last.step && !(0..mail.step).all(named) {
                        broken.push((
                            "SEQ-4",
                            format!(
                                "step {} to {to} refers to `{references}`, not to all before it",
                                mail.step
                            ),
                        ));
                    }
                    let subject = header(mail, "subject").unwrap_or_default();
                    let first = header(seen[0], "subject").unwrap_or_default();
                    if mail.step > 0 && subject != format!("Re: {first}") {
                        broken.push((
                            "SEQ-4",
                            format!("step {} to {to} is called `{subject}`", mail.step),
                        ));
                    }
                } else if mail.step != 0 {
                    broken.push(("SEQ-3", format!("{to} got step {} first", mail.step)));
                }
                seen.push(mail);
            }
        }
        for (rule, what) in broken {
            self.found.add(rule, what);
        }
    }

    /// Whether a mailbox was deleted in this span, and came back since (MB-5).
    fn was_deleted(&self, mailbox: &Account, (from, to): (Timestamp, Timestamp)) -> bool {
        let id = mailbox.id.to_string();
        let mut rows = self.of.audit.iter().filter(|row| row.subject_id == id);
        rows.any(|row| row.reason == "deleted by hand" && from <= row.at && row.at <= to)
    }

    /// TRK-4
    pub(super) fn with_the_ways_out(&mut self) {
        let mut broken = Vec::new();
        for mail in &self.mails {
            if !mail.headers.contains_key("list-unsubscribe") {
                broken.push(format!(
                    "a mail to {} has no List-Unsubscribe",
                    mail.taken.to
                ));
            }
        }
        for what in broken {
            self.found.add("TRK-4", what);
        }
    }
}

/// Days on which more went than may.
fn days<'t>(
    times: &'t [Timestamp],
    zone: &'t TimeZone,
    limit: impl Fn(Timestamp) -> i64 + 't,
) -> impl Iterator<Item = String> + 't {
    let mut by_day: BTreeMap<jiff::civil::Date, i64> = BTreeMap::new();
    for at in times {
        *by_day
            .entry(zone.to_datetime(at.to_jiff()).date())
            .or_default() += 1;
    }
    by_day.into_iter().filter_map(move |(date, n)| {
        let start = date.to_zoned(zone.clone()).ok()?.timestamp().into();
        let limit = limit(start);
        (n > limit).then(|| format!("{n} mails on {date}, {limit} may go"))
    })
}
