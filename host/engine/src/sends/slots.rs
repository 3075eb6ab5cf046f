//! When, and from which mailbox, a mail may go.
//!
//! A mail that finds no place now either shares its hindrance with its whole lane (pace, caps of
//! mailbox and campaign, window): then the lane waits, and its [`Room`] knows how long. Or it is
//! held alone (the caps of its recipient): then it takes the next place where it can go, and the
//! mails after it in the batch see that place taken.
//!
//! What a mailbox allows is worked out once, and again only after a mail that may have changed it:
//! one of its own, one that filled a limit which it shares, or one that was laid out ahead.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use jiff::tz::TimeZone;
use overture_domain::{
    AccountId, Rng, Timestamp,
    accounts::Account,
    campaigns::{Campaign, Rotation, Window},
    caps::{Binding, Cap, Limit, Span, Usage},
    pacing,
    planted::{Bug, planted},
    windows,
};

use super::{limits, plan};

/// How far ahead a place is looked for. What finds none is looked at again then.
const HORIZON: Duration = Duration::from_secs(90 * 86_400);

/// How long a campaign without a usable mailbox waits until it is looked at again (MB-5).
const NO_MAILBOX: Duration = Duration::from_secs(3_600);

/// Mails of different campaigns to one prospect lie so far apart (CAP-1).
pub(super) const SPACING: Duration = Duration::from_secs(24 * 3_600);

/// Why a mail doesn't go now.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Why {
    Window,
    /// The mailbox sends at its pace (SCH-4).
    Pace(String),
    /// Its server asked for patience (CAP-3).
    Backoff(String),
    /// Another campaign wrote to the prospect within a day.
    Spacing,
    Cap(Binding),
}

impl Why {
    /// For people.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Window => plan::OUTSIDE.to_owned(),
            Self::Pace(address) => format!("{address} keeps its minutes between sends"),
            Self::Backoff(address) => {
                format!("{address} waits: its mail server asked for patience")
            }
            Self::Spacing => {
                "another campaign wrote to this prospect less than 24 hours ago".to_owned()
            }
            Self::Cap(binding) => binding.reason(),
        }
    }
}

/// A mailbox as a mail sees it.
struct Mailbox<'a> {
    account: &'a Account,
    /// The longest minutes between sends among the campaigns that share it (SCH-4).
    minutes_between_sends: i64,
    /// Its lot among mailboxes that are taken by chance; drawn anew with each mail.
    lot: i64,
    /// From each mail that is laid out to the moment at which the next may go.
    taken: BTreeMap<Timestamp, Timestamp>,
    /// The last change to what is known of it alone.
    changed: u64,
}

impl Mailbox<'_> {
    /// The first moment from `at` on at which the pace lets a mail go, and the mails around it
    /// keep their distance.
    fn free_from(&self, at: Timestamp) -> Timestamp {
        let idle = self.account.next_send_at + Duration::from_secs(4 * 3_600) <= at;
        if idle && planted(Bug::AllAtOnceAfterAnOutage) {
            return at;
        }
        let mut at = at.max(self.account.next_send_at);
        if let Some((_, end)) = self.taken.range(..=at).next_back() {
            at = at.max(*end);
        }
        let minutes = u64::try_from(self.minutes_between_sends).unwrap_or(0);
        let distance = Duration::from_secs(60 * minutes + pacing::PACE_JITTER.start());
        for (start, end) in self.taken.range(at..) {
            if at + distance <= *start {
                break;
            }
            at = *end;
        }
        at
    }
}

/// The mailboxes of a workspace and what is used of the caps, with what has been laid out so far.
pub(super) struct Slots<'a> {
    mailboxes: HashMap<AccountId, Mailbox<'a>>,
    pub usage: Usage,
    now: Timestamp,
    /// Counts the mails that were laid out.
    changes: u64,
    /// The last of them that may matter to other mailboxes than its own.
    shared: u64,
}

/// What the mails of a lane have in common.
pub(super) struct Room<'a> {
    pub campaign: &'a Campaign,
    pub zone: TimeZone,
    pub places: Vec<Place<'a>>,
    /// No room before this moment, and why.
    pub closed: Option<(Timestamp, String)>,
}

/// A mailbox that the mails of a lane may go from.
pub(super) struct Place<'a> {
    pub account: AccountId,
    /// Its share of the campaign's mails, where they go by weight.
    pub weight: i64,
    /// What counts there whomever a mail goes to.
    pub limits: &'a [Limit],
    free: Option<Free>,
}

/// When a mail might go from there, looked up once and after whatever may change it.
struct Free {
    at: Timestamp,
    why: Option<Why>,
    turn: Turn,
    /// The changes until then are in it.
    until: u64,
}

/// Whose turn it is: the mailbox with the least.
type Turn = (bool, i64, i64);

impl<'a> Place<'a> {
    pub(super) const fn new(account: AccountId, weight: i64, limits: &'a [Limit]) -> Self {
        Self {
            account,
            weight,
            limits,
            free: None,
        }
    }
}

impl<'a> Room<'a> {
    pub(super) fn new(
        campaign: &'a Campaign,
        zone: TimeZone,
        places: impl Iterator<Item = Place<'a>>,
    ) -> Self {
        Self {
            campaign,
            zone,
            places: places.collect(),
            closed: None,
        }
    }
}

/// A mail that looks for its place by itself.
pub(super) struct Wish<'a> {
    pub campaign: &'a Campaign,
    pub zone: &'a TimeZone,
    /// The mailboxes that it may go from, each with the limits that count there for it.
    pub candidates: &'a [Place<'a>],
    /// The last mail of another campaign to the prospect.
    pub other_campaign_at: Option<Timestamp>,
}

/// The place of a mail.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Slot {
    pub account: AccountId,
    pub at: Timestamp,
    /// What kept it from going now; None: it goes now.
    pub why: Option<Why>,
}

impl<'a> Slots<'a> {
    pub(super) fn new(now: Timestamp, usage: Usage) -> Self {
        Self {
            mailboxes: HashMap::new(),
            usage,
            now,
            changes: 0,
            shared: 0,
        }
    }

    pub(super) fn add(&mut self, account: &'a Account, minutes_between_sends: i64, rng: &dyn Rng) {
        let half = planted(Bug::HalfThePace);
        let mailbox = Mailbox {
            account,
            minutes_between_sends: minutes_between_sends / if half { 2 } else { 1 },
            lot: draw(rng),
            taken: BTreeMap::new(),
            changed: 0,
        };
        self.mailboxes.insert(account.id, mailbox);
    }

    /// The mailbox from which a lane's next mail may go now, by the campaign's rotation (ROT-1).
    /// None: the room is closed, and knows until when and why.
    pub(super) fn look(&self, room: &mut Room<'_>) -> Option<AccountId> {
        let (campaign, zone) = (room.campaign, &room.zone);
        let places = room.places.iter_mut();
        let first = places
            .filter_map(|place| {
                let mailbox = self.mailboxes.get(&place.account)?;
                let changed = mailbox.changed.max(self.shared);
                if place.free.as_ref().is_none_or(|free| free.until < changed) {
                    let (at, why) = self.earliest(mailbox, campaign, zone, None, place.limits);
                    place.free = Some(Free {
                        turn: self.turn(mailbox, campaign, place, at, why.as_ref()),
                        at,
                        why,
                        until: self.changes,
                    });
                }
                Some((place.account, place.free.as_ref()?))
            })
            .min_by_key(|(account, free)| (free.turn, *account));
        room.closed = match first {
            Some((account, free)) if free.at <= self.now => return Some(account),
            Some((_, free)) => {
                let why = free.why.as_ref().map(Why::words).unwrap_or_default();
                Some((free.at, why))
            }
            None => {
                let (at, _) = plan::clamp(campaign, zone, self.now + NO_MAILBOX);
                let reason = "no_usable_mailbox: no mailbox of the campaign is connected";
                Some((at, reason.to_owned()))
            }
        };
        None
    }

    /// The first place for a mail that is held alone, by the campaign's rotation (ROT-1). None when
    /// none of its mailboxes is known.
    pub(super) fn first(&self, wish: &Wish<'_>) -> Option<Slot> {
        let campaign = wish.campaign;
        let places = wish.candidates.iter().filter_map(|place| {
            let mailbox = self.mailboxes.get(&place.account)?;
            let other = wish.other_campaign_at;
            let (at, why) = self.earliest(mailbox, campaign, wish.zone, other, place.limits);
            let turn = self.turn(mailbox, campaign, place, at, why.as_ref());
            let account = place.account;
            Some((turn, Slot { account, at, why }))
        });
        places
            .min_by_key(|(turn, slot)| (*turn, slot.account))
            .map(|(_, slot)| slot)
    }

    /// The turn of a mailbox from which a mail might go at a moment. Most rotations take whoever is
    /// free first, and choose among those that are free at the same moment. A weighted one waits
    /// for the mailbox whose share is due, unless more than its pace keeps that back: otherwise a
    /// campaign that sends as fast as it may would have no weights.
    fn turn(
        &self,
        mailbox: &Mailbox<'_>,
        campaign: &Campaign,
        place: &Place<'_>,
        at: Timestamp,
        why: Option<&Why>,
    ) -> Turn {
        let sent = |cap: Cap| {
            let limit = place.limits.iter().find(|limit| limit.cap == cap);
            limit.map_or(0, |limit| self.usage.used(limit, at))
        };
        let at = at.as_micros();
        match campaign.rotation {
            Rotation::RoundRobin => (false, at, sent(Cap::CampaignMailboxDaily)),
            Rotation::LeastUsed => (false, at, sent(Cap::MailboxDaily)),
            Rotation::Random => (false, at, mailbox.lot),
            Rotation::Weighted => {
                let share = (sent(Cap::CampaignMailboxDaily) + 1) * 1_000_000 / place.weight;
                let kept_back = matches!(why, Some(Why::Cap(_) | Why::Backoff(_)));
                (kept_back, share, at)
            }
        }
    }

    /// Lays a mail out at its place: later ones see it taken. When the mailbox is free again.
    pub(super) fn take(&mut self, slot: &Slot, limits: &[Limit], rng: &dyn Rng) -> Timestamp {
        self.usage.reserve(limits, slot.at);
        let Some(mailbox) = self.mailboxes.get_mut(&slot.account) else {
            return slot.at;
        };
        let next = pacing::next_send(slot.at, mailbox.minutes_between_sends, rng);
        mailbox.taken.insert(slot.at, next);
        mailbox.lot = draw(rng);
        self.changes += 1;
        mailbox.changed = self.changes;
        let is_full = |limit: &Limit| self.usage.used(limit, slot.at) >= limit.limit;
        let mut shared = limits.iter().filter(|limit| limits::is_shared(limit.cap));
        if slot.at > self.now || shared.any(is_full) {
            self.shared = self.changes;
        }
        next
    }

    fn earliest(
        &self,
        mailbox: &Mailbox<'_>,
        campaign: &Campaign,
        zone: &TimeZone,
        other_campaign_at: Option<Timestamp>,
        limits: &[Limit],
    ) -> (Timestamp, Option<Why>) {
        let address = &mailbox.account.address;
        let mut holds = vec![(mailbox.account.backoff_until, Why::Backoff(address.clone()))];
        if let Some(other) = other_campaign_at {
            holds.push((other + SPACING, Why::Spacing));
        }
        earliest(
            self.now,
            &holds,
            |at| (mailbox.free_from(at), Why::Pace(address.clone())),
            (&campaign.windows, zone),
            limits,
            &self.usage,
        )
    }
}

fn draw(rng: &dyn Rng) -> i64 {
    (rng.u64() >> 1) as i64
}

/// The first moment at which nothing holds, and what held the longest.
fn earliest(
    now: Timestamp,
    holds: &[(Timestamp, Why)],
    pace: impl Fn(Timestamp) -> (Timestamp, Why),
    (windows, zone): (&[Window], &TimeZone),
    limits: &[Limit],
    usage: &Usage,
) -> (Timestamp, Option<Why>) {
    let mut at = now;
    let mut longest: Option<(Duration, Why)> = None;
    let end = now + HORIZON;
    while at < end {
        let window = windows::clamp_to_window(at, windows, zone).unwrap_or(end);
        let cap = usage.binding(limits, at);
        let pushes = holds
            .iter()
            .cloned()
            .chain([(window, Why::Window), pace(at)])
            .chain(cap.map(|binding| (binding.until, Why::Cap(binding))))
            .filter(|(until, _)| *until > at);
        let Some((until, why)) =
            pushes.max_by_key(|(until, why)| (weight(*until, at, why), *until))
        else {
            return (at, longest.map(|(_, why)| why));
        };
        let weight = weight(until, at, &why);
        if longest
            .as_ref()
            .is_none_or(|(heaviest, _)| weight > *heaviest)
        {
            longest = Some((weight, why));
        }
        at = until;
    }
    (end, longest.map(|(_, why)| why))
}

/// What is told as the reason: the day's quota before the hours that it ends in, else what holds
/// the longest.
fn weight(until: Timestamp, at: Timestamp, why: &Why) -> Duration {
    match why {
        Why::Cap(binding) if matches!(binding.cap.rule().0, Span::Day(_)) => Duration::MAX,
        _ => until.since(at),
    }
}

#[cfg(test)]
mod tests;
