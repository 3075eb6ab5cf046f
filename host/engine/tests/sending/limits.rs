//! Windows, pace and caps.

use std::{collections::HashMap, time::Duration};

use overture_domain::{
    HostId, Id, Timestamp, accounts::Account, campaigns::Window, enrollments::EnrollmentState,
    events::EventKind, people::Actor, rng::SeededRng,
};
use overture_engine::{
    Env,
    campaigns::{self, CampaignIn, CampaignPatch, Enroll, StepIn},
    leases, mailboxes,
    mailboxes::MailboxChange,
    prospects, sends,
};
use overture_store::on_both;
use overture_testkit::{MONDAY, Outreach};

use super::{DAY, HOUR, all_are, monday, states};

pub(super) fn campaign_in(mailboxes: &[&Account]) -> CampaignIn {
    CampaignIn {
        name: "Spring".into(),
        steps: vec![StepIn {
            subject: "Hi".into(),
            body_html: "Hi".into(),
            ..StepIn::default()
        }],
        mailbox_ids: mailboxes.iter().map(|mailbox| mailbox.id).collect(),
        ..CampaignIn::default()
    }
}

/// When mails went out.
async fn times(world: &Outreach) -> Vec<Timestamp> {
    world
        .events(EventKind::EmailSent)
        .await
        .iter()
        .map(|event| event.occurred_at)
        .collect()
}

/// How many went out on each day since Monday.
async fn per_day(world: &Outreach) -> Vec<usize> {
    let mut days = vec![0; 15];
    for at in times(world).await {
        days[usize::try_from(at.since(MONDAY - HOUR * 9).as_secs() / 86_400).unwrap()] += 1;
    }
    let end = days.iter().rposition(|n| *n > 0).map_or(0, |last| last + 1);
    days.truncate(end);
    days
}

on_both! {
    // SCH-1, SCH-2: only inside the window, in the zone of the campaign or of the prospect.
    async fn mails_go_out_inside_the_window_alone(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let mut far = world.prospect("far@d.test");
        far.time_zone = "America/New_York".into();
        let people = world.write_prospects(&[world.prospect("near@d.test"), far]).await;
        let given = CampaignIn { windows: Some(vec![Window { days: vec![2], start: 10 * 60, end: 11 * 60 }]), ..campaign_in(&[&mailbox]) };
        let campaign = world.create(&given).await;
        world.enroll(campaign, &people).await;
        world.start(campaign).await;
        world.settle().await;
        let planned = world.enrollments(campaign).await;
        assert!(planned.iter().all(|e| e.reason == "outside the sending window"), "{planned:?}");
        world.run_until(MONDAY + DAY * 2).await;
        let sent = world.events(EventKind::EmailSent).await;
        let at: Vec<_> = sent.iter().map(|event| event.occurred_at.to_string()).collect();
        // 10 o'clock on Tuesday in UTC, and in New York.
        assert_eq!(at, ["2026-03-03T10:00:00Z", "2026-03-03T15:00:00Z"]);
    }

    // CAP-1, CAP-4, MB-4: the mailbox's own limit, by its own calendar.
    async fn the_mailbox_s_daily_limit_holds(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let limit = async |n| {
            let change = MailboxChange { daily_limit: Some(n), ..MailboxChange::default() };
            mailboxes::update(world.env(), world.ws, mailbox.id, change, &Actor::Cli).await.unwrap();
        };
        limit(3).await;
        let people = world.prospects(8).await;
        let campaign = world.running(&[&mailbox], &people).await;
        world.run_until(monday(10, 0)).await;
        assert_eq!(world.post.taken().len(), 3);
        let waiting: Vec<_> = world.enrollments(campaign).await.into_iter().filter(|e| e.state.is_open()).collect();
        assert_eq!(waiting.len(), 5);
        for enrollment in &waiting {
            assert_eq!(enrollment.reason, "the mailbox's daily limit is reached (3 of 3)");
            assert!(enrollment.next_action_at >= Some(monday(9, 0) + DAY), "{enrollment:?}");
        }
        let hits = world.events(EventKind::LimitHit).await;
        assert_eq!(hits.len(), 1);
        let data = &hits[0].data;
        assert_eq!((&data["limitType"], &data["currentValue"], &data["limitValue"]), (&"daily_mailbox".into(), &3.into(), &3.into()));
        assert_eq!(data["mailboxId"], mailbox.id.to_string());
        // MB-4: lowered under what is sent today only waits for tomorrow.
        limit(2).await;
        world.run_until(MONDAY + DAY * 7).await;
        assert_eq!(per_day(&world).await, [3, 2, 2, 1]);
        all_are(&world, campaign, EnrollmentState::Completed).await;
    }

    // CAP-2: moving a zone gives no second quota for the same hours.
    async fn a_moved_zone_gives_no_second_quota(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let change = async |change| { mailboxes::update(world.env(), world.ws, mailbox.id, change, &Actor::Cli).await.unwrap(); };
        change(MailboxChange { daily_limit: Some(3), ..MailboxChange::default() }).await;
        let people = world.prospects(9).await;
        world.running(&[&mailbox], &people).await;
        world.run_until(monday(12, 0)).await;
        assert_eq!(world.post.taken().len(), 3);
        // There it is Tuesday already.
        change(MailboxChange { time_zone: Some("Pacific/Kiritimati".into()), ..MailboxChange::default() }).await;
        world.run_until(monday(23, 59)).await;
        assert_eq!(world.post.taken().len(), 3);
        world.run_until(monday(23, 59) + DAY).await;
        assert_eq!(per_day(&world).await, [3, 3]);
    }

    // CAP-1: campaign, campaign and mailbox, recipient domain, the service's own limit.
    async fn each_daily_cap_holds(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let (env, ws) = (world.env(), world.ws);
        let people = world.prospects(9).await;
        let given = CampaignIn { daily_send_limit: Some(4), ..campaign_in(&[&mailbox]) };
        let campaign = world.create(&given).await;
        world.enroll(campaign, &people).await;
        world.start(campaign).await;
        world.run_until(monday(8, 59) + DAY).await;
        assert_eq!(per_day(&world).await, [4]);
        let reason = |list: Vec<overture_domain::enrollments::Enrollment>| list.into_iter().find(|e| e.state.is_open()).unwrap().reason;
        assert_eq!(reason(world.enrollments(campaign).await), "the campaign's daily limit is reached (4 of 4)");
        // A raised limit is used at its pace, not in a burst (SAFE-1); the cap beside it binds next.
        let raise = CampaignPatch { daily_send_limit: Some(100), max_sends_per_mailbox_per_day: Some(2), ..CampaignPatch::default() };
        campaigns::update(env, ws, campaign, &raise, &Actor::Cli).await.unwrap();
        world.run_until(monday(8, 59) + DAY * 2).await;
        assert_eq!(per_day(&world).await, [4, 2]);
        // CAP-1: the provider plugin's own limit.
        world.post.allow(Some(1), None);
        let raise = CampaignPatch { max_sends_per_mailbox_per_day: Some(50), ..CampaignPatch::default() };
        campaigns::update(env, ws, campaign, &raise, &Actor::Cli).await.unwrap();
        world.run_until(monday(8, 59) + DAY * 3).await;
        assert_eq!(per_day(&world).await, [4, 2, 1]);
    }

    // CAP-1: 50 a day from one domain to another, 500 to a free-mail domain.
    async fn a_recipient_domain_gets_fifty_a_day(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailboxes = [world.mailbox("a@sender.test").await, world.mailbox("b@sender.test").await];
        let people: Vec<_> = (0..52).map(|n| world.prospect(&format!("p{n}@one.test"))).chain((0..3).map(|n| world.prospect(&format!("p{n}@gmail.com")))).collect();
        let ids = world.write_prospects(&people).await;
        let given = CampaignIn { minutes_between_sends: Some(1), windows: Some(vec![Window { days: (0..7).collect(), start: 0, end: 0 }]), ..campaign_in(&[&mailboxes[0], &mailboxes[1]]) };
        let campaign = world.create(&given).await;
        world.enroll(campaign, &ids).await;
        world.start(campaign).await;
        world.run_until(monday(23, 59)).await;
        let asked = world.post.asked();
        let to = |domain: &str| asked.iter().filter(|email| email.ends_with(domain)).count();
        assert_eq!((to("one.test"), to("gmail.com")), (50, 3));
        let hit = world.events(EventKind::LimitHit).await;
        assert_eq!(hit.iter().map(|event| event.data["limitType"].as_str().unwrap()).collect::<Vec<_>>(), ["daily_domain"]);
        world.run_until(monday(9, 0) + DAY).await;
        all_are(&world, campaign, EnrollmentState::Completed).await;
    }

    // CAP-1: 40 an hour for a mailbox, and 2 a minute, however short the pace.
    async fn the_rates_of_a_mailbox_hold(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people: Vec<_> = (0..50).map(|n| world.prospect(&format!("p@d{n}.test"))).collect();
        let ids = world.write_prospects(&people).await;
        let given = CampaignIn { minutes_between_sends: Some(0), ..campaign_in(&[&mailbox]) };
        let campaign = world.create(&given).await;
        world.enroll(campaign, &ids).await;
        world.start(campaign).await;
        world.run_until(monday(12, 0)).await;
        all_are(&world, campaign, EnrollmentState::Completed).await;
        let times = times(&world).await;
        assert_eq!(times.len(), 50);
        for (span, most) in [(60, 2), (3_600, 40)] {
            for (place, first) in times.iter().enumerate() {
                let n = times[place..].iter().filter(|at| at.since(*first) < Duration::from_secs(span)).count();
                assert!(n <= most, "{n} within {span} s");
            }
        }
    }

    // SCH-4: the longest minutes between sends among the campaigns that share the mailbox.
    async fn campaigns_share_the_pace_of_a_mailbox(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(8).await;
        for (minutes, part) in [(5, &people[..4]), (20, &people[4..])] {
            let given = CampaignIn { minutes_between_sends: Some(minutes), ..campaign_in(&[&mailbox]) };
            let campaign = world.create(&given).await;
            world.enroll(campaign, part).await;
            world.start(campaign).await;
        }
        world.run_until(monday(16, 0)).await;
        let times = times(&world).await;
        assert_eq!(times.len(), 8);
        assert!(times.windows(2).all(|pair| pair[1].since(pair[0]) > Duration::from_secs(20 * 60)), "{times:?}");
    }

    // CAP-1: a day between mails of different campaigns to one prospect; 3 a day in all.
    async fn two_campaigns_write_to_a_prospect_a_day_apart(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(1).await;
        let mut made = Vec::new();
        for _ in 0..2 {
            let campaign = world.create(&campaign_in(&[&mailbox])).await;
            let who = Enroll { prospect_ids: people.clone(), also_active_elsewhere: true, ..Enroll::default() };
            campaigns::enroll(world.env(), world.ws, campaign, &who, &Actor::Cli).await.unwrap();
            world.start(campaign).await;
            made.push(campaign);
        }
        world.run_until(monday(17, 0)).await;
        assert_eq!(world.post.taken().len(), 1);
        let both = [world.enrollments(made[0]).await, world.enrollments(made[1]).await].concat();
        let waiting = both.iter().find(|e| e.state.is_open()).unwrap();
        assert_eq!(waiting.reason, "another campaign wrote to this prospect less than 24 hours ago");
        let hits = world.events(EventKind::LimitHit).await;
        assert_eq!(hits.iter().map(|event| event.data["limitType"].as_str().unwrap()).collect::<Vec<_>>(), ["cooldown"]);
        world.run_until(MONDAY + DAY * 2).await;
        let times = times(&world).await;
        assert_eq!(times.len(), 2);
        assert!(times[1].since(times[0]) >= DAY, "{times:?}");
    }

    // CAP-1: also where both would write at the same moment, from a mailbox each.
    async fn campaigns_of_one_moment_write_to_a_prospect_a_day_apart(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mut lacking = world.prospect("p@d.test");
        lacking.company = String::new();
        let people = world.write_prospects(&[lacking]).await;
        for address in ["ada@sender.test", "bob@sender.test"] {
            let mailbox = world.mailbox(address).await;
            let mut given = CampaignIn { minutes_between_sends: Some(0), ..campaign_in(&[&mailbox]) };
            given.steps[0].body_html = "Hi {{company}}".into();
            let campaign = world.create(&given).await;
            let who = Enroll { prospect_ids: people.clone(), also_active_elsewhere: true, ..Enroll::default() };
            campaigns::enroll(world.env(), world.ws, campaign, &who, &Actor::Cli).await.unwrap();
            world.start(campaign).await;
        }
        // Both wait for the company, and then for the next morning.
        world.run_until(monday(20, 0)).await;
        assert_eq!(world.post.taken().len(), 0);
        let fields = prospects::Fields { company: Some("Example".into()), ..prospects::Fields::default() };
        prospects::update(world.env(), world.ws, people[0], fields).await.unwrap();
        world.run_until(monday(20, 0) + DAY).await;
        assert_eq!(world.post.taken().len(), 1);
        world.run_until(monday(20, 0) + DAY * 2).await;
        let times = times(&world).await;
        assert_eq!(times.len(), 2);
        assert!(times[1].since(times[0]) >= DAY, "{times:?}");
    }

    // SCH-4, SEQ-4: follow-ups go from their mailbox at the campaign's pace, also where it isn't in the
    // pool any more, beside a campaign that is faster.
    async fn a_mailbox_keeps_the_pace_of_campaigns_that_it_has_left(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let (ada, bob) = (world.mailbox("ada@sender.test").await, world.mailbox("bob@sender.test").await);
        let people = world.prospects(5).await;
        let mut slow = CampaignIn { minutes_between_sends: Some(20), ..campaign_in(&[&ada]) };
        slow.steps.push(StepIn { body_html: "And?".into(), delay_minutes: Some(600), ..StepIn::default() });
        let slow = world.create(&slow).await;
        world.enroll(slow, &people[..4]).await;
        world.start(slow).await;
        world.run_until(monday(17, 0)).await;
        let patch = CampaignPatch { mailbox_ids: Some(vec![bob.id]), ..CampaignPatch::default() };
        campaigns::update(world.env(), world.ws, slow, &patch, &Actor::Cli).await.unwrap();
        let fast = world.create(&CampaignIn { minutes_between_sends: Some(1), ..campaign_in(&[&ada]) }).await;
        world.enroll(fast, &people[4..]).await;
        world.start(fast).await;
        world.run_until(monday(20, 0) + DAY).await;
        let times = times(&world).await;
        assert_eq!(times.len(), 9);
        assert!(times.windows(2).all(|pair| pair[1].since(pair[0]) > Duration::from_secs(20 * 60)), "{times:?}");
    }

    // CAP-2, SCH-7: hosts that work at the same time can't overshoot, and send nothing twice.
    async fn concurrent_hosts_keep_the_caps(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailboxes = [world.mailbox("a@sender.test").await, world.mailbox("b@sender.test").await, world.mailbox("c@sender.test").await];
        let people: Vec<_> = (0..30).map(|n| world.prospect(&format!("p@d{n}.test"))).collect();
        let ids = world.write_prospects(&people).await;
        let all: Vec<_> = mailboxes.iter().collect();
        let given = CampaignIn { daily_send_limit: Some(10), minutes_between_sends: Some(0), ..campaign_in(&all) };
        let campaign = world.create(&given).await;
        world.enroll(campaign, &ids).await;
        world.start(campaign).await;
        world.settle().await;
        let mut hosts: Vec<Env> = Vec::new();
        for n in 0..3 {
            let mut env = world.env().clone();
            env.host = HostId::from_uuid(Id::<overture_domain::id::kinds::Host>::new(MONDAY, &SeededRng::new(50 + n)).uuid());
            let mut tx = env.db.begin().await.unwrap();
            overture_store::hosts::heartbeat(&mut tx, env.host, "test", MONDAY).await.unwrap();
            tx.commit().await.unwrap();
            hosts.push(env);
        }
        for _ in 0..200 {
            world.kit.clock.advance(Duration::from_secs(20));
            let ticks = hosts.iter().map(|env| async { sends::tick(env).await.unwrap() });
            futures::future::join_all(ticks).await;
            world.env().under_way.settled().await;
        }
        leases::tick(world.env()).await.unwrap();
        assert_eq!(per_day(&world).await, [10]);
        let mut asked = world.post.asked();
        asked.sort();
        asked.dedup();
        assert_eq!(asked.len(), 10, "nobody was written to twice");
        assert_eq!(states(&world, campaign).await, "10 completed, 20 queued");
    }

    // ROT-1: mailboxes take turns.
    async fn the_pool_shares_the_work(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailboxes = [world.mailbox("a@sender.test").await, world.mailbox("b@sender.test").await, world.mailbox("c@sender.test").await];
        let people = world.prospects(21).await;
        world.running(&[&mailboxes[0], &mailboxes[1], &mailboxes[2]], &people).await;
        world.run_until(monday(12, 0)).await;
        let mut by_sender: HashMap<String, usize> = HashMap::new();
        for mail in world.post.taken() {
            *by_sender.entry(mail.envelope.sender).or_default() += 1;
        }
        assert_eq!(by_sender.values().sum::<usize>(), 21);
        assert!(by_sender.len() == 3 && by_sender.values().all(|n| (5..=9).contains(n)), "{by_sender:?}");
    }
}
