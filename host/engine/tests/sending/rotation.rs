//! Which mailbox a mail leaves from (ROT-1), and how many people begin a day (CAP-5).

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use overture_domain::{
    campaigns::{CampaignStatus, Rotation},
    events::{Event, EventKind},
    people::Actor,
    windows,
};
use overture_engine::campaigns::{self, CampaignIn, CampaignPatch, MailboxSettingsIn, StepIn};
use overture_store::{on_both, testing::TestDatabase};
use overture_testkit::Outreach;

use super::{DAY, HOUR};

fn steps(n: usize) -> Vec<StepIn> {
    let step = |n| StepIn {
        subject: if n == 0 {
            "Hello".to_owned()
        } else {
            String::new()
        },
        body_html: format!("<p>{n}"),
        ..StepIn::default()
    };
    (0..n).map(step).collect()
}

/// How many mails left each address.
fn by_sender(world: &Outreach) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for mail in world.post.taken() {
        *counts.entry(mail.envelope.sender.clone()).or_default() += 1;
    }
    counts
}

/// How many first and later steps left on each day since the start.
async fn by_day(world: &Outreach) -> Vec<(usize, usize)> {
    let sent = world.events(EventKind::EmailSent).await;
    let day = |event: &Event| windows::civil_day(event.occurred_at, &TimeZone::UTC);
    let mut days = Vec::new();
    for event in &sent {
        let day = (day(event) - day(&sent[0])) as usize;
        days.resize(days.len().max(day + 1), (0, 0));
        if event.data["stepIndex"] == 0 {
            days[day].0 += 1;
        } else {
            days[day].1 += 1;
        }
    }
    days
}

/// First and later steps on the second day of a campaign that may send five mails a day.
async fn second_day(test: TestDatabase, follow_ups_first: bool) -> (usize, usize) {
    let world = Outreach::new(test).await;
    let mailbox = world.mailbox("ada@sender.test").await;
    let people = world.prospects(20).await;
    let given = CampaignIn {
        name: "Spring".to_owned(),
        steps: steps(2),
        mailbox_ids: vec![mailbox.id],
        daily_send_limit: Some(5),
        follow_ups_first: Some(follow_ups_first),
        ..CampaignIn::default()
    };
    let campaign = world.create(&given).await;
    world.enroll(campaign, &people).await;
    world.start(campaign).await;
    world.run_for(DAY * 3).await;
    by_day(&world).await[1]
}

on_both! {
    // ROT-1
    async fn weights_share_the_work(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let (heavy, light) = (world.mailbox("heavy@sender.test").await, world.mailbox("light@sender.test").await);
        let people = world.prospects(24).await;
        let campaign = world.create(&CampaignIn {
            name: "Spring".to_owned(),
            steps: steps(1),
            mailbox_ids: vec![heavy.id, light.id],
            mailbox_settings: vec![MailboxSettingsIn { id: heavy.id, weight: Some(3), active: None }],
            rotation: Some(Rotation::Weighted),
            ..CampaignIn::default()
        }).await;
        world.enroll(campaign, &people).await;
        world.start(campaign).await;
        world.run_for(DAY).await;
        let expected = [("heavy@sender.test".to_owned(), 18), ("light@sender.test".to_owned(), 6)];
        assert_eq!(by_sender(&world), BTreeMap::from(expected));
    }

    // ROT-1: whoever is switched off begins with nobody new, and keeps its follow-ups.
    async fn a_mailbox_that_is_off_keeps_its_follow_ups(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let (a, b) = (world.mailbox("a@sender.test").await, world.mailbox("b@sender.test").await);
        let people = world.prospects(8).await;
        let campaign = world.create(&CampaignIn {
            name: "Spring".to_owned(), steps: steps(2), mailbox_ids: vec![a.id, b.id], ..CampaignIn::default()
        }).await;
        world.enroll(campaign, &people[..4]).await;
        world.start(campaign).await;
        world.run_for(HOUR * 2).await;
        assert_eq!(by_sender(&world).values().copied().collect::<Vec<_>>(), [2, 2]);
        let off = CampaignPatch {
            mailbox_settings: vec![MailboxSettingsIn { id: b.id, weight: None, active: Some(false) }],
            ..CampaignPatch::default()
        };
        campaigns::update(world.env(), world.ws, campaign, &off, &Actor::Cli).await.unwrap();
        world.enroll(campaign, &people[4..]).await;
        world.run_for(DAY * 4).await;
        // Two of a's own and the four new ones twice; b brings its two to their end.
        assert_eq!(by_sender(&world).values().copied().collect::<Vec<_>>(), [4 + 8, 4]);
    }

    // CAP-5
    async fn new_people_have_a_limit_of_their_own(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(10).await;
        let campaign = world.create(&CampaignIn {
            name: "Spring".to_owned(), steps: steps(2), mailbox_ids: vec![mailbox.id],
            new_prospects_per_day: Some(Some(3)), ..CampaignIn::default()
        }).await;
        world.enroll(campaign, &people).await;
        world.start(campaign).await;
        world.run_for(HOUR * 6).await;
        let waits = world.enrollments(campaign).await;
        let reason = "the campaign's daily limit for new prospects is reached (3 of 3)";
        assert_eq!(waits.iter().filter(|e| e.reason == reason).count(), 7, "{waits:?}");
        // MB-4: raised, it acts at once.
        let more = CampaignPatch { new_prospects_per_day: Some(Some(4)), ..CampaignPatch::default() };
        campaigns::update(world.env(), world.ws, campaign, &more, &Actor::Cli).await.unwrap();
        world.run_for(DAY * 6).await;
        let days = by_day(&world).await;
        assert!(days.iter().all(|(first, _)| *first <= 4), "{days:?}");
        assert_eq!(days[..3], [(4, 0), (4, 4), (2, 4)], "{days:?}");
        let end = campaigns::get(world.env(), world.ws, campaign).await.unwrap().campaign.status;
        assert_eq!(end, CampaignStatus::Completed);
    }

    // CAP-5: where both have to share a day, the campaign says who goes first.
    async fn follow_ups_go_first(test: TestDatabase) {
        let (first, later) = second_day(test, true).await;
        assert!(first + later == 5 && later >= 3, "{first} {later}");
    }

    async fn new_people_go_first_where_the_campaign_says_so(test: TestDatabase) {
        assert_eq!(second_day(test, false).await, (5, 0));
    }
}
