//! Connecting, changing and removing mailboxes.

use std::time::Duration;

use overture_domain::{
    accounts::{AccountStatus, Credentials, MailServer, TlsMode},
    enrollments::EnrollmentState,
    people::Actor,
};
use overture_engine::{
    Error,
    mailboxes::{self, MailboxChange, NewMailbox, status},
};
use overture_plugin_host::LegProblem;
use overture_store::{accounts, on_both};

use crate::world::World;

fn problem(code: &str) -> LegProblem {
    LegProblem {
        stage: "auth".into(),
        code: code.into(),
        reply: Some("535 5.7.8 no".into()),
        fix: "Check user name and password.".into(),
    }
}

fn bob() -> NewMailbox {
    NewMailbox {
        address: " Bob@sender.test".into(),
        preset: Some("script".into()),
        ..NewMailbox::default()
    }
}

fn fields(error: &Error) -> Vec<(&str, &str)> {
    error
        .details()
        .iter()
        .map(|detail| (&*detail.field, &*detail.code))
        .collect()
}

on_both! {
    // MB-2, MB-11
    async fn a_mailbox_is_saved_after_a_passing_test_or_on_purpose(test: TestDatabase) {
        let world = World::new(test).await;
        let (env, ws) = (world.env(), world.ws);
        *world.script.problem.lock().unwrap() = Some(problem("auth_invalid"));
        let error = mailboxes::connect(env, ws, bob(), &Actor::Cli).await.unwrap_err();
        assert_eq!(fields(&error), [("script", "auth_invalid")]);
        assert!(error.details()[0].message.starts_with("535 5.7.8 no. Check user name"), "{}", error.details()[0].message);
        assert_eq!(mailboxes::list(env, ws, &Default::default(), &overture_store::Slice::first(9)).await.unwrap().len(), 1);

        let anyway = NewMailbox { save_anyway: true, ..bob() };
        let saved = mailboxes::connect(env, ws, anyway, &Actor::Cli).await.unwrap().account;
        assert_eq!((saved.status, &*saved.address, saved.daily_limit), (AccountStatus::Error, "Bob@sender.test", 30));
        assert!(saved.status_reason.contains("535 5.7.8"), "{}", saved.status_reason);
        // A passing test connects it.
        *world.script.problem.lock().unwrap() = None;
        let legs = mailboxes::test(env, ws, saved.id, &Actor::Cli).await.unwrap();
        assert!(legs.iter().all(|leg| leg.problem.is_none()));
        assert_eq!(mailboxes::get(env, ws, saved.id).await.unwrap().status, AccountStatus::Connected);

        let error = mailboxes::connect(env, ws, bob(), &Actor::Cli).await.unwrap_err();
        assert!(matches!(&error, Error::Conflict(text) if text.contains("Bob@sender.test")), "{error}");
    }

    async fn what_is_wrong_is_all_told(test: TestDatabase) {
        let world = World::new(test).await;
        let wrong = NewMailbox {
            address: "bob".into(),
            preset: Some("gmial".into()),
            daily_limit: Some(501),
            time_zone: Some("Berlin".into()),
            sender_name: "a\nb".into(),
            ..NewMailbox::default()
        };
        let error = mailboxes::connect(world.env(), world.ws, wrong, &Actor::Cli).await.unwrap_err();
        assert_eq!(fields(&error), [
            ("emailAddress", "invalid"), ("dailyLimit", "out_of_range"), ("timezone", "unknown_time_zone"),
            ("senderName", "invalid"), ("preset", "unknown_preset"),
        ]);
    }

    // MB-4: live; MB-11: only what a test passes with replaces servers.
    async fn limits_change_at_once(test: TestDatabase) {
        let world = World::new(test).await;
        let (env, ws, id) = (world.env(), world.ws, world.mailbox.id);
        *world.script.problem.lock().unwrap() = Some(problem("auth_invalid"));
        let limit = MailboxChange { daily_limit: Some(7), signature_text: Some("A.".into()), ..MailboxChange::default() };
        let changed = mailboxes::update(env, ws, id, limit, &Actor::Cli).await.unwrap();
        assert_eq!((changed.daily_limit, &*changed.signature_text), (7, "A."));
        let error = mailboxes::update(env, ws, id, MailboxChange { daily_limit: Some(-1), ..MailboxChange::default() }, &Actor::Cli).await.unwrap_err();
        assert_eq!(fields(&error), [("dailyLimit", "out_of_range")]);
        // This provider dials no servers.
        let server = MailServer { host: "smtp.example.com".into(), port: 465, tls: TlsMode::Implicit };
        let error = mailboxes::update(env, ws, id, MailboxChange { smtp: Some(server), ..MailboxChange::default() }, &Actor::Cli).await.unwrap_err();
        assert_eq!(fields(&error), [("smtp", "invalid")]);
        assert_eq!(mailboxes::get(env, ws, id).await.unwrap().daily_limit, 7);
        let missing = overture_testkit::env::stranger();
        assert!(matches!(mailboxes::get(env, ws, missing).await, Err(Error::NotFound(_))));
    }

    // MB-3, SAFE-4
    async fn people_pause_resume_and_disconnect(test: TestDatabase) {
        let world = World::new(test).await;
        let (env, ws, id) = (world.env(), world.ws, world.mailbox.id);
        assert_eq!(status::pause(env, ws, id, &Actor::Cli).await.unwrap().status, AccountStatus::Paused);
        let again = status::pause(env, ws, id, &Actor::Cli).await.unwrap_err();
        assert_eq!(again.code(), "invalid_status");
        // A paused mailbox is not read, and a test does not resume it.
        world.sync().await;
        assert!(world.script.cursors().is_empty());
        mailboxes::test(env, ws, id, &Actor::Cli).await.unwrap();
        assert_eq!(world.account().await.status, AccountStatus::Paused);

        assert_eq!(status::resume(env, ws, id, &Actor::Cli).await.unwrap().status, AccountStatus::Connected);
        world.tick().await;
        assert_eq!(world.script.cursors().len(), 1);
        assert_eq!(status::disconnect(env, ws, id, &Actor::Cli).await.unwrap().status_reason, "disconnected by hand");
        // Not by itself: a person did it.
        world.kit.clock.advance(Duration::from_secs(86_400));
        world.tick().await;
        assert_eq!(world.script.cursors().len(), 1);
    }

    // MB-5
    async fn deleting_keeps_everything_but_the_credentials(test: TestDatabase) {
        let world = World::new(test).await;
        let (env, ws, id) = (world.env(), world.ws, world.mailbox.id);
        let grace = world.sent_to("grace@example.net", EnrollmentState::Active).await;
        let run_at = world.now() + Duration::from_secs(7_200);
        world.plan(grace.enrollment, run_at).await;
        mailboxes::delete(env, ws, id, &Actor::Cli).await.unwrap();
        assert!(matches!(mailboxes::get(env, ws, id).await, Err(Error::NotFound(_))));
        let enrollment = world.enrollment(&grace).await;
        assert_eq!((enrollment.account_id, enrollment.step_index), (None, 1));
        assert_eq!(enrollment.next_action_at, Some(run_at + Duration::from_secs(3_600)));
        let mut on = env.db.reader();
        assert_eq!(accounts::credentials(&mut on, ws, id).await.unwrap(), None);
        // The address can come back: as the same mailbox (CAP-2).
        let ada = NewMailbox { address: "ada@sender.test".into(), ..bob() };
        assert_eq!(mailboxes::connect(env, ws, ada, &Actor::Cli).await.unwrap().account.id, id);
    }

    // OPS-4
    async fn passwords_are_sealed_to_their_row(test: TestDatabase) {
        let world = World::new(test).await;
        let (env, ws) = (world.env(), world.ws);
        let secret = NewMailbox { password: Some("hunter2-in-clear".into()), ..bob() };
        let id = mailboxes::connect(env, ws, secret, &Actor::Cli).await.unwrap().account.id;
        let sealed = accounts::credentials(&mut env.db.reader(), ws, id).await.unwrap().unwrap();
        assert!(!sealed.contains("hunter2"), "{sealed}");
        let binding = overture_vault::Binding::new("sending_accounts", id, ws);
        let plain = env.vault.open(&binding, &sealed).unwrap();
        let plain: Credentials = serde_json::from_str(plain.expose()).unwrap();
        assert_eq!(plain, Credentials::Password { password: "hunter2-in-clear".into() });
        let elsewhere = overture_vault::Binding::new("sending_accounts", world.mailbox.id, ws);
        assert!(env.vault.open(&elsewhere, &sealed).is_err());
    }
}
