//! The checker: it knows the rules from the specification and sees only what the world outside
//! took, the events, the audit and where everybody ended. Nothing of the engine decides here.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Display,
    time::Duration,
};

use jiff::tz::TimeZone;
use overture_domain::{
    CampaignId, EnrollmentId, Timestamp,
    accounts::Account,
    campaigns::Campaign,
    enrollments::{Enrollment, EnrollmentState},
    events::{Event, EventKind},
    people::Audit,
};

use super::outside::Delivered;

const DAY: Duration = Duration::from_secs(86_400);

/// A workspace as it ended.
#[derive(Debug, Default)]
pub struct Ended {
    pub mailboxes: Vec<Account>,
    /// With the days between two steps, and the daily limit that it began with.
    pub campaigns: Vec<(Campaign, u32, i64)>,
    /// With the address of whom they write to.
    pub enrollments: Vec<(Enrollment, String)>,
    /// In their order.
    pub events: Vec<Event>,
    pub audit: Vec<Audit>,
}

/// Everything that the checker sees.
#[derive(Debug, Default)]
pub struct Evidence {
    pub workspaces: Vec<Ended>,
    pub delivered: Vec<Delivered>,
    /// Daily limits of campaigns that were moved.
    pub limits: Vec<(Timestamp, CampaignId, i64)>,
    /// How many steps each campaign has.
    pub steps: HashMap<CampaignId, u32>,
    pub end: Timestamp,
}

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Broken {
    pub rule: &'static str,
    pub what: String,
}

/// A mail that was taken, with whose and which it is.
struct Mail<'a> {
    taken: &'a Delivered,
    headers: HashMap<String, String>,
    enrollment: &'a Enrollment,
    /// By the mark in its text, from 0.
    step: u32,
}

/// Holds the evidence against the rules.
pub fn check(evidence: &Evidence) -> Vec<Broken> {
    let mut found = Found::default();
    for workspace in &evidence.workspaces {
        Checked::new(evidence, workspace, &mut found).all();
    }
    found.0.sort();
    found.0
}

#[derive(Default)]
struct Found(Vec<Broken>);

impl Found {
    fn add(&mut self, rule: &'static str, what: impl Display) {
        self.0.push(Broken {
            rule,
            what: what.to_string(),
        });
    }
}

struct Checked<'a, 'b> {
    evidence: &'a Evidence,
    of: &'a Ended,
    mails: Vec<Mail<'a>>,
    found: &'b mut Found,
}

impl<'a, 'b> Checked<'a, 'b> {
    fn new(evidence: &'a Evidence, of: &'a Ended, found: &'b mut Found) -> Self {
        let by_address: HashMap<&str, &Enrollment> = (of.enrollments.iter())
            .map(|(enrollment, email)| (email.as_str(), enrollment))
            .collect();
        let mut mails = Vec::new();
        for taken in &evidence.delivered {
            let Some(enrollment) = by_address.get(taken.to.as_str()) else {
                continue;
            };
            let text = String::from_utf8_lossy(&taken.bytes);
            let Some(step) = mark(&text) else {
                found.add("SAFE-3", format!("a mail to {} is of no step", taken.to));
                continue;
            };
            mails.push(Mail {
                taken,
                headers: headers(&text),
                enrollment,
                step,
            });
        }
        Self {
            evidence,
            of,
            mails,
            found,
        }
    }

    fn all(mut self) {
        self.once();
        self.in_windows();
        self.at_a_pace();
        self.under_caps();
        self.in_order();
        self.nothing_after_the_end();
        self.with_the_ways_out();
        self.audited();
        self.counted();
        self.alive();
    }

    fn campaign(&self, id: CampaignId) -> Option<&'a (Campaign, u32, i64)> {
        self.of
            .campaigns
            .iter()
            .find(|(campaign, ..)| campaign.id == id)
    }

    /// When events of a kind were told of an enrollment.
    fn told(&self, kinds: &[EventKind], of: EnrollmentId) -> Vec<Timestamp> {
        let events = self.of.events.iter();
        let of =
            events.filter(|event| event.enrollment_id == Some(of) && kinds.contains(&event.kind));
        of.map(|event| event.occurred_at).collect()
    }

    /// SAFE-3: one step reaches one person once; again only after it came back (SAF-4).
    fn once(&mut self) {
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
    fn in_windows(&mut self) {
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
    fn at_a_pace(&mut self) {
        let running: Vec<_> = (self.of.campaigns.iter())
            .map(|(campaign, ..)| (campaign.minutes_between_sends, self.running(campaign.id)))
            .collect();
        for mailbox in &self.of.mailboxes {
            let times: Vec<_> = self.times(|mail| mail.taken.from == mailbox.address);
            for pair in times.windows(2) {
                let run = |spans: &[(Timestamp, Timestamp)]| {
                    spans
                        .iter()
                        .any(|(from, to)| *from <= pair[0] && pair[1] <= *to)
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

    /// The spans over which a campaign ran, as its events tell.
    fn running(&self, id: CampaignId) -> Vec<(Timestamp, Timestamp)> {
        let mut spans = Vec::new();
        let mut since = None;
        for event in &self.of.events {
            if event.campaign_id != Some(id) || event.kind != EventKind::CampaignStatusChanged {
                continue;
            }
            match event.data["toStatus"].as_str() {
                Some("running") => since = Some(event.occurred_at),
                _ => spans.extend(since.take().map(|from| (from, event.occurred_at))),
            }
        }
        spans.extend(since.map(|from| (from, self.evidence.end)));
        spans
    }

    fn times(&self, of: impl Fn(&Mail<'_>) -> bool) -> Vec<Timestamp> {
        let mut times: Vec<_> = (self.mails.iter().filter(|mail| of(mail)))
            .map(|mail| mail.taken.at)
            .collect();
        times.sort();
        times
    }

    /// CAP-1, CAP-2.
    fn under_caps(&mut self) {
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

    /// SEQ-3, SEQ-4: steps in their order, after their delays, in one thread.
    fn in_order(&mut self) {
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

    /// SEQ-3, SUP-1: nothing after a reply, a hard bounce or an unsubscribe was known.
    fn nothing_after_the_end(&mut self) {
        let kinds = [
            EventKind::ReplyReceived,
            EventKind::EmailBounced,
            EventKind::EmailUnsubscribed,
            EventKind::EmailComplained,
        ];
        let mut broken = Vec::new();
        for mail in &self.mails {
            let ends = self.known(&kinds, mail.enrollment.id);
            if let Some(end) = ends.filter(|end| *end < mail.taken.at) {
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

    /// When the first of these was known: an event's id has the moment at which it was written.
    fn known(&self, kinds: &[EventKind], of: EnrollmentId) -> Option<Timestamp> {
        let events = self.of.events.iter();
        let of =
            events.filter(|event| event.enrollment_id == Some(of) && kinds.contains(&event.kind));
        // To the next millisecond, which is what an id knows.
        let made = |event: &Event| {
            let (secs, nanos) = event.id.uuid().get_timestamp()?.to_unix();
            let millis = secs * 1_000 + u64::from(nanos) / 1_000_000 + 1;
            Some(Timestamp::from_millis(i64::try_from(millis).ok()?))
        };
        of.filter_map(made).min()
    }

    /// TRK-4
    fn with_the_ways_out(&mut self) {
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

    /// SAFE-4: the statuses of each campaign and mailbox are a chain of audit rows that ends where
    /// it stands.
    fn audited(&mut self) {
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
                // Several changes may stand at one moment of the clock.
                let same = rows.iter().take_while(|row| row.at == rows[0].at);
                let next = same
                    .clone()
                    .position(|row| row.from_status.as_deref() == now);
                let row = rows.remove(next.unwrap_or(0));
                if next.is_none() {
                    broken.push(format!(
                        "{subject}: from {:?} to {}, but it was {now:?}",
                        row.from_status, row.to_status
                    ));
                }
                now = Some(&row.to_status);
            }
            if now != Some(status) {
                broken.push(format!("{subject} is {status}; its audit ends at {now:?}"));
            }
        }
        for what in broken {
            self.found.add("SAFE-4", what);
        }
    }

    /// SAFE-5: what was taken outside was told, once a time; nothing else was.
    fn counted(&mut self) {
        let mut broken = Vec::new();
        for (enrollment, email) in &self.of.enrollments {
            let told = self.told(&[EventKind::EmailSent], enrollment.id).len();
            let taken = self
                .mails
                .iter()
                .filter(|mail| mail.enrollment.id == enrollment.id);
            let taken = taken.count();
            // What nobody knows may have been taken, and isn't told.
            let unclear = usize::from(enrollment.state == EnrollmentState::AmbiguousSend);
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

    /// SAFE-2, SCH-11: nobody stands still longer than for their reason, and whoever could be
    /// written to was.
    fn alive(&mut self) {
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
            let late = (enrollment.next_action_at).is_none_or(|at| at + DAY < self.evidence.end);
            if runs && state.is_open() && late {
                let next = enrollment.next_action_at;
                broken.push((
                    "SCH-11",
                    format!("{email} is {state}, next {next:?}: {}", enrollment.reason),
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

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

/// The headers of a mail, by their lower-case names.
fn headers(text: &str) -> HashMap<String, String> {
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    (unfolded.lines())
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect()
}

/// The step that a mail's text is marked with.
fn mark(text: &str) -> Option<u32> {
    let at = text.find("mark-of-step-")? + "mark-of-step-".len();
    let digits: String = text[at..]
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().ok()
}
