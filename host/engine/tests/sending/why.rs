//! Why a mail has not gone out (SCH-9).

use overture_domain::{Timestamp, events::EventKind, people::Actor};
use overture_engine::{
    campaigns::{self, CampaignPatch},
    mailboxes,
    sends::{self, About, WhyNot},
};
use overture_store::on_both;
use overture_testkit::Outreach;

use super::{DAY, HOUR};

async fn ask(world: &Outreach, about: About) -> WhyNot {
    sends::why(world.env(), world.ws, about).await.unwrap()
}

on_both! {
    // SCH-9: through a campaign's life, the campaign, its people and its mailbox say the same.
    async fn each_answer_names_what_binds(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(3).await;
        let campaign = world.draft(&[&mailbox], &[("Hi", "One"), ("", "Two")]).await;
        world.enroll(campaign, &people).await;
        let of = async |about: About| ask(&world, about).await;
        let draft = of(About::Campaign(campaign)).await;
        assert_eq!((draft.code.as_str(), draft.next_at, draft.change.as_deref()), ("campaign_draft", None, Some("start it")));
        assert_eq!(of(About::Mailbox(mailbox.id)).await.code, "nobody_waits");

        world.start(campaign).await;
        world.run_for(std::time::Duration::from_secs(60 * 5)).await;
        let first = &world.enrollments(campaign).await;
        // One has gone; another waits for the pace of the mailbox, and the third for both.
        let codes: Vec<_> = {
            let mut codes = Vec::new();
            for enrollment in first {
                codes.push(of(About::Enrollment(enrollment.id)).await.code);
            }
            codes
        };
        assert!(codes.contains(&"delay".to_owned()) && codes.contains(&"pace".to_owned()), "{codes:?}");
        let by_campaign = of(About::Campaign(campaign)).await;
        assert_eq!(by_campaign.code, "pace");
        assert_eq!(of(About::Mailbox(mailbox.id)).await, by_campaign);

        campaigns::pause(world.env(), world.ws, campaign, &Actor::Cli).await.unwrap();
        for about in [About::Campaign(campaign), About::Enrollment(first[0].id)] {
            let paused = of(about).await;
            assert_eq!((paused.code.as_str(), paused.change.as_deref()), ("campaign_paused", Some("resume it")));
        }
        campaigns::resume(world.env(), world.ws, campaign, &Actor::Cli).await.unwrap();
        world.run_for(DAY * 3).await;
        let done = of(About::Enrollment(first[0].id)).await;
        assert_eq!((done.code.as_str(), done.next_at), ("completed", None));
    }

    // SCH-9, CAP-1: the limit, until when, and what raises it; and then it happens.
    async fn a_limit_is_named_with_its_remedy(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(3).await;
        let campaign = world.draft(&[&mailbox], &[("Hi", "One")]).await;
        let one = CampaignPatch { daily_send_limit: Some(1), ..CampaignPatch::default() };
        campaigns::update(world.env(), world.ws, campaign, &one, &Actor::Cli).await.unwrap();
        world.enroll(campaign, &people).await;
        world.start(campaign).await;
        world.run_for(HOUR).await;
        let answer = ask(&world, About::Campaign(campaign)).await;
        assert_eq!(answer.code, "cap_campaign_daily");
        assert_eq!(answer.reason, "the campaign's daily limit is reached (1 of 1)");
        assert_eq!(answer.change.as_deref(), Some("raise the campaign's dailySendLimit"));
        // Tomorrow, when the window opens; and then one goes.
        let tomorrow: Timestamp = "2026-03-03T09:00:00Z".parse().unwrap();
        assert_eq!(answer.next_at, Some(tomorrow));
        world.run_until(tomorrow).await;
        let sent = world.events(EventKind::EmailSent).await;
        assert_eq!(sent.last().unwrap().occurred_at, tomorrow);
        // What it says would change it does.
        let two = CampaignPatch { daily_send_limit: Some(2), ..CampaignPatch::default() };
        campaigns::update(world.env(), world.ws, campaign, &two, &Actor::Cli).await.unwrap();
        world.run_for(HOUR).await;
        assert_eq!(world.events(EventKind::EmailSent).await.len(), 3);
    }

    // SCH-9, MB-3: a mailbox that can't send says why, and so does everybody who needs it.
    async fn a_mailbox_that_is_off_is_named(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(1).await;
        let campaign = world.running(&[&mailbox], &people).await;
        world.settle().await;
        mailboxes::status::pause(world.env(), world.ws, mailbox.id, &Actor::Cli).await.unwrap();
        let answer = ask(&world, About::Mailbox(mailbox.id)).await;
        assert_eq!((answer.code.as_str(), answer.change.as_deref()), ("mailbox_paused", Some("resume the mailbox")));
        let answer = ask(&world, About::Campaign(campaign)).await;
        assert_eq!(answer.code, "no_usable_mailbox");
        assert!(answer.reason.contains("ada@sender.test is paused"), "{}", answer.reason);
    }
}
