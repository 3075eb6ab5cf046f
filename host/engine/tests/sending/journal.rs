//! Attempts and outcomes are committed in groups: nobody fails for a neighbour (SAFE-3).

use overture_domain::{accounts::Account, enrollments::EnrollmentState};
use overture_store::{dialect::Dialect, on_both};
use overture_testkit::Outreach;

use super::{HOUR, states};

/// Eight mailboxes, so that eight mails go at once.
async fn eight(world: &Outreach) -> Vec<Account> {
    let mut mailboxes = Vec::new();
    for n in 0..8 {
        mailboxes.push(world.mailbox(&format!("ada{n}@sender.test")).await);
    }
    mailboxes
}

/// All first steps are due by now, so they go in one tick.
async fn all_at_once(world: &Outreach) {
    world.settle().await;
    world.kit.clock.advance(HOUR / 6);
    world.settle().await;
}

/// The database refuses to insert this row into a table.
async fn refuse(world: &Outreach, sqlite: &'static str, postgres: [&'static str; 2]) {
    let database = &world.kit.database;
    match database.db.dialect() {
        Dialect::Sqlite => drop(database.execute_raw(sqlite).await.unwrap()),
        Dialect::Postgres => {
            for text in postgres {
                database.execute_raw(text).await.unwrap();
            }
        }
    }
}

on_both! {
    async fn an_attempt_that_breaks_a_rule_fails_alone(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailboxes = eight(&world).await;
        let people = world.prospects(8).await;
        let campaign = world.running(&mailboxes.iter().collect::<Vec<_>>(), &people).await;
        refuse(
            &world,
            "CREATE TRIGGER of_the_test BEFORE INSERT ON attempts WHEN EXISTS (SELECT 1 FROM actions a
                 JOIN enrollments e ON e.id = a.enrollment_id JOIN prospects p ON p.id = e.prospect_id
                 WHERE a.id = NEW.action_id AND p.email = 'p3@d1.test')
             BEGIN SELECT RAISE(ABORT, 'SAFE-0: planted by the test'); END",
            ["CREATE FUNCTION of_the_test() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF EXISTS (SELECT 1 FROM actions a JOIN enrollments e ON e.id = a.enrollment_id JOIN prospects p ON p.id = e.prospect_id
                     WHERE a.id = NEW.action_id AND p.email = 'p3@d1.test')
                 THEN RAISE EXCEPTION 'SAFE-0: planted by the test'; END IF; RETURN NEW; END $$",
             "CREATE TRIGGER of_the_test BEFORE INSERT ON attempts FOR EACH ROW EXECUTE FUNCTION of_the_test()"],
        ).await;
        all_at_once(&world).await;
        assert_eq!(states(&world, campaign).await, "1 active, 7 completed");
        let held = world.enrollments(campaign).await.into_iter().find(|one| one.state == EnrollmentState::Active).unwrap();
        assert_eq!(held.reason, "could not be sent, tried again: the database refused the write: SAFE-0: planted by the test");
        assert!(!world.post.asked().contains(&"p3@d1.test".to_owned()), "its body stayed here");
    }

    async fn an_outcome_that_breaks_a_rule_fails_alone(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailboxes = eight(&world).await;
        let people = world.prospects(8).await;
        let campaign = world.running(&mailboxes.iter().collect::<Vec<_>>(), &people).await;
        refuse(
            &world,
            "CREATE TRIGGER of_the_test BEFORE INSERT ON messages WHEN NEW.recipient = 'p3@d1.test'
             BEGIN SELECT RAISE(ABORT, 'SAFE-0: planted by the test'); END",
            ["CREATE FUNCTION of_the_test() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF NEW.recipient = 'p3@d1.test' THEN RAISE EXCEPTION 'SAFE-0: planted by the test'; END IF; RETURN NEW; END $$",
             "CREATE TRIGGER of_the_test BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION of_the_test()"],
        ).await;
        all_at_once(&world).await;
        assert_eq!(states(&world, campaign).await, "1 active, 7 completed");
        // Its attempt stands without an outcome, so that nothing tries it again blindly.
        world.run_for(HOUR).await;
        assert_eq!(states(&world, campaign).await, "1 ambiguous_send, 7 completed");
        assert_eq!(world.post.asked().iter().filter(|email| *email == "p3@d1.test").count(), 1);
    }
}
