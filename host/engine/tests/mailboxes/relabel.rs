//! Labels that people change by hand (CLS-2).

use overture_domain::{
    MessageId,
    campaigns::CampaignStatus,
    enrollments::EnrollmentState,
    messages::{Direction, Label, Message},
    people::Actor,
    prospects::ProspectStatus,
};
use overture_engine::{
    Error,
    inbox::{self, Relabel},
};
use overture_store::{campaigns, jobs, messages, on_both};

use crate::{
    inbox::answer,
    world::{Sent, World},
};

const GRACE: &str = "grace@example.net";

/// What the last message that came in is called by hand.
async fn call(world: &World, label: Label, day: Option<&str>) -> Result<Message, Error> {
    let relabel = Relabel {
        label,
        until_day: day.map(|day| day.parse().unwrap()),
    };
    let id = last(world).await;
    inbox::relabel(world.env(), world.ws, id, relabel, &Actor::Cli).await
}

async fn last(world: &World) -> MessageId {
    let all = world.messages().await;
    all.iter()
        .rfind(|message| message.direction == Direction::In)
        .unwrap()
        .id
}

async fn state(world: &World, sent: &Sent) -> (EnrollmentState, Option<Label>) {
    let enrollment = world.enrollment(sent).await;
    (enrollment.state, enrollment.label)
}

fn refused(result: Result<Message, Error>) -> (String, String) {
    match result.unwrap_err() {
        Error::Invalid(all) => (all[0].field.clone(), all[0].code.clone()),
        other => panic!("{other:?}"),
    }
}

on_both! {
    // CLS-2
    async fn a_reply_that_was_none_lets_the_sequence_go_on(test: TestDatabase) {
        let world = World::new(test).await;
        let grace = world.sent_to(GRACE, EnrollmentState::Active).await;
        world.arrive(&[&answer(GRACE, &grace, "Please tell me more!")]).await;
        assert_eq!(state(&world, &grace).await, (EnrollmentState::Replied, Some(Label::Interested)));

        let after = call(&world, Label::OutOfOffice, Some("2026-03-09")).await.unwrap();
        assert_eq!((after.label, after.label_by.as_deref()), (Some(Label::OutOfOffice), Some("cli")));
        assert_eq!(state(&world, &grace).await, (EnrollmentState::Active, Some(Label::OutOfOffice)));
        // The 9th, where the campaign is.
        let unplanned = jobs::list_unplanned(&mut world.env().db.reader(), 10).await.unwrap();
        let waits: Vec<_> = unplanned.iter().map(|u| u.not_before.unwrap().to_string()).collect();
        assert_eq!(waits, ["2026-03-08T23:00:00Z"]);
        assert_eq!(world.kinds().await, ["enrollment.resumed", "out_of_office.received", "reply.received"]);
        // Every word is kept (CLS-4).
        let verdicts = messages::list_verdicts(&mut world.env().db.reader(), world.ws, after.id).await.unwrap();
        let words: Vec<_> = verdicts.iter().map(|said| (said.classifier.as_str(), said.label)).collect();
        assert_eq!(words.last(), Some(&("cli", Label::OutOfOffice)));
        assert!(words.len() > 1 && words[0].1 == Label::Interested, "{words:?}");

        // And back: a real reply stops it in the same way, and is told once (API-6).
        call(&world, Label::NotInterested, None).await.unwrap();
        assert_eq!(state(&world, &grace).await, (EnrollmentState::Replied, Some(Label::NotInterested)));
        assert_eq!(world.kinds().await.iter().filter(|kind| **kind == "reply.received").count(), 1);
    }

    // CLS-2: it had ended on another reply.
    async fn another_reply_keeps_it_ended(test: TestDatabase) {
        let world = World::new(test).await;
        let grace = world.sent_to(GRACE, EnrollmentState::Active).await;
        world.arrive(&[&answer(GRACE, &grace, "Please tell me more!")]).await;
        world.arrive(&[&answer(GRACE, &grace, "I am at the beach until Monday, call then")]).await;
        call(&world, Label::OutOfOffice, None).await.unwrap();
        assert_eq!(state(&world, &grace).await, (EnrollmentState::Replied, Some(Label::Interested)));
    }

    // SEQ-11: a campaign that has ended meanwhile waits for a person.
    async fn a_completed_campaign_is_paused(test: TestDatabase) {
        let world = World::new(test).await;
        let grace = world.sent_to(GRACE, EnrollmentState::Active).await;
        world.arrive(&[&answer(GRACE, &grace, "Please tell me more!")]).await;
        overture_engine::campaigns::tick(world.env()).await.unwrap();
        let find = async || campaigns::find(&mut world.env().db.reader(), world.ws, world.campaign).await.unwrap().unwrap();
        assert_eq!(find().await.status, CampaignStatus::Completed);
        call(&world, Label::AutoReply, None).await.unwrap();
        assert_eq!(state(&world, &grace).await.0, EnrollmentState::Active);
        let campaign = find().await;
        assert_eq!(campaign.status, CampaignStatus::Paused);
        assert!(campaign.pauses[0].detail.contains("relabelled"));
    }

    // CLS-2, CLS-5, SAF-4
    async fn a_label_by_hand_acts_like_a_classifier_s(test: TestDatabase) {
        let world = World::new(test).await;
        for (n, label, ends, status) in [
            (0, Label::UnsubscribeRequest, EnrollmentState::Unsubscribed, ProspectStatus::Unsubscribed),
            (1, Label::BounceHard, EnrollmentState::Bounced, ProspectStatus::Invalid),
            (2, Label::Complaint, EnrollmentState::Stopped, ProspectStatus::Suppressed),
            (3, Label::Question, EnrollmentState::Replied, ProspectStatus::Active),
        ] {
            let email = format!("p{n}@example.net");
            let sent = world.sent_to(&email, EnrollmentState::Active).await;
            world.arrive(&[&answer(&email, &sent, "I am away, back on 9 March.")]).await;
            assert_eq!(state(&world, &sent).await, (EnrollmentState::Active, Some(Label::OutOfOffice)), "{label}");
            call(&world, label, None).await.unwrap();
            assert_eq!(state(&world, &sent).await.0, ends, "{label}");
            assert_eq!(world.prospect(&sent).await.status, status, "{label}");
        }
    }

    async fn what_makes_no_sense_is_refused(test: TestDatabase) {
        let world = World::new(test).await;
        let grace = world.sent_to(GRACE, EnrollmentState::Active).await;
        world.arrive(&[&answer(GRACE, &grace, "hm")]).await;
        let wrong = [(Label::Question, "2026-03-09", "not_allowed"), (Label::OutOfOffice, "2020-01-01", "in_the_past")];
        for (label, day, code) in wrong {
            assert_eq!(refused(call(&world, label, Some(day)).await), ("returnDate".into(), code.into()));
        }
        assert_eq!(state(&world, &grace).await.0, EnrollmentState::Replied, "nothing was done");
        let nobody = inbox::relabel(
            world.env(), world.ws, world.env().id(), Relabel { label: Label::Other, until_day: None }, &Actor::Cli,
        ).await;
        assert!(matches!(nobody, Err(Error::NotFound("message"))));
    }
}
