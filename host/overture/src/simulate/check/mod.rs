//! The checker: it knows the rules from the specification and sees only what the world outside
//! took, the events, the audit and where everybody ended. Nothing of the engine decides here.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `mails` | each mail that went out: once, in its hours, at its pace, under its caps, in its thread |
//! | `lives` | what became of people, campaigns and mailboxes |
//! | `told` | what the endpoints of webhooks were told |
//! | `harm` | sending that stops because it does harm |

mod harm;
mod lives;
mod mails;
#[cfg(test)]
mod tests;
mod told;

use std::{
    collections::{HashMap, HashSet},
    fmt::Display,
    time::Duration,
};

use jiff::tz::TimeZone;
use overture_domain::{
    CampaignId, EnrollmentId, Timestamp,
    accounts::Account,
    campaigns::Campaign,
    enrollments::Enrollment,
    events::{Event, EventKind},
    people::Audit,
};

use super::{counters::Counter, outside::Submitted, sink::Request};

const DAY: Duration = Duration::from_secs(86_400);

/// A workspace as it ended.
#[derive(Debug, Default)]
pub struct Ended {
    pub mailboxes: Vec<Account>,
    /// With the days between two steps, and the daily limit that it began with.
    pub campaigns: Vec<(Campaign, u32, i64)>,
    /// With the address of whom they write to.
    pub enrollments: Vec<(Enrollment, String)>,
    /// Those of whose last mail nobody knows whether it went out, as a person is shown them.
    pub unclear: Vec<EnrollmentId>,
    /// In their order.
    pub events: Vec<Event>,
    pub audit: Vec<Audit>,
    /// What its webhook was told, in that order.
    pub requests: Vec<Request>,
    /// It was disabled.
    pub hook_disabled: bool,
}

/// Everything that the checker sees.
#[derive(Debug, Default)]
pub struct Evidence {
    pub workspaces: Vec<Ended>,
    /// Mails that were taken.
    pub delivered: Vec<Submitted>,
    /// Mails that were to be sent, in that order.
    pub tried: Vec<Submitted>,
    /// What counters of caps said meanwhile.
    pub counters: Vec<Counter>,
    /// Daily limits of campaigns that were moved.
    pub limits: Vec<(Timestamp, CampaignId, i64)>,
    /// When texts of campaigns were mended.
    pub mended: Vec<(Timestamp, CampaignId)>,
    /// Spans that the clock has shown twice.
    pub twice: Vec<(Timestamp, Timestamp)>,
    /// Spans in which no process lived, and those that the clock has left out.
    pub gone: Vec<(Timestamp, Timestamp)>,
    /// How often the process died.
    pub deaths: usize,
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
    taken: &'a Submitted,
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
    /// Those of its mails that were to be sent, by their places among all, with their campaigns.
    tried: Vec<(usize, &'a Submitted, CampaignId)>,
    found: &'b mut Found,
}

impl<'a, 'b> Checked<'a, 'b> {
    fn new(evidence: &'a Evidence, of: &'a Ended, found: &'b mut Found) -> Self {
        let campaigns: HashMap<&str, CampaignId> = (of.campaigns.iter())
            .map(|(campaign, ..)| (campaign.name.as_str(), campaign.id))
            .collect();
        let enrolled: HashMap<(CampaignId, &str), &Enrollment> = (of.enrollments.iter())
            .map(|(enrollment, email)| ((enrollment.campaign_id, email.as_str()), enrollment))
            .collect();
        let people: HashSet<&str> = enrolled.keys().map(|(_, email)| *email).collect();
        let mut mails = Vec::new();
        for taken in &evidence.delivered {
            let text = String::from_utf8_lossy(&taken.bytes);
            let Some((step, name)) = mark(&text) else {
                if people.contains(taken.to.as_str()) {
                    found.add("SAFE-3", format!("a mail to {} is of no step", taken.to));
                }
                continue;
            };
            let Some(campaign) = campaigns.get(name) else {
                continue;
            };
            let Some(enrollment) = enrolled.get(&(*campaign, taken.to.as_str())) else {
                let what = format!("{} is not in {name} and was written to", taken.to);
                found.add("SAFE-3", what);
                continue;
            };
            mails.push(Mail {
                taken,
                headers: headers(&text),
                enrollment,
                step,
            });
        }
        let tried = evidence.tried.iter().enumerate();
        let tried = tried.filter_map(|(place, mail)| {
            let text = String::from_utf8_lossy(&mail.bytes);
            let campaign = campaigns.get(mark(&text)?.1)?;
            Some((place, mail, *campaign))
        });
        Self {
            evidence,
            of,
            mails,
            tried: tried.collect(),
            found,
        }
    }

    fn all(mut self) {
        self.once();
        self.in_windows();
        self.at_a_pace();
        self.under_caps();
        self.at_a_distance();
        self.in_order();
        self.nothing_after_the_end();
        self.with_the_ways_out();
        self.nothing_to_the_suppressed();
        self.while_it_runs();
        self.after_too_much_came_back();
        self.under_the_shield();
        self.events_told();
        self.audited();
        self.counted();
        self.counters_believable();
        self.alive();
    }

    /// Whether one moment came before the other: nobody knows of two that the clock has shown while
    /// it showed the same span twice.
    fn before(&self, one: Timestamp, other: Timestamp) -> bool {
        one < other && !self.at_once(one, other)
    }

    /// Whether the clock has shown all between them twice, so that nobody can tell which was first.
    /// Spans that touch are one: the clock may be put back again while it shows one anew.
    fn at_once(&self, one: Timestamp, other: Timestamp) -> bool {
        let twice = &self.evidence.twice;
        let (first, last) = (one.min(other), one.max(other));
        let mut reached = first;
        while let Some((_, to)) = (twice.iter()).find(|(from, to)| (*from..*to).contains(&reached))
        {
            reached = *to;
        }
        first < reached && last <= reached
    }

    /// How long a process has lived from a moment to the end.
    fn lived_since(&self, at: Timestamp) -> Duration {
        let gone = self.evidence.gone.iter();
        let gone: Duration = gone.map(|(from, to)| to.since(at.max(*from))).sum();
        self.evidence.end.since(at).saturating_sub(gone)
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

    /// When the first of these was known: an event's id has the moment at which it was written.
    fn known(&self, kinds: &[EventKind], of: EnrollmentId) -> Option<Timestamp> {
        let events = self.of.events.iter();
        let of =
            events.filter(|event| event.enrollment_id == Some(of) && kinds.contains(&event.kind));
        of.filter_map(written).min()
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
}

/// When an event was written, to the next millisecond: that is what its id knows.
fn written(event: &Event) -> Option<Timestamp> {
    let (secs, nanos) = event.id.uuid().get_timestamp()?.to_unix();
    let millis = secs * 1_000 + u64::from(nanos) / 1_000_000 + 1;
    Some(Timestamp::from_millis(i64::try_from(millis).ok()?))
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

/// The step that a mail's text is marked with, and the name of its campaign.
fn mark(text: &str) -> Option<(u32, &str)> {
    let (_, mark) = text.split_once("mark-of-step-")?;
    let (step, rest) = mark.split_once("-of-")?;
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric());
    Some((step.parse().ok()?, &rest[..end.unwrap_or(rest.len())]))
}
