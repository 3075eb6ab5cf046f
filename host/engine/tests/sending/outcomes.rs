//! What follows from the answers of servers and providers (SAFE-3, SAF-4, CAP-3).

use std::time::Duration;

use overture_domain::{
    caps::{Cap, Limit},
    enrollments::{ActionState, EnrollmentState, Outcome},
    events::EventKind,
    people::Actor,
    prospects::ProspectStatus,
};
use overture_engine::{
    campaigns::{self, CampaignIn, StepIn},
    sends,
};
use overture_plugin_host::{
    CallError, Problem,
    capabilities::mailbox::{Failure, Reply, Stage, Submission, SubmissionRecord},
};
use overture_store::{actions, audit, caps, evidence, on_both, prospects, suppressions};
use overture_testkit::{MONDAY, Outreach, outreach::Fate};

use super::{DAY, HOUR, all_are, monday, states};

fn reply(code: u16, enhanced: &str, text: &str) -> Reply {
    Reply {
        code: Some(code),
        enhanced: Some(enhanced.into()),
        text: text.into(),
    }
}

fn failed(stage: Stage, code: &str, reply: Option<Reply>) -> Fate {
    Fate::Dialogue(SubmissionRecord::Failed(Failure {
        stage,
        code: code.into(),
        reply,
        detail: "the connection broke".into(),
    }))
}

/// What is used of the mailbox's daily limit.
pub(super) async fn used(world: &Outreach, mailbox: overture_domain::AccountId) -> i64 {
    let limit = Limit {
        cap: Cap::MailboxDaily,
        subject: mailbox.to_string(),
        limit: 50,
        zone: jiff::tz::TimeZone::UTC,
    };
    let now = world.env().now();
    let usage = caps::usage(
        &mut world.env().db.reader(),
        world.ws,
        std::slice::from_ref(&limit),
        now,
    )
    .await
    .unwrap();
    usage.used(&limit, now)
}

on_both! {
    // SAF-4: the address doesn't exist.
    async fn a_hard_bounce_ends_and_suppresses(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(2).await;
        world.post.next("p0@d0.test", [Fate::Refused(Problem::RecipientRejected(reply(550, "5.1.1", "no such user here")))]);
        let campaign = world.running(&[&mailbox], &people).await;
        world.run_for(HOUR).await;
        assert_eq!(states(&world, campaign).await, "1 bounced, 1 completed");
        let on = &mut world.env().db.reader();
        let prospect = prospects::find(on, world.ws, people[0]).await.unwrap().unwrap();
        assert_eq!(prospect.status, ProspectStatus::Invalid);
        let suppressed = suppressions::among(on, world.ws, &["p0@d0.test".into(), "p1@d1.test".into()]).await.unwrap();
        assert_eq!(suppressed, ["p0@d0.test".to_owned()].into());
        let bounced = world.events(EventKind::EmailBounced).await;
        assert_eq!(bounced.len(), 1);
        assert_eq!(bounced[0].data["bounceReason"], "550 5.1.1 no such user here");
        assert_eq!(world.events(EventKind::ProspectSuppressed).await.len(), 1);
        // CAP-2: what was refused counts nowhere.
        assert_eq!(used(&world, mailbox.id).await, 1);
        let action = &actions::list_by_enrollments(on, world.ws, &[world.enrollments(campaign).await[0].id]).await.unwrap()[0];
        assert_eq!(action.state, ActionState::Failed);
    }

    // SAF-4: soft is retried up to 3 times over 72 hours, with the same Message-ID; then given up.
    async fn a_soft_refusal_is_retried_three_times(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(2).await;
        let later = || Fate::Refused(Problem::Temporary("450 4.7.1 try again later".into()));
        world.post.next("p0@d0.test", [later(), later(), later(), later()]);
        world.post.next("p1@d1.test", [later(), later(), later()]);
        let campaign = world.running(&[&mailbox], &people).await;
        world.run_for(HOUR).await;
        let first = &world.enrollments(campaign).await[0];
        assert_eq!(first.state, EnrollmentState::Active);
        assert_eq!(first.reason, "refused for now, tried again: 450 4.7.1 try again later");
        let wait = first.next_action_at.unwrap().since(MONDAY);
        assert!((HOUR * 4..HOUR * 5).contains(&wait), "{wait:?}");
        assert_eq!(used(&world, mailbox.id).await, 0);
        world.run_for(DAY * 7).await;
        assert_eq!(states(&world, campaign).await, "1 completed, 1 failed");
        let failed = &world.enrollments(campaign).await[0];
        assert_eq!(failed.reason, "refused 4 times, the last: 450 4.7.1 try again later");
        assert_eq!(world.post.asked().len(), 8);
        assert_eq!(world.events(EventKind::EmailSoftBounced).await.len(), 7);
        assert_eq!(world.events(EventKind::EmailBounced).await.len(), 0);
        let on = &mut world.env().db.reader();
        let prospect = prospects::find(on, world.ws, people[0]).await.unwrap().unwrap();
        assert_eq!(prospect.status, ProspectStatus::Active, "a soft bounce says nothing about the person");
        let second = world.enrollments(campaign).await[1].id;
        let action = &actions::list_by_enrollments(on, world.ws, &[second]).await.unwrap()[0];
        let attempts = actions::list_attempts(on, world.ws, action.id).await.unwrap();
        let outcomes: Vec<_> = attempts.iter().map(|attempt| attempt.outcome.unwrap()).collect();
        assert_eq!(outcomes, [Outcome::NotSent, Outcome::NotSent, Outcome::NotSent, Outcome::Sent]);
        assert!(attempts.iter().all(|attempt| attempt.external_id == action.external_id));
    }

    // SAF-4: a block counts against the mailbox, never against the prospect.
    async fn a_block_is_no_bounce_of_the_prospect(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(1).await;
        world.post.next("p0@d0.test", [Fate::Refused(Problem::PolicyRejected(reply(554, "5.7.1", "looks like spam")))]);
        let campaign = world.running(&[&mailbox], &people).await;
        world.run_for(DAY).await;
        all_are(&world, campaign, EnrollmentState::Completed).await;
        let told = world.events(EventKind::EmailSoftBounced).await;
        assert_eq!((told.len(), &told[0].data["bounceType"]), (1, &"block".into()));
        assert_eq!(told[0].account_id, Some(mailbox.id));
    }

    // CAP-3: 1, 5, 15 minutes, an hour; the mail waits, no bounce is counted.
    async fn a_mailbox_backs_off_when_its_server_asks(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(1).await;
        let quota = || Fate::Refused(Problem::RateLimited(reply(550, "5.4.5", "daily sending quota exceeded")));
        world.post.next("p0@d0.test", [quota(), quota(), quota(), quota(), quota()]);
        let campaign = world.running(&[&mailbox], &people).await;
        let mut rests = Vec::new();
        for rung in 1..=5 {
            while world.post.asked().len() < rung {
                let next = world.settle().await.unwrap();
                world.kit.clock.advance_to(next);
                world.settle().await;
            }
            let account = world.account(mailbox.id).await;
            assert_eq!(account.backoff_rung, i64::try_from(rung).unwrap());
            rests.push(account.backoff_until.since(world.env().now()).as_secs() / 60);
            let waiting = &world.enrollments(campaign).await[0];
            assert!(waiting.next_action_at.unwrap() >= account.backoff_until);
            assert!(waiting.reason.contains("asked for patience"), "{}", waiting.reason);
        }
        assert_eq!(rests, [1, 5, 15, 60, 60]);
        assert_eq!(world.events(EventKind::EmailDeferred).await.len(), 5);
        assert_eq!(world.events(EventKind::EmailSoftBounced).await.len(), 0);
        world.run_until(monday(16, 0)).await;
        all_are(&world, campaign, EnrollmentState::Completed).await;
        assert_eq!(world.account(mailbox.id).await.backoff_rung, 5, "one success is not thirty");
    }

    // CAP-3: back to zero after 30 successes in 60 minutes.
    async fn thirty_successes_bring_a_mailbox_back(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people: Vec<_> = (0..45).map(|n| world.prospect(&format!("p@d{n}.test"))).collect();
        let ids = world.write_prospects(&people).await;
        world.post.next("p@d3.test", [Fate::Refused(Problem::RateLimited(reply(550, "5.4.5", "quota")))]);
        let given = CampaignIn {
            name: "Fast".into(), steps: vec![StepIn { subject: "Hi".into(), body_html: "Hi".into(), ..StepIn::default() }],
            mailbox_ids: vec![mailbox.id], minutes_between_sends: Some(0), ..CampaignIn::default()
        };
        let campaign = world.create(&given).await;
        world.enroll(campaign, &ids[3..4]).await;
        world.start(campaign).await;
        while world.account(mailbox.id).await.backoff_rung == 0 {
            let next = world.settle().await.unwrap();
            world.kit.clock.advance_to(next);
            world.settle().await;
        }
        world.enroll(campaign, &ids).await;
        world.run_for(Duration::from_secs(5 * 60)).await;
        assert_eq!(world.account(mailbox.id).await.backoff_rung, 1);
        world.run_for(HOUR * 2).await;
        assert!(world.post.taken().len() >= 30);
        assert_eq!(world.account(mailbox.id).await.backoff_rung, 0);
    }

    // SAFE-3: no answer after the body has begun is ambiguous; only a person or evidence decides.
    async fn a_send_without_an_answer_waits_for_a_word(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(4).await;
        world.post.next("p0@d0.test", [Fate::Crash(CallError::Panicked { message: "oops".into() })]);
        world.post.next("p1@d1.test", [Fate::Refused(Problem::Unclear("no answer".into()))]);
        world.post.next("p2@d0.test", [Fate::Crash(CallError::Timeout { limit: Duration::from_secs(60) })]);
        let campaign = world.running(&[&mailbox], &people).await;
        world.run_for(DAY * 2).await;
        assert_eq!(states(&world, campaign).await, "3 ambiguous_send, 1 completed");
        assert_eq!(world.post.asked().len(), 4, "never a blind second try");
        assert_eq!(used(&world, mailbox.id).await, 0, "of another day");
        let all = world.enrollments(campaign).await;
        assert_eq!(all[0].reason, "it may have gone out: the plugin panicked: oops");
        let (env, ws) = (world.env(), world.ws);
        // It went out: the sequence goes on. It did not: it goes again, with the same Message-ID.
        let waiting = evidence::list(&mut env.db.reader(), ws, None, 10).await.unwrap();
        let of = |n: usize| waiting.iter().find(|send| send.action.enrollment_id == all[n].id).unwrap().action.id;
        assert_eq!(waiting[0].next_look_at, None, "a service without folders");
        let (first, second) = (of(0), of(1));
        let sent = sends::resolve(env, ws, &[first], true, &Actor::Cli).await.unwrap();
        let not_sent = sends::resolve(env, ws, &[second, first], false, &Actor::Cli).await.unwrap();
        assert_eq!((sent, not_sent), ([first].into(), [second].into()), "a word is not taken back");
        // SAFE-4
        let log = audit::list(&mut env.db.reader(), ws, &second.to_string()).await.unwrap();
        assert_eq!(log.len(), 1);
        assert_eq!((log[0].from_status.as_deref(), &*log[0].to_status, &*log[0].actor), (Some("ambiguous"), "not_sent", "cli"));
        world.run_for(HOUR * 2).await;
        assert_eq!(states(&world, campaign).await, "1 ambiguous_send, 3 completed");
        let asked = world.post.asked();
        assert_eq!(asked.iter().filter(|email| *email == "p0@d0.test").count(), 1);
        assert_eq!(asked.iter().filter(|email| *email == "p1@d1.test").count(), 2);
        assert_eq!(world.events(EventKind::EmailSent).await.len(), 3);
        let on = &mut env.db.reader();
        let action = &actions::list_by_enrollments(on, ws, &[all[1].id]).await.unwrap()[0];
        assert!(world.post.taken().iter().any(|mail| mail.message_id == action.external_id));
    }

    // SAFE-3: behind SMTP the host's record outranks what the guest says.
    async fn the_host_s_record_of_the_dialogue_decides(test: TestDatabase) {
        let world = Outreach::new(test).await;
        world.post.behind_smtp();
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(5).await;
        // The guest always says "sent".
        let accepted = SubmissionRecord::Accepted(Submission { reply: reply(250, "2.0.0", "ok") });
        world.post.next("p0@d0.test", [Fate::Dialogue(accepted.clone())]);
        world.post.next("p1@d1.test", [failed(Stage::Tcp, "connection_refused", None), Fate::Dialogue(accepted.clone())]);
        world.post.next("p2@d0.test", [failed(Stage::Recipient, "mailbox_not_found", Some(reply(550, "5.1.1", "no such user")))]);
        world.post.next("p3@d1.test", [failed(Stage::Body, "connection_lost", None)]);
        world.post.next("p4@d0.test", [Fate::Taken, Fate::Dialogue(accepted)]);
        let campaign = world.running(&[&mailbox], &people).await;
        world.run_for(HOUR).await;
        assert_eq!(states(&world, campaign).await, "1 ambiguous_send, 1 bounced, 3 completed");
        let asked = |email: &str| world.post.asked().iter().filter(|asked| *asked == email).count();
        // A connection that failed is tried again freely; so is a mail that the guest never handed over.
        assert_eq!(["p0@d0.test", "p1@d1.test", "p2@d0.test", "p3@d1.test", "p4@d0.test"].map(asked), [1, 2, 1, 1, 2]);
        assert_eq!(world.events(EventKind::EmailSent).await.len(), 3);
    }

    // PLG-3: a plugin that can't be called harms nobody; its mails wait.
    async fn a_missing_plugin_keeps_the_mails_waiting(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(1).await;
        world.post.next("p0@d0.test", [Fate::Crash(CallError::UnknownPlugin("provider-post".into()))]);
        let campaign = world.running(&[&mailbox], &people).await;
        world.run_until(monday(9, 5)).await;
        let waiting = &world.enrollments(campaign).await[0];
        assert!(waiting.reason.starts_with("could not be sent, tried again: no plugin `provider-post`"), "{}", waiting.reason);
        world.run_for(HOUR).await;
        all_are(&world, campaign, EnrollmentState::Completed).await;
        assert_eq!(campaigns::stats(world.env(), world.ws, campaign).await.unwrap().sent, 1);
    }
}
