//! Counters that say something else than what happened (SAFE-5, SCH-6).

use std::time::Duration;

use overture_domain::{
    ActionId, CampaignId, EnrollmentId,
    accounts::Account,
    alerts::{Alert, AlertCode},
    caps::Cap,
    enrollments::{ActionState, EnrollmentState},
    events::EventKind,
    people::Actor,
};
use overture_engine::{
    Due, Part,
    campaigns::{self, CampaignIn, StepIn},
    counters, mailboxes,
    mailboxes::MailboxChange,
};
use overture_plugin_host::CallError;
use overture_store::{actions, alerts, caps::heal, enrollments, jobs, on_both};
use overture_testkit::{MONDAY, Outreach, outreach::Fate};

use super::{DAY, HOUR, all_are, monday};

/// What the daily counters say, but for those that say 0.
async fn said(world: &Outreach) -> Vec<(Cap, String, i64)> {
    let daily: Vec<_> = Cap::ALL
        .iter()
        .copied()
        .filter(|cap| cap.is_daily())
        .collect();
    let all = heal::list(&mut world.env().db.reader(), world.ws, &daily).await;
    let all = all.unwrap().into_iter().filter(|one| one.used != 0);
    all.map(|one| (one.cap, one.subject, one.used)).collect()
}

async fn open_alerts(world: &Outreach) -> Vec<Alert> {
    alerts::list_open(&mut world.env().db.reader())
        .await
        .unwrap()
}

async fn numbers(world: &Outreach, campaign: CampaignId) -> (i64, i64) {
    let stats = campaigns::stats(world.env(), world.ws, campaign)
        .await
        .unwrap();
    (stats.sent, stats.contacted)
}

/// A mailbox with a limit, and a campaign with these people, all to be written to today.
async fn running(world: &Outreach, limit: i64, people: usize) -> (Account, CampaignId) {
    let mailbox = world.mailbox("ada@sender.test").await;
    let change = MailboxChange {
        daily_limit: Some(limit),
        ..MailboxChange::default()
    };
    mailboxes::update(world.env(), world.ws, mailbox.id, change, &Actor::Cli)
        .await
        .unwrap();
    let people = world.prospects(people).await;
    let campaign = world.running(&[&mailbox], &people).await;
    (mailbox, campaign)
}

/// A mail that went out for the first step comes back, and goes out again in an hour (SAF-4).
async fn comes_back(world: &Outreach, enrollment: EnrollmentId, action: ActionId) {
    let (env, ws, now) = (world.env(), world.ws, world.env().now());
    let mut tx = env.db.begin().await.unwrap();
    let back = enrollments::step_back(&mut tx, ws, enrollment, 0, now).await;
    assert!(back.unwrap());
    let words = "552 5.2.2 mailbox full";
    let taken = actions::take_back(&mut tx, ws, action, 1, words, now).await;
    assert_eq!(taken.unwrap(), Some(1));
    let again = jobs::Planned {
        job_id: env.id(),
        workspace_id: ws,
        enrollment_id: enrollment,
        run_at: now + HOUR,
        lane: None,
        reason: String::new(),
        waits: false,
    };
    jobs::plan(&mut tx, &[again], now).await.unwrap();
    tx.commit().await.unwrap();
}

on_both! {
    // SAFE-5: what the hand-outs reserved is what happened; falsified, it is set right, up and down.
    async fn counters_heal_both_ways(test: TestDatabase) {
        let world = Outreach::new(test).await;
        world.post.allow(Some(500), None);
        let (_, campaign) = running(&world, 50, 6).await;
        world.post.next("p1@d1.test", [Fate::Crash(CallError::Panicked { message: "oops".into() })]);
        world.run_until(monday(10, 0)).await;
        let truth = said(&world).await;
        assert!(truth.len() > 12, "{truth:?}");
        counters::reconcile(world.env(), true).await.unwrap();
        assert_eq!(said(&world).await, truth, "nothing was wrong");
        assert_eq!(open_alerts(&world).await, []);
        let numbers_before = numbers(&world, campaign).await;

        for falsify in [
            "UPDATE cap_usage SET used = used + 3",
            "UPDATE cap_usage SET used = used - 1",
            "UPDATE cap_usage SET used = 999",
            "DELETE FROM cap_usage",
            "UPDATE event_counts SET n = n + 7, people = 0",
            "DELETE FROM event_counts",
        ] {
            world.kit.database.execute_raw(falsify).await.unwrap();
            counters::reconcile(world.env(), true).await.unwrap();
            assert_eq!(said(&world).await, truth, "{falsify}");
            assert_eq!(numbers(&world, campaign).await, numbers_before, "{falsify}");
            let open = open_alerts(&world).await;
            assert_eq!(open.iter().map(|one| one.code).collect::<Vec<_>>(), [AlertCode::CounterDrift], "{falsify}");
            counters::reconcile(world.env(), true).await.unwrap();
            assert_eq!(open_alerts(&world).await, [], "its cause is gone");
        }
    }

    // SAFE-1, SAFE-5: a mail that came back and goes out again was two mails of that day, and both
    // are told.
    async fn a_mail_that_came_back_still_counts(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let (_, campaign) = running(&world, 50, 2).await;
        while world.post.taken().is_empty() {
            world.run_for(Duration::from_secs(60)).await;
        }
        let (env, ws) = (world.env(), world.ws);
        let all: Vec<_> = world.enrollments(campaign).await.iter().map(|one| one.id).collect();
        let begun = actions::list_by_enrollments(&mut env.db.reader(), ws, &all).await.unwrap();
        let sent = begun.iter().find(|action| action.state == ActionState::Done).unwrap();
        let (enrollment, action) = (sent.enrollment_id, sent.id);
        comes_back(&world, enrollment, action).await;
        world.run_until(monday(12, 0)).await;
        assert_eq!(world.post.taken().len(), 3);
        assert_eq!(numbers(&world, campaign).await, (3, 2));
        let truth = said(&world).await;
        assert!(truth.iter().any(|(.., used)| *used == 3), "{truth:?}");
        counters::reconcile(env, true).await.unwrap();
        assert_eq!(said(&world).await, truth);
        assert_eq!(open_alerts(&world).await, []);
    }

    // SAFE-5: a mail whose server takes it before midnight and says so after it was a mail of the day
    // before, also once it has come back and gone out again.
    async fn a_mail_counts_on_the_day_on_which_it_was_attempted(test: TestDatabase) {
        let world = Outreach::new(test).await;
        world.kit.clock.advance_to(monday(23, 55));
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(1).await;
        let windows = vec![overture_domain::campaigns::Window { days: (0..7).collect(), start: 0, end: 0 }];
        let one = crate::limits::campaign_in(&[&mailbox]);
        let steps = [one.steps.clone(), one.steps.clone()].concat();
        let given = CampaignIn { windows: Some(windows), steps, ..one };
        let campaign = world.create(&given).await;
        world.enroll(campaign, &people).await;
        world.start(campaign).await;
        let go = std::sync::Arc::new(tokio::sync::Notify::new());
        world.post.next("p0@d0.test", [Fate::After(std::sync::Arc::clone(&go), Box::new(Fate::Taken))]);
        let (env, ws) = (world.env(), world.ws);
        overture_engine::campaigns::tick(env).await.unwrap();
        while env.under_way.count(Part::Sends) == 0 {
            if let Due::At(at) = overture_engine::sends::tick(env).await.unwrap() {
                world.kit.clock.advance_to(at);
            }
        }
        while world.post.asked().is_empty() {
            tokio::task::yield_now().await;
        }
        assert!(env.now() < monday(24, 0));
        world.kit.clock.advance_to(monday(24, 4));
        go.notify_one();
        world.settle().await;
        let enrollment = world.enrollments(campaign).await[0].id;
        let action = actions::list_by_enrollments(&mut env.db.reader(), ws, &[enrollment]).await.unwrap()[0].id;
        comes_back(&world, enrollment, action).await;
        world.run_until(monday(24 + 3, 0)).await;
        assert_eq!(world.post.asked().len(), 2);
        let truth = said(&world).await;
        counters::reconcile(env, true).await.unwrap();
        assert_eq!(said(&world).await, truth, "one mail was attempted on either day");
        assert_eq!(open_alerts(&world).await, []);
    }

    // SCH-6: a false hit waits five minutes, not for the next day, and the reconciler is asked.
    async fn a_false_hit_is_looked_at_again_in_five_minutes(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let (_, campaign) = running(&world, 5, 4).await;
        while world.post.taken().is_empty() {
            world.run_for(Duration::from_secs(60)).await;
        }
        assert_eq!(world.post.taken().len(), 1);
        world.kit.database.execute_raw("UPDATE cap_usage SET used = 5 WHERE kind = 'mailbox_daily'").await.unwrap();
        let asked = world.env().wakes.count(Part::Counters);
        world.run_until(monday(9, 20)).await;
        assert_eq!(world.post.taken().len(), 1);
        assert!(world.env().wakes.count(Part::Counters) > asked);
        let waiting: Vec<_> = world.enrollments(campaign).await.into_iter().filter(|e| e.state.is_open()).collect();
        assert_eq!(waiting.len(), 3);
        for one in &waiting {
            assert_eq!(one.reason, "the mailbox's daily limit is reached by its counter, but fewer were sent; the counter is being checked (5 of 5)");
            assert!(one.next_action_at <= Some(world.env().now() + Duration::from_secs(5 * 60)), "{one:?}");
        }
        // The reconciler comes: all go today, at the pace of the mailbox.
        counters::reconcile(world.env(), true).await.unwrap();
        world.run_until(monday(10, 0)).await;
        all_are(&world, campaign, EnrollmentState::Completed).await;
        assert_eq!(world.events(EventKind::LimitHit).await, []);
    }

    // SCH-6, SAFE-1: a true hit waits for the next day, also where the counter says more.
    async fn a_true_hit_stays_one(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let (_, campaign) = running(&world, 2, 4).await;
        world.run_until(monday(10, 0)).await;
        assert_eq!(world.post.taken().len(), 2);
        world.kit.database.execute_raw("UPDATE cap_usage SET used = 40 WHERE kind = 'mailbox_daily'").await.unwrap();
        counters::reconcile(world.env(), true).await.unwrap();
        world.run_until(monday(23, 0)).await;
        assert_eq!(world.post.taken().len(), 2);
        world.run_until(monday(12, 0) + DAY).await;
        all_are(&world, campaign, EnrollmentState::Completed).await;
    }

    // SAFE-5: who a false counter of their own has pushed far ahead is planned anew.
    async fn who_was_pushed_far_ahead_is_planned_anew(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(2).await;
        // Open on Mondays and Thursdays: the next day is far ahead.
        let windows = vec![overture_domain::campaigns::Window { days: vec![1, 4], start: 9 * 60, end: 17 * 60 }];
        let given = CampaignIn {
            name: "Spring".into(),
            steps: vec![StepIn { subject: "Hi".into(), body_html: "Hi".into(), ..StepIn::default() }],
            mailbox_ids: vec![mailbox.id],
            windows: Some(windows),
            ..CampaignIn::default()
        };
        let campaign = world.create(&given).await;
        world.enroll(campaign, &people).await;
        let mut tx = world.env().db.begin().await.unwrap();
        let day = Cap::ProspectDaily.bucket(MONDAY, &jiff::tz::TimeZone::UTC);
        let used = |id: &overture_domain::ProspectId| overture_store::caps::Use { cap: Cap::ProspectDaily, subject: id.to_string(), bucket: day, n: 3 };
        let uses: Vec<_> = people.iter().map(used).collect();
        overture_store::caps::add(&mut tx, world.ws, &uses).await.unwrap();
        tx.commit().await.unwrap();
        world.start(campaign).await;
        world.run_until(monday(9, 10)).await;
        // As a hand-out without the valve would have left them.
        let far = (MONDAY + DAY * 3).as_micros();
        let push = format!("UPDATE jobs SET run_at = {far}, lane = NULL WHERE state = 'pending'");
        world.kit.database.execute_raw(String::leak(push)).await.unwrap();
        let push = format!("UPDATE enrollments SET next_action_at = {far}, reason = 'the daily limit for one prospect is reached (3 of 3)'");
        world.kit.database.execute_raw(String::leak(push)).await.unwrap();
        counters::reconcile(world.env(), true).await.unwrap();
        world.settle().await;
        for one in world.enrollments(campaign).await {
            let at = one.next_action_at.unwrap();
            assert!(at > world.env().now() && at < monday(10, 0), "spread, and today: {one:?}");
        }
        world.run_until(monday(11, 0)).await;
        all_are(&world, campaign, EnrollmentState::Completed).await;
    }

    // CAP-2: what a moved calendar carried along is no drift.
    async fn a_moved_zone_is_no_drift(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let (mailbox, _) = running(&world, 3, 9).await;
        world.run_until(monday(12, 0)).await;
        for zone in ["Pacific/Kiritimati", "America/New_York", "Europe/Berlin"] {
            let change = MailboxChange { time_zone: Some(zone.into()), ..MailboxChange::default() };
            mailboxes::update(world.env(), world.ws, mailbox.id, change, &Actor::Cli).await.unwrap();
            let before = said(&world).await;
            counters::reconcile(world.env(), true).await.unwrap();
            assert_eq!(said(&world).await, before, "{zone}");
        }
        world.run_until(monday(21, 0)).await;
        assert_eq!(world.post.taken().len(), 3);
    }

    // SAFE-5: a mail that nobody knows the end of counts, and after two hours somebody is told.
    async fn a_counter_beside_no_event_is_an_alert(test: TestDatabase) {
        let world = Outreach::new(test).await;
        world.post.next("p0@d0.test", [Fate::Crash(CallError::Panicked { message: "oops".into() })]);
        running(&world, 50, 1).await;
        world.run_until(monday(10, 0)).await;
        counters::reconcile(world.env(), true).await.unwrap();
        assert_eq!(open_alerts(&world).await, []);
        world.run_until(monday(11, 10)).await;
        counters::reconcile(world.env(), true).await.unwrap();
        let open = open_alerts(&world).await;
        assert_eq!(open.iter().map(|one| one.code).collect::<Vec<_>>(), [AlertCode::CounterWithoutEvent]);
        assert!(!said(&world).await.is_empty(), "it may have gone out: it counts");
        world.run_until(MONDAY + DAY).await;
        counters::reconcile(world.env(), true).await.unwrap();
        assert_eq!(open_alerts(&world).await, [], "not of that day");
    }

    // SAFE-5: at the start, every half an hour, and when somebody asks.
    async fn the_reconciler_comes_by_itself(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let (_, campaign) = running(&world, 50, 2).await;
        world.run_until(monday(9, 30)).await;
        let numbers_before = numbers(&world, campaign).await;
        let falsify = async || {
            let row = "UPDATE event_counts SET n = n + 7, people = 0";
            world.kit.database.execute_raw(row).await.unwrap();
        };
        let look = async || {
            let due = counters::tick(world.env()).await.unwrap();
            (due, numbers(&world, campaign).await == numbers_before)
        };
        let half = Duration::from_secs(1_800);
        let next = Due::At(monday(9, 30) + half);
        falsify().await;
        assert_eq!(look().await, (next, true), "at the start");
        falsify().await;
        assert_eq!(look().await, (next, false), "not yet");
        world.env().wakes.wake(Part::Counters);
        assert_eq!(look().await, (next, true), "somebody asked");
        falsify().await;
        world.kit.clock.advance(half);
        assert_eq!(look().await, (Due::At(monday(9, 30) + half * 2), true), "it is time");
    }

    // Counters that no decision looks at any more are forgotten.
    async fn old_counters_are_forgotten(test: TestDatabase) {
        let world = Outreach::new(test).await;
        running(&world, 50, 3).await;
        world.run_until(monday(10, 0)).await;
        let count = async || heal::list(&mut world.env().db.reader(), world.ws, Cap::ALL).await.unwrap().len();
        let before = count().await;
        counters::reconcile(world.env(), true).await.unwrap();
        let today = count().await;
        assert!(today < before && today >= said(&world).await.len(), "{before} {today}");
        world.run_until(MONDAY + DAY * 4).await;
        counters::reconcile(world.env(), true).await.unwrap();
        assert_eq!(count().await, 0);
    }
}
