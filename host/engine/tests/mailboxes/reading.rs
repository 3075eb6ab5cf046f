//! How mailboxes are read: pages, cursors, repeats, failures, verdicts.

use std::{sync::Arc, time::Duration};

use overture_domain::{accounts::AccountStatus, enrollments::EnrollmentState, messages::Label};
use overture_engine::{ClassifierEntry, Due};
use overture_plugin_host::{
    CallError, Label as Said, Problem,
    capabilities::mailbox::{Failure, Reply, Stage},
};
use overture_store::{messages, on_both};

use crate::{
    script::{Phrases, entry, page, verdict},
    world::World,
};

const GRACE: &str = "grace@example.net";

fn reply(id: &str, sent: &crate::world::Sent) -> String {
    let header = if id.is_empty() {
        String::new()
    } else {
        format!("Message-ID: <{id}>\n")
    };
    format!(
        "From: {GRACE}\n{header}In-Reply-To: <{}>\n\ntell me more\n",
        sent.message_id
    )
}

fn refused() -> Problem {
    Problem::Auth(Failure {
        stage: Stage::Auth,
        code: "auth_invalid".into(),
        reply: Some(Reply {
            code: Some(535),
            enhanced: Some("5.7.8".into()),
            text: "authentication failed".into(),
        }),
        detail: "auth: refused".into(),
    })
}

on_both! {
    // MB-8: a renumbered folder, the same mail in another folder, a mail without an id.
    async fn a_mail_that_is_listed_again_does_nothing_again(test: TestDatabase) {
        let world = World::new(test).await;
        let grace = world.sent_to(GRACE, EnrollmentState::Active).await;
        let (named, nameless) = (reply("r@x", &grace), reply("", &grace));
        world.arrive(&[&named, &nameless]).await;
        let (kinds, kept) = (world.kinds().await, world.messages().await);
        assert_eq!((kinds.len(), kept.len()), (1, 2));
        world.arrive(&[&named, &nameless, &named]).await;
        assert_eq!((world.kinds().await, world.messages().await), (kinds, kept));
    }

    // MB-8
    async fn cursors_go_on_and_pages_follow_at_once(test: TestDatabase) {
        let world = World::new(test).await;
        let grace = world.sent_to(GRACE, EnrollmentState::Active).await;
        let mut first = page("one", &[&reply("1@x", &grace)]);
        first.more = true;
        world.script.answer(Ok(Ok(first)));
        let mut second = page("two", &[&reply("2@x", &grace)]);
        second.check_again_at = Some(world.now() + Duration::from_secs(3_600));
        second.watch = vec!["INBOX".into()];
        world.script.answer(Ok(Ok(second)));
        world.sync().await;
        assert_eq!(world.script.cursors(), [None, Some("one".to_owned())]);
        assert_eq!(world.messages().await.len(), 2);
        let account = world.account().await;
        assert_eq!(account.sync_cursor.as_deref(), Some("two"));
        assert_eq!(account.synced_at, Some(world.now()));
        let again = world.now() + Duration::from_secs(3_600 - 60);
        assert_eq!(account.sync_due_at, again);
        assert_eq!(world.tick().await, Due::At(again));
        assert_eq!(world.script.cursors().len(), 2, "nothing was due");
    }

    // MB-3: no sync fails silently.
    async fn a_failure_is_told_with_stage_and_words_and_tried_again(test: TestDatabase) {
        let world = World::new(test).await;
        world.script.answer(Ok(Ok(page("one", &[]))));
        world.sync().await;
        world.script.answer(Err(CallError::Panicked { message: "index out of range".into() }));
        world.sync().await;
        let account = world.account().await;
        let error = account.sync_error.clone().unwrap();
        assert_eq!((&*error.stage, &*error.code, error.at), ("plugin", "plugin_panicked", world.now()));
        assert!(error.detail.contains("index out of range"), "{}", error.detail);
        assert_eq!(account.sync_cursor.as_deref(), Some("one"), "the cursor stays");
        assert_eq!(account.status, AccountStatus::Connected);
        assert!(account.sync_due_at >= world.now() + Duration::from_secs(60), "{}", account.sync_due_at);
        // And it goes on where it stood.
        world.sync().await;
        assert_eq!(world.script.cursors().last().unwrap().as_deref(), Some("one"));
        assert_eq!(world.account().await.sync_error, None);
    }

    // MB-3, SAFE-4
    async fn a_refused_sign_in_disconnects_until_it_works_again(test: TestDatabase) {
        let world = World::new(test).await;
        world.script.answer(Ok(Err(refused())));
        world.sync().await;
        let account = world.account().await;
        assert_eq!((account.status, account.auth_failures), (AccountStatus::Disconnected, 1));
        assert_eq!(account.status_reason, "535 5.7.8 authentication failed");
        assert_eq!(account.sync_error.unwrap().stage, "auth");
        assert_eq!(account.sync_due_at, world.now() + Duration::from_secs(300));

        world.sync().await;
        let account = world.account().await;
        assert_eq!((account.status, account.auth_failures), (AccountStatus::Connected, 0));
        let trail = overture_store::audit::list(&mut world.env().db.reader(), world.ws, &account.id.to_string()).await.unwrap();
        let mut trail: Vec<_> = trail.iter().map(|row| (&*row.to_status, &*row.actor)).collect();
        trail.sort_unstable();
        assert_eq!(trail, [("connected", "cli"), ("connected", "engine:MB-3"), ("disconnected", "engine:MB-3")]);
    }

    // MB-3, SAF-3: ten times in a row is for good.
    async fn after_ten_refusals_only_a_person_connects(test: TestDatabase) {
        let world = World::new(test).await;
        for _ in 0..12 {
            world.script.answer(Ok(Err(refused())));
            world.kit.clock.advance(Duration::from_secs(3_600));
            world.tick().await;
        }
        assert_eq!(world.script.cursors().len(), 10);
        assert_eq!(world.tick().await, Due::WhenWoken);
        world.script.pages.lock().unwrap().clear();
        overture_engine::mailboxes::test(world.env(), world.ws, world.mailbox.id, &overture_domain::people::Actor::Cli).await.unwrap();
        world.tick().await;
        assert_eq!(world.script.cursors().len(), 11);
        assert_eq!(world.account().await.status, AccountStatus::Connected);
    }

    // CLS-4: the admin's order, the first above its threshold wins, each verdict is kept.
    async fn classifiers_decide_in_their_order(test: TestDatabase) {
        let mut world = World::new(test).await;
        let unsure = ClassifierEntry { threshold: 0.95, ..entry("classifier-a") };
        world.kit.env.classifiers = Arc::new(Phrases {
            classifiers: vec![
                (unsure, vec![("tell me", verdict(Said::Question, 0.9))]),
                (entry("classifier-broken"), vec![]),
                (entry("classifier-b"), vec![("tell me", verdict(Said::MeetingRequest, 0.7)), ("more", verdict(Said::Neutral, 0.2))]),
                (entry("classifier-c"), vec![("tell me", verdict(Said::Interested, 1.0))]),
            ],
        });
        let grace = world.sent_to(GRACE, EnrollmentState::Active).await;
        world.arrive(&[&reply("r@x", &grace)]).await;
        let message = world.messages().await.remove(0);
        assert_eq!((message.label, message.label_by.as_deref()), (Some(Label::MeetingRequest), Some("classifier-b")));
        let verdicts = messages::list_verdicts(&mut world.env().db.reader(), world.ws, message.id).await.unwrap();
        let said: Vec<_> = verdicts.iter().map(|v| (&*v.classifier, v.label)).collect();
        assert_eq!(said, [
            ("classifier-a", Label::Question), ("classifier-b", Label::MeetingRequest),
            ("classifier-b", Label::Neutral), ("classifier-c", Label::Interested),
        ]);
    }

    // SAFE-2: where no classifier can judge, a machine's headers still end nothing.
    async fn without_a_classifier_a_machine_is_no_person(test: TestDatabase) {
        let mut world = World::new(test).await;
        world.kit.env.classifiers = Arc::new(Phrases { classifiers: vec![(entry("classifier-broken"), vec![])] });
        let grace = world.sent_to(GRACE, EnrollmentState::Active).await;
        let machine = format!("Auto-Submitted: auto-replied\n{}", reply("r@x", &grace));
        world.arrive(&[&machine]).await;
        assert_eq!(world.enrollment(&grace).await.state, EnrollmentState::Active);
        world.arrive(&[&reply("s@x", &grace)]).await;
        assert_eq!(world.enrollment(&grace).await.state, EnrollmentState::Replied);
    }
}
