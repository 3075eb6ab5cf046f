//! Mails that went out and came back for a reason that passes.

use std::time::Duration;

use overture_domain::{
    enrollments::{Action, ActionState, Attempt, EnrollmentState, Outcome},
    prospects::ProspectStatus,
};
use overture_store::{actions, enrollments, jobs, on_both};

use crate::{
    inbox::bounce,
    world::{Sent, World},
};

const GRACE: &str = "grace@example.net";
const HOUR: Duration = Duration::from_secs(3_600);
const FULL: &str = "552 5.2.2 mailbox full";

impl World {
    async fn action(&self, sent: &Sent) -> Action {
        let ids = [sent.enrollment];
        let on = &mut self.env().db.reader();
        let mut all = actions::list_by_enrollments(on, self.ws, &ids)
            .await
            .unwrap();
        assert_eq!(all.len(), 1, "one step, one action");
        all.remove(0)
    }

    async fn attempts(&self, sent: &Sent) -> Vec<Option<Outcome>> {
        let action = self.action(sent).await.id;
        let on = &mut self.env().db.reader();
        let attempts = actions::list_attempts(on, self.ws, action).await.unwrap();
        attempts.iter().map(|attempt| attempt.outcome).collect()
    }

    /// Its retry goes out, as the part `sends` writes it.
    async fn goes_out_again(&self, sent: &Sent) {
        self.kit.clock.advance(HOUR * 72);
        let (now, action) = (self.now(), self.action(sent).await);
        let attempt = Attempt {
            id: self.env().id(),
            workspace_id: self.ws,
            action_id: action.id,
            external_id: action.external_id.clone(),
            at: now,
            outcome: None,
            outcome_at: None,
            detail: None,
        };
        let ended = actions::Ended {
            action_id: action.id,
            state: ActionState::Done,
            deferrals: action.deferrals,
            error: None,
            attempt: Some((attempt.id, Outcome::Sent)),
            detail: None,
        };
        let mut tx = self.env().db.begin().await.unwrap();
        let claimed = jobs::claim(
            &mut tx,
            overture_domain::enrollments::JobKind::SendStep,
            self.env().host,
            now,
            now,
            9,
        );
        let claimed = claimed.await.unwrap();
        assert_eq!(claimed.len(), 1, "it was planned");
        let again = [(action.id, self.mailbox.id)];
        actions::hand_out_again(&mut tx, &again, now).await.unwrap();
        let begun = actions::insert_attempts(&mut tx, &[attempt]).await.unwrap();
        assert_eq!(begun.len(), 1, "the first is proven to have sent nothing");
        actions::end(&mut tx, &[ended], now).await.unwrap();
        let done = [(
            claimed[0].id,
            overture_domain::enrollments::JobState::Completed,
            None,
        )];
        jobs::finish(&mut tx, &done, now).await.unwrap();
        enrollments::advance(&mut tx, self.ws, &[(sent.enrollment, 0)], now)
            .await
            .unwrap();
        let (ids, through) = ([sent.enrollment], EnrollmentState::Completed);
        enrollments::finish(&mut tx, self.ws, &ids, through, "", now)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
}

on_both! {
    // SAF-4, SAFE-3: the same step with the same Message-ID, a new attempt, three times at most.
    async fn a_full_mailbox_is_tried_again_three_times(test: TestDatabase) {
        let world = World::new(test).await;
        let grace = world.sent_to(GRACE, EnrollmentState::Completed).await;
        let first = bounce(&grace, "5.2.2", FULL);
        world.arrive(&[&first, &first]).await;

        let action = world.action(&grace).await;
        assert_eq!((action.state, action.deferrals), (ActionState::Retrying, 1));
        assert_eq!(action.external_id, grace.message_id);
        assert_eq!(world.attempts(&grace).await, [Some(Outcome::NotSent)]);
        let enrollment = world.enrollment(&grace).await;
        assert_eq!((enrollment.state, enrollment.step_index), (EnrollmentState::Active, 0));
        assert_eq!(enrollment.next_action_at, Some(world.now() + HOUR * 4));
        assert!(enrollment.reason.contains("came back, tried again") && enrollment.reason.contains("mailbox full"), "{}", enrollment.reason);
        assert_eq!(world.prospect(&grace).await.status, ProspectStatus::Active);

        for n in 2..=4 {
            world.goes_out_again(&grace).await;
            let again = first.replace("<dsn-", &format!("<dsn{n}-"));
            world.arrive(&[&again]).await;
        }
        assert_eq!(world.attempts(&grace).await, [Some(Outcome::NotSent); 4]);
        let enrollment = world.enrollment(&grace).await;
        assert_eq!((enrollment.state, enrollment.next_action_at), (EnrollmentState::Failed, None));
        assert!(enrollment.reason.contains("4 times") && enrollment.reason.contains("mailbox full"), "{}", enrollment.reason);
        assert_eq!(world.action(&grace).await.state, ActionState::Failed);
        assert_eq!(world.kinds().await, ["email.soft_bounced", "email.soft_bounced", "email.soft_bounced", "email.soft_bounced", "enrollment.finished"]);
    }

    // CAP-3, SAF-4: the mailbox's own quota is nobody's bounce; the mail waits with the mailbox.
    async fn a_senders_quota_makes_the_mail_wait(test: TestDatabase) {
        let world = World::new(test).await;
        let grace = world.sent_to(GRACE, EnrollmentState::Completed).await;
        world.arrive(&[&bounce(&grace, "5.4.5", "550 5.4.5 daily sending quota exceeded")]).await;
        assert_eq!(world.kinds().await, ["email.deferred"]);
        let (account, enrollment) = (world.account().await, world.enrollment(&grace).await);
        assert_eq!(account.backoff_rung, 1);
        assert_eq!((enrollment.state, enrollment.next_action_at), (EnrollmentState::Active, Some(account.backoff_until)));
        let action = world.action(&grace).await;
        assert_eq!((action.state, action.deferrals), (ActionState::Retrying, 0));
    }

    // SAFE-3, SAFE-1: what the sequence has gone past is not sent again.
    async fn what_was_gone_past_stays(test: TestDatabase) {
        let world = World::new(test).await;
        let soft = |sent: &Sent| bounce(sent, "5.2.2", FULL);
        // Its next step is with a host at this moment.
        let busy = world.sent_to("busy@example.net", EnrollmentState::Active).await;
        world.plan(busy.enrollment, world.now()).await;
        let mut tx = world.env().db.begin().await.unwrap();
        let kind = overture_domain::enrollments::JobKind::SendStep;
        assert_eq!(jobs::claim(&mut tx, kind, world.env().host, world.now(), world.now(), 9).await.unwrap().len(), 1);
        tx.commit().await.unwrap();
        // A person has answered meanwhile.
        let answered = world.sent_to("answered@example.net", EnrollmentState::Replied).await;
        // A report of a delay, and one that names no mail of ours.
        let delayed = world.sent_to("delayed@example.net", EnrollmentState::Completed).await;
        let delay = soft(&delayed).replace("Action: failed", "Action: delayed");
        let unnamed = world.sent_to("unnamed@example.net", EnrollmentState::Completed).await;
        let nameless = soft(&unnamed).replace(&unnamed.message_id, "other@elsewhere.test");
        world.arrive(&[&soft(&busy), &soft(&answered), &delay, &nameless]).await;
        assert_eq!(world.messages().await.len(), 4);
        for (sent, state) in [
            (&busy, EnrollmentState::Active),
            (&answered, EnrollmentState::Replied),
            (&delayed, EnrollmentState::Completed),
            (&unnamed, EnrollmentState::Completed),
        ] {
            let enrollment = world.enrollment(sent).await;
            assert_eq!((enrollment.state, enrollment.step_index), (state, 1), "{}", sent.email);
            assert_eq!(world.attempts(sent).await, [Some(Outcome::Sent)], "{}", sent.email);
        }
    }
}
