//! When and from where mails go, without a database.

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

/// Mailboxes of equal weight.
fn places(limits: &[(AccountId, Vec<Limit>)]) -> Vec<Place<'_>> {
    limits
        .iter()
        .map(|(id, limits)| Place::new(*id, 1, limits))
        .collect()
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
    let accounts: Vec<Account> = (0..2).map(|n| account(n, &rng)).collect();
    let mut slots = Slots::new(MONDAY_9, Usage::default());
    for account in &accounts {
        slots.add(account, 5, &rng);
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
            candidates: &places(&candidates),
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
        assert!(
            times
                .iter()
                .all(|at| windows::is_open(*at, &campaign.windows, &TimeZone::UTC))
        );
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
        slots.add(account, 5, &rng);
    }
    let weighed = [3, 1].iter().zip(&candidates);
    let weighed: Vec<_> = weighed
        .map(|(weight, (id, limits))| Place::new(*id, *weight, limits))
        .collect();
    let mut sent = [0; 2];
    for _ in 0..mails {
        let wish = Wish {
            campaign: &campaign,
            zone: &TimeZone::UTC,
            candidates: &weighed,
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
    let (account, campaign) = (account(1, &rng), campaign(&rng));
    let mut slots = Slots::new(MONDAY_9, Usage::default());
    slots.add(&account, 5, &rng);
    let candidates = [(account.id, vec![])];
    let first = |slots: &Slots<'_>, other: Option<Timestamp>| {
        let wish = Wish {
            campaign: &campaign,
            zone: &TimeZone::UTC,
            candidates: &places(&candidates),
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

// CAP-1, ROT-1: what is known of a room stays true, whatever is laid out in it and beside it.
#[test]
fn a_room_knows_what_was_laid_out() {
    let rng = SeededRng::new(5);
    let accounts: Vec<Account> = (0..12).map(|n| account(n, &rng)).collect();
    let campaigns = [campaign(&rng), campaign(&rng)];
    let limits = campaigns.each_ref().map(|campaign| {
        let of_place = |(n, account): (usize, &Account)| {
            let of = |cap, subject: String, most| Limit {
                subject,
                ..limit(cap, most)
            };
            let limits = vec![
                of(Cap::MailboxDaily, account.id.to_string(), 3),
                of(Cap::CampaignDaily, campaign.id.to_string(), 5),
                of(Cap::ProviderPerHour, format!("relay {}", n % 2), 4),
            ];
            (account.id, limits)
        };
        accounts
            .iter()
            .enumerate()
            .map(of_place)
            .collect::<Vec<_>>()
    });
    let mut slots = Slots::new(MONDAY_9, Usage::default());
    for account in &accounts {
        slots.add(account, 0, &rng);
    }
    let mut rooms =
        [0, 1].map(|n| Room::new(&campaigns[n], TimeZone::UTC, places(&limits[n]).into_iter()));
    let mut now = 0;
    for turn in 0..60 {
        let n = rng.below(2) as usize;
        let wish = Wish {
            campaign: &campaigns[n],
            zone: &TimeZone::UTC,
            candidates: &places(&limits[n]),
            other_campaign_at: None,
        };
        let anew = slots.first(&wish).unwrap();
        let goes = anew.at <= MONDAY_9;
        assert_eq!(
            slots.look(&mut rooms[n]),
            goes.then_some(anew.account),
            "{turn}"
        );
        let words = anew.why.as_ref().map(Why::words).unwrap_or_default();
        let closed = (!goes).then_some((anew.at, words));
        assert_eq!(rooms[n].closed, closed, "{turn}");
        let place = limits[n].iter().find(|(id, _)| *id == anew.account);
        slots.take(&anew, &place.unwrap().1, &rng);
        now += usize::from(goes);
    }
    assert_eq!(now, 8, "as many as the relays take in an hour");
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
    use overture_domain::{Id, campaigns::CampaignStatus};
    Campaign {
        status: CampaignStatus::Running,
        ..Campaign::draft(
            Id::new(MONDAY_9, rng),
            Id::new(MONDAY_9, &SeededRng::new(1)),
            Id::new(MONDAY_9, rng),
            "",
            MONDAY_9,
        )
    }
}
