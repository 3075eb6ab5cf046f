//! What the counters of daily caps should say (SAFE-5): counted from the events of mails that went
//! out and from the mails that are on their way, never from the counters.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use jiff::tz::TimeZone;
use overture_domain::{
    AccountId, CampaignId, Timestamp, WorkspaceId,
    campaigns::Campaign,
    caps::{Cap, Limit, Span, ZoneOf},
    planted::{Bug, planted},
    windows,
};
use overture_store::{
    Read, campaigns,
    caps::heal::{self, Counter, Mail, Sender},
    people,
};

use crate::Result;

use super::limits::{self, Presets};

/// No civil day of any zone is longer.
const LONGEST_DAY: Duration = Duration::from_secs(26 * 3_600);

/// The mails of the last day of a workspace, by what they count under.
pub(super) struct Actuals {
    mails: HashMap<(Cap, String), Vec<Counted>>,
    senders: HashMap<AccountId, Sender>,
    campaigns: HashMap<CampaignId, Campaign>,
    workspace_zone: TimeZone,
}

/// A mail under one cap.
#[derive(Clone, Copy)]
struct Counted {
    /// When it was handed out.
    at: Timestamp,
    /// An event says that it went out.
    told: bool,
}

/// What happened under one counter.
pub(super) struct Actual {
    /// Mails that went out, may have, or are on their way.
    pub n: i64,
    /// The first of them, where no event tells of any.
    pub untold_since: Option<Timestamp>,
}

impl Actuals {
    /// Reads what happened. `counters`: whose zones are asked for besides.
    pub(super) async fn load(
        on: &mut impl Read,
        ws: WorkspaceId,
        counters: &[Counter],
        now: Timestamp,
    ) -> Result<Self> {
        let since = now - LONGEST_DAY;
        // In this order: a mail that goes out meanwhile is seen once at least.
        let on_their_way = heal::handed_out_since(on, ws, since).await?;
        let sent = heal::sent_since(on, ws, since).await?;
        let mails = once_each(on_their_way, sent);

        let named =
            (counters.iter()).filter_map(|counter| first_word(&counter.subject).parse().ok());
        let campaigns: HashSet<CampaignId> = (mails.iter().map(|(mail, _)| mail.campaign_id))
            .chain(named)
            .collect();
        let campaigns: Vec<_> = campaigns.into_iter().collect();
        let senders = heal::senders(on, ws).await?;
        let campaigns = campaigns::list_by_ids(on, ws, &campaigns).await?;
        let workspace = people::find_workspace(on, ws).await?;
        let zone = |name: &str| windows::zone(name).unwrap_or(TimeZone::UTC);
        let mut actuals = Self {
            mails: HashMap::new(),
            senders: senders.into_iter().map(|one| (one.id, one)).collect(),
            campaigns: campaigns.into_iter().map(|one| (one.id, one)).collect(),
            workspace_zone: workspace.map_or(TimeZone::UTC, |one| zone(&one.time_zone)),
        };
        for (mail, told) in mails {
            actuals.count(&mail, told);
        }
        Ok(actuals)
    }

    fn count(&mut self, mail: &Mail, told: bool) {
        let Some(sender) = self.senders.get(&mail.account_id) else {
            return;
        };
        let counted = Counted { at: mail.at, told };
        for subject in limits::daily_subjects(
            sender,
            mail.campaign_id,
            mail.kind,
            mail.prospect_id,
            &mail.email,
        ) {
            self.mails.entry(subject).or_default().push(counted);
        }
        if mail.step_index == 0 {
            let subject = (Cap::CampaignNewDaily, mail.campaign_id.to_string());
            self.mails.entry(subject).or_default().push(counted);
        }
    }

    /// The counter of today for everything that has a mail today.
    pub(super) fn of_today(&self, now: Timestamp) -> impl Iterator<Item = Counter> + '_ {
        self.mails.keys().map(move |(cap, subject)| Counter {
            cap: *cap,
            subject: subject.clone(),
            bucket: cap.bucket(now, &self.zone(*cap, subject)),
            used: 0,
            carried: 0,
            carried_at: Timestamp::default(),
        })
    }

    /// Whether anything limits what a counter counts: else nobody writes it.
    pub(super) fn is_limited(&self, counter: &Counter, presets: &Presets) -> bool {
        let first = first_word(&counter.subject);
        match counter.cap {
            Cap::PresetDaily => (first.parse().ok())
                .and_then(|id: AccountId| self.senders.get(&id))
                .is_some_and(|sender| presets.limit_days_of(sender)),
            Cap::CampaignNewDaily => (first.parse().ok())
                .and_then(|id: CampaignId| self.campaigns.get(&id))
                .is_some_and(|campaign| campaign.new_prospects_per_day.is_some()),
            _ => true,
        }
    }

    /// What happened under a counter.
    pub(super) fn of(&self, counter: &Counter) -> Actual {
        let zone = self.zone(counter.cap, &counter.subject);
        let key = (counter.cap, counter.subject.clone());
        let mails: Vec<Counted> = (self.mails.get(&key).into_iter().flatten())
            .filter(|mail| mail.at >= counter.carried_at)
            .filter(|mail| counter.cap.bucket(mail.at, &zone) == counter.bucket)
            .copied()
            .collect();
        let untold = !mails.iter().any(|mail| mail.told) && counter.carried == 0;
        let first = mails.iter().map(|mail| mail.at).min();
        Actual {
            n: counter.carried + i64::try_from(mails.len()).unwrap_or(i64::MAX),
            untold_since: first.filter(|_| untold),
        }
    }

    /// The calendar of a daily cap (CAP-2).
    pub(super) fn zone(&self, cap: Cap, subject: &str) -> TimeZone {
        let Span::Day(of) = cap.rule().0 else {
            return TimeZone::UTC;
        };
        let first = first_word(subject);
        let known = match of {
            ZoneOf::Utc => None,
            ZoneOf::Workspace => Some(self.workspace_zone.clone()),
            ZoneOf::Campaign => (first.parse().ok())
                .and_then(|id: CampaignId| windows::zone(&self.campaigns.get(&id)?.time_zone)),
            ZoneOf::Mailbox => (first.parse().ok())
                .and_then(|id: AccountId| windows::zone(&self.senders.get(&id)?.time_zone)),
        };
        known.unwrap_or(TimeZone::UTC)
    }
}

/// The id that a subject begins with, where it does.
fn first_word(subject: &str) -> &str {
    subject.split(' ').next().unwrap_or_default()
}

/// Each mail once: one that was handed out and has an event since counts when it was handed out,
/// and one that came back and was handed out again (decision 13) counts twice.
fn once_each(handed_out: Vec<Mail>, sent: Vec<Mail>) -> Vec<(Mail, bool)> {
    let place: HashMap<String, usize> = (handed_out.iter().enumerate())
        .map(|(place, mail)| (mail.external_id.clone(), place))
        .collect();
    let mut all: Vec<_> = handed_out.into_iter().map(|mail| (mail, false)).collect();
    for mail in sent {
        let place = place.get(&mail.external_id);
        match place.filter(|_| !planted(Bug::CountedTwice)) {
            Some(place) if mail.at >= all[*place].0.at => all[*place].1 = true,
            _ => all.push((mail, true)),
        }
    }
    all
}

/// Those of the limits that are reached by their counters alone: fewer mails went out or are on
/// their way, and there is room (SCH-6).
pub(super) async fn false_hits<'a>(
    on: &mut impl Read,
    ws: WorkspaceId,
    full: &[&'a Limit],
    now: Timestamp,
) -> Result<Vec<&'a Limit>> {
    let keys: Vec<_> = (full.iter().filter(|limit| limit.limit > 0))
        .map(|limit| (limit.cap, limit.subject.as_str(), limit.bucket(now)))
        .collect();
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let counters = heal::find(on, ws, &keys).await?;
    let actuals = Actuals::load(on, ws, &counters, now).await?;
    let is_false = |limit: &&&Limit| {
        let mut of = counters.iter();
        let counter = of.find(|one| one.cap == limit.cap && one.subject == limit.subject);
        counter.is_some_and(|counter| {
            let n = actuals.of(counter).n;
            n < counter.used && n < limit.limit
        })
    };
    Ok(full.iter().filter(is_false).copied().collect())
}
