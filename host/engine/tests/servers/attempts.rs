//! What becomes of a step whose dialogue breaks: before the body it is not sent and tried again,
//! after it only a person or evidence tells (SAFE-3). Truth is the prospect's mailbox.

use std::{collections::BTreeMap, time::Duration};

use overture_domain::{
    enrollments::{EnrollmentState, Outcome},
    people::Actor,
};
use overture_engine::sends;
use overture_store::{actions, evidence};
use overture_testkit::{
    proxy::{At, Harm},
    servers::wait_until,
};

use crate::office::{Office, TIMEOUTS};

const HOUR: Duration = Duration::from_secs(3_600);

/// One prospect behind a server that misbehaves.
struct Step {
    office: Office,
    prospect: String,
    campaign: overture_domain::CampaignId,
}

impl Step {
    /// The step is tried while the proxy does harm.
    async fn tried(at: At, harm: Harm) -> Self {
        let office = Office::new().await;
        let [ada, prospect] = office.accounts(["ada", "prospect"]);
        let mailbox = office.mailbox(&ada).await;
        let person = office.world.prospect(&prospect);
        let people = office.world.write_prospects(&[person]).await;
        office.smtp.harm(at, harm);
        let campaign = office.world.running(&[&mailbox], &people).await;
        let step = Self {
            office,
            prospect,
            campaign,
        };
        while step.office.smtp.struck() == 0 {
            step.go_on().await;
        }
        step.office.smtp.heal();
        step
    }

    /// Turns the clock to what is due next.
    async fn go_on(&self) {
        let world = &self.office.world;
        let next = world.settle().await.expect("something is due");
        world.kit.clock.advance_to(next);
        world.settle().await;
    }

    async fn enrollment(&self) -> overture_domain::enrollments::Enrollment {
        self.office.world.enrollments(self.campaign).await.remove(0)
    }

    /// The outcomes of all attempts, in their order.
    async fn attempts(&self) -> Vec<Option<Outcome>> {
        let world = &self.office.world;
        let on = &mut world.env().db.reader();
        let id = self.enrollment().await.id;
        let actions = actions::list_by_enrollments(on, world.ws, &[id])
            .await
            .unwrap();
        let mut found = BTreeMap::new();
        for action in actions {
            for attempt in actions::list_attempts(on, world.ws, action.id)
                .await
                .unwrap()
            {
                found.insert(attempt.id, attempt.outcome);
            }
        }
        found.into_values().collect()
    }

    /// How many mails the prospect has got, once there is one.
    fn copies(&self) -> usize {
        let copies = || {
            self.office
                .servers
                .mails(&self.prospect, "INBOX")
                .unwrap()
                .len()
        };
        wait_until(TIMEOUTS.transfer * 4, || copies() > 0);
        copies()
    }
}

async fn is_tried_again(at: At, harm: Harm) {
    let step = Step::tried(at, harm).await;
    let enrollment = step.enrollment().await;
    let shown = format!("{at:?} {harm:?}: {}", enrollment.reason);
    assert_eq!(enrollment.state, EnrollmentState::Active, "{shown}");
    assert!(enrollment.next_action_at.is_some(), "{shown}");
    assert_eq!(
        step.attempts().await,
        [],
        "no attempt before the body: {shown}"
    );
    step.office.world.run_for(HOUR * 3).await;
    let enrollment = step.enrollment().await;
    let shown = format!("{at:?} {harm:?}: {}", enrollment.reason);
    assert_eq!(enrollment.state, EnrollmentState::Completed, "{shown}");
    assert_eq!(step.attempts().await, [Some(Outcome::Sent)], "{shown}");
    assert_eq!(step.copies(), 1, "{shown}");
}

async fn is_ambiguous(at: At, harm: Harm, taken: bool) {
    let step = Step::tried(at, harm).await;
    let world = &step.office.world;
    world.run_for(HOUR * 3).await;
    let enrollment = step.enrollment().await;
    let shown = format!("{at:?} {harm:?}: {}", enrollment.reason);
    assert_eq!(enrollment.state, EnrollmentState::AmbiguousSend, "{shown}");
    assert_eq!(step.attempts().await, [Some(Outcome::Ambiguous)], "{shown}");
    assert_eq!(step.office.smtp.struck(), 1, "it is not repeated: {shown}");
    // A person looks into the prospect's mailbox and says so.
    if taken {
        assert_eq!(step.copies(), 1, "{shown}");
    }
    let (env, ws) = (world.env(), world.ws);
    let waiting = evidence::list(&mut env.db.reader(), ws, None, 10).await;
    let waiting: Vec<_> = waiting.unwrap().iter().map(|send| send.action.id).collect();
    sends::resolve(env, ws, &waiting, taken, &Actor::Cli)
        .await
        .unwrap();
    world.run_for(HOUR * 3).await;
    assert_eq!(
        step.enrollment().await.state,
        EnrollmentState::Completed,
        "{shown}"
    );
    assert_eq!(step.copies(), 1, "{shown}");
}

// SAFE-3: what breaks before the attempt is committed is not sent, and tried again by itself.
#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_before_the_body_is_tried_again() {
    futures::future::join_all([
        is_tried_again(At::Greeting, Harm::Hang),
        is_tried_again(At::Line("EHLO"), Harm::Answer("what?\r\n")),
        is_tried_again(At::Line("STARTTLS"), Harm::Inject("250 AUTH PLAIN\r\n")),
        is_tried_again(At::Line("AUTH"), Harm::Close),
        is_tried_again(At::Line("MAIL"), Harm::Hang),
        is_tried_again(At::Line("RCPT"), Harm::Close),
        is_tried_again(At::Line("DATA"), Harm::Close),
        is_tried_again(At::Line("DATA"), Harm::Hang),
    ])
    .await;
}

// SAFE-3: without an answer to the body nobody knows.
#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_after_the_body_began_is_ambiguous() {
    futures::future::join_all([
        is_ambiguous(At::Line("Subject:"), Harm::Close, false),
        is_ambiguous(At::Line("."), Harm::Hang, false),
        is_ambiguous(
            At::Line("."),
            Harm::LastWords("250-2.0.0 half an\r\n"),
            false,
        ),
        is_ambiguous(At::Line("."), Harm::Lose, true),
    ])
    .await;
}
