//! Processes that die, and jobs that hang (SCH-5, SAFE-3).

use std::time::Duration;

use overture_domain::{
    HostId, Id,
    enrollments::{ActionState, Attempt, EnrollmentState, JobKind},
    events::EventKind,
    id::kinds,
    rng::SeededRng,
};
use overture_engine::{Env, Part, campaigns, leases, sends};
use overture_plugin_host::capabilities::mailbox::{Failure, Reply, Stage, SubmissionRecord};
use overture_store::{actions, evidence, jobs, lanes, on_both};
use overture_testkit::{MONDAY, Outreach, outreach, outreach::Fate};

use super::{HOUR, all_are, outcomes::used};

/// Another process on the same database.
async fn another_host(world: &Outreach, n: u64) -> Env {
    let mut env = world.env().clone();
    env.host = HostId::from_uuid(Id::<kinds::Host>::new(MONDAY, &SeededRng::new(n)).uuid());
    env.under_way = std::sync::Arc::default();
    leases::start(&env, "another").await.unwrap();
    env
}

/// Lets the first host hand out what is due in the next minutes and never hear of it again.
async fn die_sending(world: &Outreach) {
    let next = world.settle().await.unwrap();
    world.kit.clock.advance_to(next);
    sends::tick(world.env()).await.unwrap();
    assert_eq!(world.env().under_way.count(Part::Sends), 1);
    // The plugin has been called.
    while world.post.asked().is_empty() {
        tokio::task::yield_now().await;
    }
}

/// Takes everything that is due, and does nothing with it; how many.
async fn take(env: &Env) -> usize {
    let (now, real) = (env.now(), env.real.now());
    let mut tx = env.db.begin().await.unwrap();
    let due = lanes::list_due(&mut tx, now, 9, 9).await.unwrap();
    let heads: Vec<_> = due.iter().map(|due| (&due.lane, 9)).collect();
    let in_lanes = lanes::claim(&mut tx, &heads, env.host, now, real).await;
    let alone = jobs::claim(&mut tx, JobKind::SendStep, env.host, now, real, 9).await;
    tx.commit().await.unwrap();
    in_lanes.unwrap().len() + alone.unwrap().len()
}

on_both! {
    // SCH-5, SAFE-3: a host that dies after the attempt leaves an ambiguous send, never a second one.
    async fn an_attempt_of_a_dead_host_is_not_repeated(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(1).await;
        world.post.next("p0@d0.test", [Fate::Silence]);
        let campaign = world.running(&[&mailbox], &people).await;
        die_sending(&world).await;
        world.kit.clock.advance(Duration::from_secs(31));
        let other = another_host(&world, 9).await;
        leases::tick(&other).await.unwrap();
        outreach::settle(&other).await;
        all_are(&world, campaign, EnrollmentState::AmbiguousSend).await;
        world.kit.clock.advance(HOUR);
        outreach::settle(&other).await;
        assert_eq!(world.post.asked().len(), 1);
        // A person says that nothing went out.
        let waiting = evidence::list(&mut other.db.reader(), world.ws, None, 10).await.unwrap();
        let ids: Vec<_> = waiting.iter().map(|send| send.action.id).collect();
        let resolved = sends::resolve(&other, world.ws, &ids, false, &overture_domain::people::Actor::Cli).await.unwrap();
        assert_eq!(resolved.len(), 1);
        world.kit.clock.advance(HOUR);
        outreach::settle(&other).await;
        world.kit.clock.advance(HOUR);
        outreach::settle(&other).await;
        all_are(&world, campaign, EnrollmentState::Completed).await;
        assert_eq!(world.post.asked().len(), 2);
    }

    // SAFE-3, SAFE-5: whoever is taken out before the death of the host that wrote to them is noticed may
    // have got the mail; nobody takes the step up again, and it is not forgotten.
    async fn an_attempt_of_a_dead_host_outlives_the_way_of_its_enrollment(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(1).await;
        world.post.next("p0@d0.test", [Fate::Silence]);
        let campaign = world.running(&[&mailbox], &people).await;
        die_sending(&world).await;
        let other = another_host(&world, 9).await;
        campaigns::unenroll(&other, world.ws, campaign, &people, &[]).await.unwrap();
        world.kit.clock.advance(HOUR);
        leases::tick(&other).await.unwrap();
        outreach::settle(&other).await;
        all_are(&world, campaign, EnrollmentState::Stopped).await;
        let waiting = evidence::list(&mut other.db.reader(), world.ws, None, 10).await.unwrap();
        let ids: Vec<_> = waiting.iter().map(|send| send.action.id).collect();
        assert_eq!(ids.len(), 1, "a person is asked");
        sends::resolve(&other, world.ws, &ids, true, &overture_domain::people::Actor::Cli).await.unwrap();
        assert_eq!(world.events(EventKind::EmailSent).await.len(), 1);
        assert_eq!(world.post.asked().len(), 1);
    }

    // SCH-5: what a dead host held waits for nobody's next wake, whichever part it belongs to.
    async fn leases_that_come_back_wake_every_part(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(1).await;
        world.running(&[&mailbox], &people).await;
        let dying = another_host(&world, 9).await;
        let next = world.settle().await.unwrap();
        world.kit.clock.advance_to(next);
        assert_eq!(take(&dying).await, 1);
        world.kit.clock.advance(Duration::from_secs(31));
        let env = world.env();
        let wakes = || Part::ALL.iter().map(|part| env.wakes.count(*part)).collect::<Vec<_>>();
        let before = wakes();
        leases::tick(env).await.unwrap();
        let woken = Part::ALL.iter().zip(before.into_iter().zip(wakes()));
        for (part, (before, now)) in woken.filter(|(part, _)| **part != Part::Leases) {
            assert!(now > before, "{part} sleeps on");
        }
    }

    // SAFE-3, SCH-5: who lost the lease says nothing about what its successor does.
    async fn a_failure_that_comes_after_the_lease_has_passed_on(test: TestDatabase) {
        let world = Outreach::new(test).await;
        world.post.behind_smtp();
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(1).await;
        let go = std::sync::Arc::new(tokio::sync::Notify::new());
        let lost = Fate::Dialogue(SubmissionRecord::Failed(Failure {
            stage: Stage::Tcp, code: "timeout".into(), reply: None, detail: "no answer".into(),
        }));
        world.post.next("p0@d0.test", [Fate::After(go.clone(), Box::new(lost)), Fate::Silence]);
        let campaign = world.running(&[&mailbox], &people).await;
        die_sending(&world).await;
        // Its pace lets the mailbox send again.
        world.kit.clock.advance(Duration::from_secs(10 * 60));
        let other = another_host(&world, 9).await;
        leases::tick(&other).await.unwrap();
        sends::tick(&other).await.unwrap();
        while world.post.asked().len() < 2 {
            tokio::task::yield_now().await;
        }
        // The first was only asleep.
        go.notify_one();
        world.env().under_way.settled().await;
        let id = world.enrollments(campaign).await[0].id;
        let on = &mut other.db.reader();
        let action = &actions::list_by_enrollments(on, world.ws, &[id]).await.unwrap()[0];
        assert_eq!(action.state, ActionState::HandedOut);
        assert_eq!(used(&world, mailbox.id).await, 1, "CAP-2: the second counts");
        world.kit.clock.advance(HOUR);
        sends::tick(world.env()).await.unwrap();
        assert_eq!(world.post.asked().len(), 2, "nobody sends it a third time");
    }

    // SAFE-3, SCH-5: a turn that is refused says nothing about the one before it, whose body may
    // have gone out meanwhile.
    async fn a_refusal_while_an_earlier_turn_sends(test: TestDatabase) {
        let world = Outreach::new(test).await;
        world.post.behind_smtp();
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(1).await;
        let go = std::sync::Arc::new(tokio::sync::Notify::new());
        let later = Reply { code: Some(450), enhanced: Some("4.7.1".into()), text: "try again later".into() };
        let refused = Fate::Dialogue(SubmissionRecord::Failed(Failure {
            stage: Stage::Recipient, code: "server_refused".into(), reply: Some(later), detail: String::new(),
        }));
        world.post.next("p0@d0.test", [Fate::Silence, Fate::After(go.clone(), Box::new(refused))]);
        let campaign = world.running(&[&mailbox], &people).await;
        die_sending(&world).await;
        world.kit.clock.advance(Duration::from_secs(10 * 60));
        let other = another_host(&world, 9).await;
        leases::tick(&other).await.unwrap();
        sends::tick(&other).await.unwrap();
        while world.post.asked().len() < 2 {
            tokio::task::yield_now().await;
        }
        // The first has only now come to its body.
        let id = world.enrollments(campaign).await[0].id;
        let action = async || actions::list_by_enrollments(&mut other.db.reader(), world.ws, &[id]).await.unwrap().remove(0);
        let begun = action().await;
        let attempt = Attempt {
            id: other.id(), workspace_id: world.ws, action_id: begun.id, external_id: begun.external_id,
            at: other.now(), outcome: None, outcome_at: None, detail: None,
        };
        let mut tx = other.db.begin().await.unwrap();
        assert_eq!(actions::insert_attempts(&mut tx, &[attempt]).await.unwrap().len(), 1);
        tx.commit().await.unwrap();
        go.notify_one();
        other.under_way.settled().await;
        assert_eq!(action().await.state, ActionState::HandedOut);
        let attempts = actions::list_attempts(&mut other.db.reader(), world.ws, begun.id).await.unwrap();
        assert_eq!(attempts.iter().map(|attempt| attempt.outcome).collect::<Vec<_>>(), [None]);
        assert_eq!(used(&world, mailbox.id).await, 1, "CAP-2: one mail counts once");
        // Nobody hears of the first again: it may have gone out.
        world.kit.clock.advance(HOUR);
        leases::tick(&other).await.unwrap();
        outreach::settle(&other).await;
        all_are(&world, campaign, EnrollmentState::AmbiguousSend).await;
        assert_eq!(world.post.asked().len(), 2);
    }

    // SAFE-3: what an earlier step has sent stays sent when a host dies in a later one.
    async fn a_later_attempt_of_a_dead_host_leaves_the_earlier_alone(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(1).await;
        let campaign = world.draft(&[&mailbox], &[("One", "<p>Hi</p>"), ("Two", "<p>Hi again</p>")]).await;
        world.enroll(campaign, &people).await;
        world.start(campaign).await;
        world.run_for(HOUR).await;
        assert_eq!(world.post.taken().len(), 1);
        world.post.next("p0@d0.test", [Fate::Silence]);
        while world.env().under_way.count(Part::Sends) == 0 {
            let next = world.settle().await.unwrap();
            world.kit.clock.advance_to(next);
            sends::tick(world.env()).await.unwrap();
        }
        while world.post.asked().len() < 2 {
            tokio::task::yield_now().await;
        }
        world.kit.clock.advance(Duration::from_secs(31));
        let other = another_host(&world, 9).await;
        leases::tick(&other).await.unwrap();
        outreach::settle(&other).await;
        all_are(&world, campaign, EnrollmentState::AmbiguousSend).await;
        let id = world.enrollments(campaign).await[0].id;
        let actions = actions::list_by_enrollments(&mut other.db.reader(), world.ws, &[id]).await.unwrap();
        let states: Vec<_> = actions.iter().map(|action| action.state).collect();
        assert_eq!(states, [ActionState::Done, ActionState::Ambiguous]);
    }

    // SCH-5, SAFE-3: a host that dies before the attempt has sent nothing: another sends it.
    async fn a_send_that_was_not_attempted_is_repeated(test: TestDatabase) {
        let world = Outreach::new(test).await;
        world.post.behind_smtp();
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(1).await;
        let accepted = overture_plugin_host::capabilities::mailbox::SubmissionRecord::Accepted(
            overture_plugin_host::capabilities::mailbox::Submission {
                reply: overture_plugin_host::capabilities::mailbox::Reply { code: Some(250), enhanced: None, text: "ok".into() },
            },
        );
        world.post.next("p0@d0.test", [Fate::Silence, Fate::Dialogue(accepted)]);
        let campaign = world.running(&[&mailbox], &people).await;
        die_sending(&world).await;
        let first = world.env().host;
        let other = another_host(&world, 9).await;
        // While the first is thought to live nothing is taken from it; on SQLite it was the only process.
        if world.env().db.dialect() == overture_store::dialect::Dialect::Postgres {
            world.kit.clock.advance(Duration::from_secs(29));
            leases::tick(&other).await.unwrap();
            sends::tick(&other).await.unwrap();
            other.under_way.settled().await;
            assert_eq!(world.post.asked().len(), 1);
        }
        world.kit.clock.advance(Duration::from_secs(5 * 60));
        leases::tick(&other).await.unwrap();
        outreach::settle(&other).await;
        world.kit.clock.advance(HOUR);
        outreach::settle(&other).await;
        all_are(&world, campaign, EnrollmentState::Completed).await;
        assert_eq!(world.post.asked().len(), 2);
        assert_ne!(first, other.host);
        assert_eq!(used(&world, mailbox.id).await, 1, "CAP-2: one mail counts once");
    }

    // SCH-5: a living host that holds a job for ever gets a strike each time; the third ends it.
    async fn a_job_that_hangs_three_times_fails_with_its_enrollment(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(1).await;
        let campaign = world.running(&[&mailbox], &people).await;
        let next = world.settle().await.unwrap();
        world.kit.clock.advance_to(next);
        let env = world.env();
        for strike in 1..=3 {
            // A loop that takes the job and never gives it back.
            let claimed = take(env).await;
            assert_eq!(claimed, 1, "before strike {strike}");
            world.kit.clock.advance(Duration::from_secs(9 * 60));
            leases::tick(env).await.unwrap();
            assert_eq!(world.enrollments(campaign).await[0].state, EnrollmentState::Queued);
            world.kit.clock.advance(Duration::from_secs(2 * 60));
            leases::tick(env).await.unwrap();
        }
        let failed = &world.enrollments(campaign).await[0];
        assert_eq!(failed.state, EnrollmentState::Failed);
        assert_eq!(failed.reason, "stuck in processing loop after 3+ recovery cycles");
        assert_eq!(failed.next_action_at, None);
        world.run_for(HOUR).await;
        assert!(world.post.asked().is_empty());
    }

    // SAFE-3: no hand free is no loss; what is due waits for one.
    async fn more_is_due_than_there_are_hands(test: TestDatabase) {
        let mut world = Outreach::new(test).await;
        let config = overture_engine::Config { concurrent_sends: 1, ..overture_engine::Config::default() };
        world.kit.env.config = std::sync::Arc::new(config);
        let mailboxes = [world.mailbox("a@sender.test").await, world.mailbox("b@sender.test").await, world.mailbox("c@sender.test").await];
        let people = world.prospects(9).await;
        let campaign = world.running(&[&mailboxes[0], &mailboxes[1], &mailboxes[2]], &people).await;
        world.run_for(HOUR * 2).await;
        all_are(&world, campaign, EnrollmentState::Completed).await;
        assert_eq!(world.post.asked().len(), 9);
    }
}
