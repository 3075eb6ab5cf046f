//! Mails that prove that a send of which nobody knew went out (SAFE-3).

use overture_domain::{
    enrollments::{ActionState, EnrollmentState, Outcome},
    messages::MailKey,
};
use overture_engine::unsubscribe;
use overture_plugin_host::{Signal, SignalKind};
use overture_store::{actions, audit, on_both};

use crate::{
    inbox::{answer, bounce},
    script::signals,
    world::{Sent, World},
};

const GRACE: &str = "grace@example.net";

async fn action_state(world: &World, sent: &Sent) -> ActionState {
    let on = &mut world.env().db.reader();
    let action = actions::find(on, world.ws, sent.action).await.unwrap();
    action.unwrap().state
}

on_both! {
    // SAFE-3, SAF-4
    async fn a_bounce_that_names_it(test: TestDatabase) {
        let world = World::new(test).await;
        let grace = world.perhaps_sent_to(GRACE).await;
        world.arrive(&[&bounce(&grace, "5.1.1", "550 5.1.1 no such user")]).await;
        assert_eq!(action_state(&world, &grace).await, ActionState::Done);
        assert_eq!(world.enrollment(&grace).await.state, EnrollmentState::Bounced);
        let kinds = world.kinds().await;
        assert!(kinds.contains(&"email.sent") && kinds.contains(&"email.bounced"), "{kinds:?}");
        let on = &mut world.env().db.reader();
        let attempts = actions::list_attempts(on, world.ws, grace.action).await.unwrap();
        assert_eq!(attempts[0].outcome, Some(Outcome::Sent));
        // SAFE-4
        let log = audit::list(on, world.ws, &grace.action.to_string()).await.unwrap();
        assert_eq!((&*log[0].to_status, &*log[0].actor), ("sent", "engine:SAFE-3"));
    }

    // SAFE-3: it went out, and the policy of the other side sent it back.
    async fn a_passing_bounce_lets_the_sequence_go_on(test: TestDatabase) {
        let world = World::new(test).await;
        let grace = world.perhaps_sent_to(GRACE).await;
        world.arrive(&[&bounce(&grace, "5.7.1", "550 5.7.1 blocked by policy")]).await;
        let enrollment = world.enrollment(&grace).await;
        assert_eq!((enrollment.state, enrollment.step_index), (EnrollmentState::Active, 1));
        assert_eq!(action_state(&world, &grace).await, ActionState::Done);
    }

    // SAFE-3, SAF-4: it went out and came back, so the step is tried again.
    async fn a_soft_bounce_brings_the_step_back(test: TestDatabase) {
        let world = World::new(test).await;
        let grace = world.perhaps_sent_to(GRACE).await;
        world.arrive(&[&bounce(&grace, "4.2.2", "452 4.2.2 mailbox full")]).await;
        let enrollment = world.enrollment(&grace).await;
        assert_eq!((enrollment.state, enrollment.step_index), (EnrollmentState::Active, 0));
        assert_eq!(action_state(&world, &grace).await, ActionState::Retrying);
        let on = &mut world.env().db.reader();
        let attempts = actions::list_attempts(on, world.ws, grace.action).await.unwrap();
        assert_eq!(attempts[0].outcome, Some(Outcome::NotSent));
    }

    // SAFE-3, TRK-3
    async fn an_answer_in_its_thread(test: TestDatabase) {
        let world = World::new(test).await;
        let grace = world.perhaps_sent_to(GRACE).await;
        world.arrive(&[&answer(GRACE, &grace, "Thank you, no.")]).await;
        assert_eq!(action_state(&world, &grace).await, ActionState::Done);
        assert_eq!(world.enrollment(&grace).await.state, EnrollmentState::Replied);
    }

    // SAFE-3: somebody may write for other reasons.
    async fn a_mail_without_a_thread_proves_nothing(test: TestDatabase) {
        let world = World::new(test).await;
        let grace = world.perhaps_sent_to(GRACE).await;
        let mail = format!("From: {GRACE}\r\nMessage-ID: <x@example.net>\r\nSubject: Hello\r\n\r\nAre you there?");
        world.arrive(&[&mail]).await;
        assert_eq!(action_state(&world, &grace).await, ActionState::Ambiguous);
    }

    // SAFE-3: whoever opens it, or unsubscribes by its link, has it; found by a simulation.
    async fn what_only_its_recipient_has(test: TestDatabase) {
        let world = World::new(test).await;
        let opened = world.perhaps_sent_to(GRACE).await;
        let signal = Signal {
            kind: SignalKind::Opened,
            message_id: format!("<{}>", opened.message_id),
            at: world.now(),
            url: None,
        };
        world.script.answer(Ok(Ok(signals("s1", vec![signal]))));
        world.sync().await;
        assert_eq!(action_state(&world, &opened).await, ActionState::Done);
        let enrollment = world.enrollment(&opened).await;
        assert_eq!((enrollment.state, enrollment.step_index), (EnrollmentState::Active, 1));

        let left = world.perhaps_sent_to("linus@example.net").await;
        let enrollment = world.enrollment(&left).await;
        let mail = MailKey { workspace_id: world.ws, enrollment_id: enrollment.id, step_index: 0 };
        unsubscribe::by_token(world.env(), &unsubscribe::token(world.env(), mail)).await.unwrap();
        assert_eq!(action_state(&world, &left).await, ActionState::Done);
        assert_eq!(world.enrollment(&left).await.state, EnrollmentState::Unsubscribed);
        let kinds = world.kinds().await;
        assert_eq!(kinds.iter().filter(|kind| **kind == "email.sent").count(), 2, "{kinds:?}");
    }
}
