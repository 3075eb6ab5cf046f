//! How much may be sent (CAP-1), and when there is room again (CAP-2).
//!
//! A cap counts what was handed out for a subject in a window: a civil day in a zone, or a sliding
//! stretch in sixtieths. [`Usage`] holds the counts of some subjects, [`Limit`] says how many are
//! allowed, and [`Usage::binding`] names the limit that decides.

mod free_mail;

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use jiff::tz::TimeZone;

use crate::{
    Timestamp, names,
    planted::{Bug, planted},
    windows,
};

pub use free_mail::is_free_mail;

names! {
    /// The caps of what is sent (CAP-1, LI-7).
    Cap {
        /// The mailbox's own limit: campaign and hand-written mail.
        MailboxDaily = "mailbox_daily",
        /// The hard cap of the instance: all mail of a mailbox, warmup too (MB-4).
        MailboxTotalDaily = "mailbox_total_daily",
        MailboxPerMinute = "mailbox_per_minute",
        MailboxPerHour = "mailbox_per_hour",
        /// What the provider's preset says of one mailbox.
        PresetDaily = "preset_daily",
        PresetPerMinute = "preset_per_minute",
        CampaignDaily = "campaign_daily",
        CampaignMailboxDaily = "campaign_mailbox_daily",
        /// People who get their first step (CAP-5).
        CampaignNewDaily = "campaign_new_daily",
        ProspectDaily = "prospect_daily",
        /// From one sending domain to one recipient domain.
        RecipientDomainDaily = "recipient_domain_daily",
        /// All mailboxes of one provider in the workspace.
        ProviderPerMinute = "provider_per_minute",
        ProviderPerHour = "provider_per_hour",
        ProviderDaily = "provider_daily",
        /// Invitations of an account of a network.
        InvitesDaily = "invites_daily",
        /// Messages of an account of a network.
        MessagesDaily = "messages_daily",
        /// Whatever an account of a network does (LI-7).
        ActionsPerMinute = "actions_per_minute",
    }
}

/// Whose calendar a daily cap follows (CAP-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZoneOf {
    Mailbox,
    Campaign,
    Workspace,
    Utc,
}

/// What a cap counts over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// A civil day.
    Day(ZoneOf),
    /// The stretch that ends now.
    Sliding(Duration),
}

const MINUTE: Span = Span::Sliding(Duration::from_secs(60));
const HOUR: Span = Span::Sliding(Duration::from_secs(3_600));

/// A sliding window is counted in this many parts.
const PARTS: i64 = 60;

impl Cap {
    /// The window of the cap, and its limit where the subject's own row doesn't set one.
    pub const fn rule(self) -> (Span, Option<i64>) {
        match self {
            Self::MailboxDaily => (Span::Day(ZoneOf::Mailbox), None),
            Self::MailboxTotalDaily => (Span::Day(ZoneOf::Mailbox), Some(500)),
            Self::MailboxPerMinute => (MINUTE, Some(2)),
            Self::MailboxPerHour => (HOUR, Some(40)),
            Self::PresetDaily => (Span::Day(ZoneOf::Mailbox), None),
            Self::PresetPerMinute => (MINUTE, None),
            Self::CampaignDaily => (Span::Day(ZoneOf::Campaign), Some(100)),
            Self::CampaignMailboxDaily => (Span::Day(ZoneOf::Campaign), Some(50)),
            Self::CampaignNewDaily => (Span::Day(ZoneOf::Campaign), None),
            Self::ProspectDaily => (Span::Day(ZoneOf::Workspace), Some(3)),
            Self::RecipientDomainDaily => (Span::Day(ZoneOf::Workspace), Some(50)),
            Self::ProviderPerMinute => (MINUTE, Some(30)),
            Self::ProviderPerHour => (HOUR, Some(600)),
            Self::ProviderDaily => (Span::Day(ZoneOf::Utc), Some(6_000)),
            // Where a new account's ramp begins (LI-6).
            Self::InvitesDaily => (Span::Day(ZoneOf::Utc), Some(10)),
            Self::MessagesDaily => (Span::Day(ZoneOf::Utc), Some(15)),
            Self::ActionsPerMinute => (MINUTE, Some(2)),
        }
    }

    /// The row that counts what happens at `at`: a day since 1970 in the cap's calendar, or a
    /// sixtieth of the window.
    pub fn bucket(self, at: Timestamp, zone: &TimeZone) -> i64 {
        match self.rule().0 {
            Span::Day(_) => windows::civil_day(at, zone),
            Span::Sliding(length) => at.as_micros().div_euclid(part(length)),
        }
    }

    /// Whether it counts over civil days.
    pub const fn is_daily(self) -> bool {
        matches!(self.rule().0, Span::Day(_))
    }

    /// The first row that a decision may still look at from `at` on, in any zone: those before it
    /// can be forgotten.
    pub fn first_bucket_kept(self, at: Timestamp) -> i64 {
        match self.rule().0 {
            Span::Day(_) => windows::civil_day(at, &TimeZone::UTC) - 2,
            Span::Sliding(_) => self.bucket(at, &TimeZone::UTC) - 2 * PARTS,
        }
    }

    /// The `limitType` of `limit.hit` (API-6); None where the API has no word for it.
    pub const fn limit_type(self) -> Option<&'static str> {
        match self {
            Self::MailboxDaily
            | Self::MailboxTotalDaily
            | Self::PresetDaily
            | Self::CampaignMailboxDaily => Some("daily_mailbox"),
            Self::RecipientDomainDaily => Some("daily_domain"),
            Self::ProspectDaily => Some("daily_prospect"),
            _ => None,
        }
    }

    /// What somebody can do about a limit that is reached (SCH-9).
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::MailboxDaily => {
                "raise the mailbox's dailyLimit, or add a mailbox to the campaign"
            }
            Self::MailboxTotalDaily
            | Self::MailboxPerMinute
            | Self::MailboxPerHour
            | Self::PresetDaily
            | Self::PresetPerMinute => "add a mailbox to the campaign",
            Self::CampaignDaily => "raise the campaign's dailySendLimit",
            Self::CampaignMailboxDaily => {
                "raise the campaign's maxSendsPerMailboxPerDay, or add a mailbox"
            }
            Self::CampaignNewDaily => "raise the campaign's newProspectsPerDay",
            Self::ProspectDaily => "write to this person in fewer campaigns",
            Self::RecipientDomainDaily => "add a mailbox at another domain to the campaign",
            Self::ProviderPerMinute | Self::ProviderPerHour | Self::ProviderDaily => {
                "add a mailbox at another provider to the campaign"
            }
            Self::InvitesDaily | Self::MessagesDaily | Self::ActionsPerMinute => {
                "add an account to the campaign"
            }
        }
    }

    /// What it limits, for people; reasons begin with it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::MailboxDaily => "the mailbox's daily limit",
            Self::MailboxTotalDaily => "the hard daily limit of a mailbox",
            Self::MailboxPerMinute => "the mailbox's limit a minute",
            Self::MailboxPerHour => "the mailbox's limit an hour",
            Self::PresetDaily => "the mail service's daily limit",
            Self::PresetPerMinute => "the mail service's limit a minute",
            Self::CampaignDaily => "the campaign's daily limit",
            Self::CampaignMailboxDaily => "the campaign's daily limit for one mailbox",
            Self::CampaignNewDaily => "the campaign's daily limit for new prospects",
            Self::ProspectDaily => "the daily limit for one prospect",
            Self::RecipientDomainDaily => "the daily limit for the recipient's domain",
            Self::ProviderPerMinute => "the limit a minute for all mailboxes of the provider",
            Self::ProviderPerHour => "the limit an hour for all mailboxes of the provider",
            Self::ProviderDaily => "the daily limit for all mailboxes of the provider",
            Self::InvitesDaily => "the account's daily limit for invitations",
            Self::MessagesDaily => "the account's daily limit for messages",
            Self::ActionsPerMinute => "the account's limit a minute",
        }
    }
}

/// The limit of one subject: a mailbox's, a campaign's, a pair's.
#[derive(Clone, Debug)]
pub struct Limit {
    pub cap: Cap,
    /// The id or text of what is counted; pairs are joined by a space.
    pub subject: String,
    pub limit: i64,
    /// Its calendar; sliding caps don't look at it.
    pub zone: TimeZone,
}

impl Limit {
    /// The row that counts what happens at `at`.
    pub fn bucket(&self, at: Timestamp) -> i64 {
        self.cap.bucket(at, &self.zone)
    }

    /// The oldest row that still counts at `at`. A part of a sliding window counts until its end
    /// lies a whole window behind, so that no stretch of that length ever holds more.
    pub fn first_bucket(&self, at: Timestamp) -> i64 {
        match self.cap.rule().0 {
            Span::Day(_) => self.bucket(at),
            Span::Sliding(_) => self.bucket(at) - PARTS,
        }
    }
}

fn part(length: Duration) -> i64 {
    i64::try_from(length.as_micros()).unwrap_or(i64::MAX) / PARTS
}

/// What was handed out, for the subjects that a decision looks at.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    rows: HashMap<Cap, HashMap<String, BTreeMap<i64, i64>>>,
    /// Subjects whose rows are not believed, and until when.
    doubted: HashMap<(Cap, String), Timestamp>,
}

/// The limit that keeps a mail back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    pub cap: Cap,
    pub subject: String,
    pub limit: i64,
    pub used: i64,
    /// When there is room again, as far as is known now; when to look again, where it is doubted.
    pub until: Timestamp,
    /// Fewer have gone out or are on their way than the counter says (SCH-6).
    pub doubted: bool,
}

impl Binding {
    /// Why the mail waits, for people.
    pub fn reason(&self) -> String {
        let doubt = if self.doubted {
            " by its counter, but fewer were sent; the counter is being checked"
        } else {
            ""
        };
        format!(
            "{} is reached{doubt} ({} of {})",
            self.cap.words(),
            self.used,
            self.limit
        )
    }
}

impl Usage {
    /// Adds to a row; `n` is negative when a reservation is released.
    pub fn add(&mut self, cap: Cap, subject: &str, bucket: i64, n: i64) {
        let subjects = self.rows.entry(cap).or_default();
        if !subjects.contains_key(subject) {
            subjects.insert(subject.to_owned(), BTreeMap::new());
        }
        if let Some(rows) = subjects.get_mut(subject) {
            *rows.entry(bucket).or_default() += n;
        }
    }

    /// Takes in the counts of other subjects.
    pub fn extend(&mut self, other: Self) {
        for (cap, subjects) in other.rows {
            self.rows.entry(cap).or_default().extend(subjects);
        }
        self.doubted.extend(other.doubted);
    }

    /// Counts one hand-out at `at` under every limit.
    pub fn reserve(&mut self, limits: &[Limit], at: Timestamp) {
        for limit in limits {
            self.add(limit.cap, &limit.subject, limit.bucket(at), 1);
        }
    }

    /// How many count under a limit at `at`.
    pub fn used(&self, limit: &Limit, at: Timestamp) -> i64 {
        self.counted(limit, at).map(|(_, n)| n).sum()
    }

    fn counted(&self, limit: &Limit, at: Timestamp) -> impl Iterator<Item = (i64, i64)> + '_ {
        let rows = self
            .rows
            .get(&limit.cap)
            .and_then(|subjects| subjects.get(&limit.subject));
        let range = limit.first_bucket(at)..=limit.bucket(at);
        rows.into_iter()
            .flat_map(move |rows| rows.range(range.clone()).map(|(b, n)| (*b, *n)))
    }

    /// A subject's rows are not believed: where they leave no room, it is looked at again at
    /// `until`, and not on the next day (SCH-6).
    pub fn doubt(&mut self, limit: &Limit, until: Timestamp) {
        let subject = (limit.cap, limit.subject.clone());
        self.doubted.insert(subject, until);
    }

    /// The limit without room at `at` that stays full the longest; None when all have room.
    pub fn binding(&self, limits: &[Limit], at: Timestamp) -> Option<Binding> {
        limits
            .iter()
            .filter_map(|limit| {
                let used = self.used(limit, at);
                if used < limit.limit + i64::from(planted(Bug::OneTooMany)) {
                    return None;
                }
                let doubted = self.doubted.get(&(limit.cap, limit.subject.clone()));
                let until = doubted.copied();
                let until = until.unwrap_or_else(|| self.room_at(limit, used, at));
                (until > at).then(|| Binding {
                    cap: limit.cap,
                    subject: limit.subject.clone(),
                    limit: limit.limit,
                    used,
                    until,
                    doubted: doubted.is_some(),
                })
            })
            .max_by_key(|binding| binding.until)
    }

    fn room_at(&self, limit: &Limit, used: i64, at: Timestamp) -> Timestamp {
        let length = match limit.cap.rule().0 {
            Span::Day(_) => return windows::next_day(at, &limit.zone),
            Span::Sliding(length) => length,
        };
        let mut left = used;
        for (bucket, n) in self.counted(limit, at) {
            left -= n;
            if left < limit.limit {
                return Timestamp::from_micros((bucket + PARTS + 1).saturating_mul(part(length)));
            }
        }
        // A limit of 0 never has room; look again later, it may be raised.
        at + length
    }
}

/// The daily limit for mails from one domain to another (CAP-1): free-mail domains stand for many
/// people who don't know each other.
pub fn recipient_domain_limit(domain: &str) -> i64 {
    if is_free_mail(domain) { 500 } else { 50 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(1_772_442_000 + secs) // 2026-03-02T09:00:00Z
    }

    fn limit(cap: Cap, limit: i64) -> Limit {
        Limit {
            cap,
            subject: "acc".to_owned(),
            limit,
            zone: TimeZone::UTC,
        }
    }

    // CAP-1, CAP-2
    #[test]
    fn defaults_and_windows_are_the_specification_s() {
        let check = |cap: Cap, span: Span, default: Option<i64>| {
            assert_eq!(cap.rule(), (span, default), "{cap}");
        };
        check(Cap::MailboxDaily, Span::Day(ZoneOf::Mailbox), None);
        check(
            Cap::MailboxTotalDaily,
            Span::Day(ZoneOf::Mailbox),
            Some(500),
        );
        check(Cap::MailboxPerMinute, MINUTE, Some(2));
        check(Cap::MailboxPerHour, HOUR, Some(40));
        check(Cap::CampaignDaily, Span::Day(ZoneOf::Campaign), Some(100));
        check(
            Cap::CampaignMailboxDaily,
            Span::Day(ZoneOf::Campaign),
            Some(50),
        );
        check(Cap::ProspectDaily, Span::Day(ZoneOf::Workspace), Some(3));
        check(
            Cap::RecipientDomainDaily,
            Span::Day(ZoneOf::Workspace),
            Some(50),
        );
        check(Cap::ProviderPerMinute, MINUTE, Some(30));
        check(Cap::ProviderPerHour, HOUR, Some(600));
        check(Cap::ProviderDaily, Span::Day(ZoneOf::Utc), Some(6_000));
    }

    // CAP-2
    #[test]
    fn a_calendar_cap_has_room_again_at_midnight_of_its_zone() {
        let zone = windows::zone("Europe/Berlin").unwrap();
        let daily = Limit {
            zone,
            ..limit(Cap::MailboxDaily, 2)
        };
        let mut usage = Usage::default();
        assert_eq!(usage.binding(std::slice::from_ref(&daily), at(0)), None);
        usage.reserve(std::slice::from_ref(&daily), at(0));
        usage.reserve(std::slice::from_ref(&daily), at(60));
        let binding = usage
            .binding(std::slice::from_ref(&daily), at(120))
            .unwrap();
        assert_eq!(
            (binding.used, binding.until.to_string()),
            (2, "2026-03-02T23:00:00Z".to_owned())
        );
        assert_eq!(
            binding.reason(),
            "the mailbox's daily limit is reached (2 of 2)"
        );
        assert_eq!(usage.binding(&[daily], binding.until), None);
    }

    // SCH-6: a counter that is not believed holds nothing until the next day.
    #[test]
    fn a_doubted_counter_is_looked_at_again_soon() {
        let daily = limit(Cap::MailboxDaily, 2);
        let mut usage = Usage::default();
        usage.add(daily.cap, &daily.subject, daily.bucket(at(0)), 7);
        usage.doubt(&daily, at(300));
        let daily = [daily];
        let binding = usage.binding(&daily, at(0)).unwrap();
        assert_eq!((binding.until, binding.doubted), (at(300), true));
        assert_eq!(
            binding.reason(),
            "the mailbox's daily limit is reached by its counter, but fewer were sent; the counter is being checked (7 of 2)"
        );
        assert_eq!(usage.binding(&daily, at(300)), None);
    }

    // CAP-1: the answer names the limit that binds the longest.
    #[test]
    fn the_longest_binding_limit_is_named() {
        let limits = [
            limit(Cap::MailboxPerMinute, 1),
            limit(Cap::MailboxPerHour, 1),
        ];
        let mut usage = Usage::default();
        usage.reserve(&limits, at(0));
        assert_eq!(
            usage.binding(&limits, at(1)).unwrap().cap,
            Cap::MailboxPerHour
        );
        assert_eq!(usage.binding(&limits[..1], at(1)).unwrap().until, at(61));
        assert_eq!(usage.binding(&limits[..1], at(61)), None);
    }

    // CAP-2: in no minute there are more than the limit, however the sends fall.
    #[test]
    fn a_sliding_cap_is_never_passed() {
        use crate::{Rng, rng::SeededRng};
        let rng = SeededRng::new(5);
        for _ in 0..50 {
            let cap = limit(Cap::MailboxPerMinute, 1 + rng.below(4) as i64);
            let mut usage = Usage::default();
            let mut sent: Vec<Timestamp> = Vec::new();
            let mut now = at(0);
            for _ in 0..60 {
                now = now + Duration::from_millis(rng.below(20_000));
                match usage.binding(std::slice::from_ref(&cap), now) {
                    Some(binding) => {
                        assert!(binding.until > now);
                        now = binding.until;
                    }
                    None => {
                        usage.reserve(std::slice::from_ref(&cap), now);
                        sent.push(now);
                    }
                }
            }
            assert!(sent.len() > 15);
            for (place, first) in sent.iter().enumerate() {
                let in_minute = sent[place..]
                    .iter()
                    .filter(|at| at.since(*first) < Duration::from_secs(60))
                    .count();
                assert!(
                    in_minute as i64 <= cap.limit,
                    "{in_minute} of {}",
                    cap.limit
                );
            }
        }
    }

    #[test]
    fn a_limit_of_nothing_is_looked_at_again_later() {
        let usage = Usage::default();
        assert_eq!(
            usage
                .binding(&[limit(Cap::MailboxPerMinute, 0)], at(0))
                .unwrap()
                .until,
            at(60)
        );
        let daily = usage
            .binding(&[limit(Cap::MailboxDaily, 0)], at(0))
            .unwrap();
        assert_eq!(daily.until.to_string(), "2026-03-03T00:00:00Z");
    }

    // CAP-1
    #[test]
    fn free_mail_domains_have_more_room() {
        assert_eq!(recipient_domain_limit("gmail.com"), 500);
        assert_eq!(recipient_domain_limit("example.com"), 50);
    }
}
