//! When, and from which mailbox, a mail may go.
//!
//! A mail that finds no place now either shares its hindrance with its whole lane (pace, caps of
//! mailbox and campaign, window): then the lane waits, and [`Slots::room`] says how long. Or it is
//! held alone (the caps of its recipient): then it takes the next place where it can go, and the
//! mails after it in the batch see that place taken.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use jiff::tz::TimeZone;
use overture_domain::{
    AccountId, Rng, Timestamp,
    accounts::Account,
    campaigns::{Campaign, PoolAccount, Rotation, Window},
    caps::{Binding, Cap, Limit, Span, Usage},
    pacing, windows,
};

use super::plan;

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
pub(super) struct Mailbox {
    pub account: Account,
    /// The longest minutes between sends among the campaigns that share it (SCH-4).
    pub minutes_between_sends: i64,
    /// Its lot among mailboxes that are taken by chance; drawn anew with each mail.
    lot: i64,
    /// From each mail that is laid out to the moment at which the next may go.
    taken: BTreeMap<Timestamp, Timestamp>,
}

impl Mailbox {
    /// The first moment from `at` on at which the pace lets a mail go, and the mails around it
    /// keep their distance.
    fn free_from(&self, at: Timestamp) -> Timestamp {
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
pub(super) struct Slots {
    pub mailboxes: HashMap<AccountId, Mailbox>,
    pub usage: Usage,
    now: Timestamp,
}

/// A mail that looks for its place.
pub(super) struct Wish<'a> {
    pub campaign: &'a Campaign,
    pub zone: &'a TimeZone,
    /// The mailboxes that it may go from, each with the limits that count there.
    pub candidates: &'a [(AccountId, Vec<Limit>)],
    /// The campaign's mailboxes with their weights.
    pub pool: &'a [PoolAccount],
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

impl Slots {
    pub(super) fn new(now: Timestamp, usage: Usage) -> Self {
        Self {
            mailboxes: HashMap::new(),
            usage,
            now,
        }
    }

    pub(super) fn add(&mut self, account: Account, minutes_between_sends: i64, rng: &dyn Rng) {
        let mailbox = Mailbox {
            account,
            minutes_between_sends,
            lot: draw(rng),
            taken: BTreeMap::new(),
        };
        self.mailboxes.insert(mailbox.account.id, mailbox);
    }

    /// The first place for a mail, by the campaign's rotation (ROT-1). None when none of its
    /// mailboxes is known.
    pub(super) fn first(&self, wish: &Wish<'_>) -> Option<Slot> {
        wish.candidates
            .iter()
            .filter_map(|(id, limits)| {
                let mailbox = self.mailboxes.get(id)?;
                let (at, why) = self.earliest(mailbox, wish, limits);
                let slot = Slot {
                    account: *id,
                    at,
                    why,
                };
                Some((self.turn(mailbox, wish, &slot, limits), slot))
            })
            .min_by_key(|(turn, slot)| (*turn, slot.account))
            .map(|(_, slot)| slot)
    }

    /// Whose turn it is: the mailbox with the least. Most rotations take whoever is free first, and
    /// choose among those that are free at the same moment. A weighted one waits for the mailbox
    /// whose share is due, unless more than its pace keeps that back: otherwise a campaign that
    /// sends as fast as it may would have no weights.
    fn turn(
        &self,
        mailbox: &Mailbox,
        wish: &Wish<'_>,
        slot: &Slot,
        limits: &[Limit],
    ) -> (bool, i64, i64) {
        let sent = |cap: Cap| {
            let limit = limits.iter().find(|limit| limit.cap == cap);
            limit.map_or(0, |limit| self.usage.used(limit, slot.at))
        };
        let at = slot.at.as_micros();
        match wish.campaign.rotation {
            Rotation::RoundRobin => (false, at, sent(Cap::CampaignMailboxDaily)),
            Rotation::LeastUsed => (false, at, sent(Cap::MailboxDaily)),
            Rotation::Random => (false, at, mailbox.lot),
            Rotation::Weighted => {
                let known = wish.pool.iter().find(|of| of.account_id == slot.account);
                let weight = known.map_or(1, |of| of.weight.max(1));
                let share = (sent(Cap::CampaignMailboxDaily) + 1) * 1_000_000 / weight;
                let kept_back = matches!(slot.why, Some(Why::Cap(_) | Why::Backoff(_)));
                (kept_back, share, at)
            }
        }
    }

    /// What keeps a campaign's mails from going now, whomever they go to: until when, and why. None:
    /// there is room.
    pub(super) fn room(
        &self,
        campaign: &Campaign,
        zone: &TimeZone,
        candidates: &[(AccountId, Vec<Limit>)],
        pool: &[PoolAccount],
    ) -> Option<(Timestamp, String)> {
        let wish = Wish {
            campaign,
            zone,
            candidates,
            pool,
            other_campaign_at: None,
        };
        let Some(slot) = self.first(&wish) else {
            let (at, _) = plan::clamp(campaign, zone, self.now + NO_MAILBOX);
            let reason = "no_usable_mailbox: no mailbox of the campaign is connected";
            return Some((at, reason.to_owned()));
        };
        let why = slot.why.as_ref().map(Why::words).unwrap_or_default();
        (slot.at > self.now).then_some((slot.at, why))
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
        next
    }

    fn earliest(
        &self,
        mailbox: &Mailbox,
        wish: &Wish<'_>,
        limits: &[Limit],
    ) -> (Timestamp, Option<Why>) {
        let address = &mailbox.account.address;
        let mut holds = vec![(mailbox.account.backoff_until, Why::Backoff(address.clone()))];
        if let Some(other) = wish.other_campaign_at {
            holds.push((other + SPACING, Why::Spacing));
        }
        earliest(
            self.now,
            &holds,
            |at| (mailbox.free_from(at), Why::Pace(address.clone())),
            (&wish.campaign.windows, wish.zone),
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
mod tests {
    use overture_domain::rng::SeededRng;

    use super::*;

    const MONDAY_9: Timestamp = Timestamp::from_secs(1_772_442_000);

    fn after(minutes: u64) -> Timestamp {
        MONDAY_9 + Duration::from_secs(60 * minutes)
    }

    fn limit(cap: Cap, limit: i64) -> Limit {
        Limit {
            cap,
            subject: "x".into(),
            limit,
            zone: TimeZone::UTC,
        }
    }

    fn check(
        now: Timestamp,
        holds: &[(Timestamp, Why)],
        usage: &[(Cap, i64, i64)],
        at: &str,
        why: Option<&str>,
    ) {
        let mut used = Usage::default();
        let limits: Vec<Limit> = usage
            .iter()
            .map(|(cap, max, _)| limit(*cap, *max))
            .collect();
        for ((_, _, n), limit) in usage.iter().zip(&limits) {
            for _ in 0..*n {
                used.reserve(std::slice::from_ref(limit), now);
            }
        }
        let (found, reason) = earliest(
            now,
            holds,
            |at| (at, Why::Pace(String::new())),
            (&[Window::working_hours()], &TimeZone::UTC),
            &limits,
            &used,
        );
        assert_eq!(
            (
                found.to_string().as_str(),
                reason.map(|why| why.words()).as_deref()
            ),
            (at, why)
        );
    }

    // CAP-1: the answer names what binds. SAFE-1: nothing is earlier than any rule allows.
    #[test]
    fn the_latest_rule_decides_and_is_named() {
        let pace = |minutes| (after(minutes), Why::Pace("a@b".into()));
        check(MONDAY_9, &[], &[], "2026-03-02T09:00:00Z", None);
        check(
            MONDAY_9,
            &[pace(5)],
            &[],
            "2026-03-02T09:05:00Z",
            Some("a@b keeps its minutes between sends"),
        );
        check(
            after(8 * 60),
            &[],
            &[],
            "2026-03-03T09:00:00Z",
            Some("outside the sending window"),
        );
        check(
            after(8 * 60),
            &[pace(8 * 60 + 5)],
            &[],
            "2026-03-03T09:00:00Z",
            Some("outside the sending window"),
        );
        check(
            after(60),
            &[],
            &[(Cap::MailboxDaily, 2, 2)],
            "2026-03-03T09:00:00Z",
            Some("the mailbox's daily limit is reached (2 of 2)"),
        );
        check(
            after(60),
            &[],
            &[(Cap::MailboxPerMinute, 2, 2)],
            "2026-03-02T10:01:01Z",
            Some("the mailbox's limit a minute is reached (2 of 2)"),
        );
        let backoff = [pace(61), (after(120), Why::Backoff("a@b".into()))];
        check(
            after(60),
            &backoff,
            &[],
            "2026-03-02T11:00:00Z",
            Some("a@b waits: its mail server asked for patience"),
        );
    }

    // SCH-4, SAFE-1: a batch spreads over mailboxes and days; nobody goes earlier or in a burst.
    #[test]
    fn a_batch_is_laid_out_without_breaking_a_rule() {
        let rng = SeededRng::new(3);
        let mut slots = Slots::new(MONDAY_9, Usage::default());
        let accounts: Vec<Account> = (0..2).map(|n| account(n, &rng)).collect();
        for account in &accounts {
            slots.add(account.clone(), 5, &rng);
        }
        let campaign = campaign(&rng);
        let candidates: Vec<(AccountId, Vec<Limit>)> = accounts
            .iter()
            .map(|a| {
                (
                    a.id,
                    vec![Limit {
                        cap: Cap::MailboxDaily,
                        subject: a.id.to_string(),
                        limit: 10,
                        zone: TimeZone::UTC,
                    }],
                )
            })
            .collect();
        let mut sent: HashMap<AccountId, Vec<Timestamp>> = HashMap::new();
        for _ in 0..50 {
            let wish = Wish {
                campaign: &campaign,
                zone: &TimeZone::UTC,
                candidates: &candidates,
                pool: &[],
                other_campaign_at: None,
            };
            let slot = slots.first(&wish).unwrap();
            let limits = &candidates
                .iter()
                .find(|(id, _)| *id == slot.account)
                .unwrap()
                .1;
            slots.take(&slot, limits, &rng);
            sent.entry(slot.account).or_default().push(slot.at);
        }
        for times in sent.values() {
            assert_eq!(times.len(), 25, "both mailboxes do their part");
            for pair in times.windows(2) {
                assert!(
                    pair[1].since(pair[0]) >= Duration::from_secs(301),
                    "{pair:?}"
                );
            }
            for day in times.chunk_by(|a, b| {
                windows::civil_day(*a, &TimeZone::UTC) == windows::civil_day(*b, &TimeZone::UTC)
            }) {
                assert!(day.len() <= 10);
            }
            assert!(times.iter().all(|at| windows::is_open(
                *at,
                &campaign.windows,
                &TimeZone::UTC
            )));
        }
    }

    /// How many of so many mails two mailboxes get. The first has sent ten for another campaign
    /// today, and weighs three times as much.
    fn shares(rotation: Rotation, mails: usize) -> [usize; 2] {
        let rng = SeededRng::new(5);
        let mut usage = Usage::default();
        let accounts = [account(0, &rng), account(1, &rng)];
        let campaign = Campaign {
            rotation,
            ..campaign(&rng)
        };
        let candidates = [0, 1].map(|n| {
            let id = accounts[n].id;
            let of = |cap, subject: String| Limit {
                cap,
                subject,
                limit: 1_000,
                zone: TimeZone::UTC,
            };
            let pair = super::super::pair(campaign.id, id);
            let limits = [
                of(Cap::MailboxDaily, id.to_string()),
                of(Cap::CampaignMailboxDaily, pair),
            ];
            (id, limits.to_vec())
        });
        for _ in 0..10 {
            usage.reserve(&candidates[0].1[..1], MONDAY_9);
        }
        let mut slots = Slots::new(MONDAY_9, usage);
        for account in &accounts {
            slots.add(account.clone(), 5, &rng);
        }
        let pool = [3, 1].map(|weight| PoolAccount {
            account_id: accounts[if weight == 3 { 0 } else { 1 }].id,
            weight,
            active: true,
        });
        let mut sent = [0; 2];
        for _ in 0..mails {
            let wish = Wish {
                campaign: &campaign,
                zone: &TimeZone::UTC,
                candidates: &candidates,
                pool: &pool,
                other_campaign_at: None,
            };
            let slot = slots.first(&wish).unwrap();
            let n = usize::from(slot.account != accounts[0].id);
            sent[n] += 1;
            slots.take(&slot, &candidates[n].1, &rng);
        }
        sent
    }

    // ROT-1
    #[test]
    fn rotations_choose_the_mailbox() {
        // Both are free: the first mail tells them apart.
        assert_eq!(shares(Rotation::LeastUsed, 1), [0, 1]);
        // As fast as it may: both do what their pace allows, but for weights.
        let halves = |[a, b]: [usize; 2]| a.abs_diff(b) <= 2;
        assert!(halves(shares(Rotation::RoundRobin, 40)));
        assert!(halves(shares(Rotation::LeastUsed, 40)));
        assert!(halves(shares(Rotation::Random, 40)));
        assert_eq!(shares(Rotation::Weighted, 40), [30, 10]);
    }

    // SCH-4: a mail that is laid out far ahead keeps nobody from the time before it.
    #[test]
    fn the_time_before_a_distant_mail_stays_free() {
        let rng = SeededRng::new(4);
        let mut slots = Slots::new(MONDAY_9, Usage::default());
        let (account, campaign) = (account(1, &rng), campaign(&rng));
        slots.add(account.clone(), 5, &rng);
        let candidates = [(account.id, vec![])];
        let first = |slots: &Slots, other: Option<Timestamp>| {
            let wish = Wish {
                campaign: &campaign,
                zone: &TimeZone::UTC,
                candidates: &candidates,
                pool: &[],
                other_campaign_at: other,
            };
            slots.first(&wish).unwrap()
        };
        let hour = Duration::from_secs(3_600);
        let distant = first(&slots, Some(after(60) - SPACING));
        assert_eq!(
            (distant.at, distant.why.clone()),
            (MONDAY_9 + hour, Some(Why::Spacing))
        );
        slots.take(&distant, &[], &rng);
        let mut times = vec![distant.at];
        for _ in 0..20 {
            let slot = first(&slots, None);
            slots.take(&slot, &[], &rng);
            times.push(slot.at);
        }
        assert_eq!(times[1], MONDAY_9, "at once");
        times.sort();
        assert!(times.iter().filter(|at| **at < distant.at).count() >= 9);
        assert!(
            times
                .windows(2)
                .all(|pair| pair[1].since(pair[0]) >= Duration::from_secs(301)),
            "{times:?}"
        );
    }

    fn account(n: u64, rng: &SeededRng) -> Account {
        use overture_domain::{
            Id,
            accounts::{AccountStatus, Channel},
        };
        Account {
            id: Id::new(MONDAY_9, rng),
            workspace_id: Id::new(MONDAY_9, &SeededRng::new(1)),
            channel: Channel::Mail,
            provider: "p".into(),
            preset: "p".into(),
            address: format!("a{n}@example.com"),
            sender_name: String::new(),
            status: AccountStatus::Connected,
            status_reason: String::new(),
            status_audit_id: Id::new(MONDAY_9, rng),
            settings: serde_json::json!({}),
            daily_limit: 10,
            time_zone: "UTC".into(),
            signature_html: String::new(),
            signature_text: String::new(),
            next_send_at: Timestamp::default(),
            backoff_until: Timestamp::default(),
            backoff_rung: 0,
            auth_failures: 0,
            sync_cursor: None,
            sync_due_at: MONDAY_9,
            synced_at: None,
            sync_error: None,
            created_at: MONDAY_9,
            updated_at: MONDAY_9,
        }
    }

    fn campaign(rng: &SeededRng) -> Campaign {
        use overture_domain::{
            Id,
            campaigns::{CampaignKind, CampaignStatus},
        };
        Campaign {
            id: Id::new(MONDAY_9, rng),
            workspace_id: Id::new(MONDAY_9, &SeededRng::new(1)),
            name: String::new(),
            kind: CampaignKind::Email,
            status: CampaignStatus::Running,
            status_audit_id: Id::new(MONDAY_9, rng),
            paused_at: None,
            paused_reason: None,
            time_zone: "UTC".into(),
            windows: vec![Window::working_hours()],
            daily_send_limit: 100,
            max_sends_per_mailbox_per_day: 50,
            minutes_between_sends: 5,
            stop_on_reply: true,
            stop_on_bounce: true,
            stop_on_company_reply: false,
            new_prospects_per_day: None,
            follow_ups_first: true,
            rotation: Rotation::RoundRobin,
            track_opens: false,
            track_clicks: false,
            start_at: None,
            end_at: None,
            started_at: None,
            finished_at: None,
            created_at: MONDAY_9,
            updated_at: MONDAY_9,
        }
    }
}
