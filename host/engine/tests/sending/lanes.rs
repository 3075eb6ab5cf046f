//! People who wait for room: they are called up when there is more of it, and waiting costs nothing.

use std::time::Duration;

use overture_domain::{
    CampaignId, Timestamp, accounts::Account, campaigns::Window, enrollments::EnrollmentState,
    events::EventKind, people::Actor,
};
use overture_engine::{
    campaigns::{self, CampaignIn, CampaignPatch, StepIn},
    mailboxes::{self, MailboxChange},
};
use overture_store::{dialect::Dialect, on_both, testing::TestDatabase};
use overture_testkit::{MONDAY, Outreach};

use super::{DAY, HOUR, all_are, monday};

async fn limit(world: &Outreach, mailbox: &Account, n: i64) {
    let change = MailboxChange {
        daily_limit: Some(n),
        ..MailboxChange::default()
    };
    mailboxes::update(world.env(), world.ws, mailbox.id, change, &Actor::Cli)
        .await
        .unwrap();
}

async fn edit(world: &Outreach, campaign: CampaignId, patch: CampaignPatch) {
    campaigns::update(world.env(), world.ws, campaign, &patch, &Actor::Cli)
        .await
        .unwrap();
}

/// Everybody was written to by now, at the pace of the mailbox (SAFE-1, SCH-4).
async fn done_without_a_burst(world: &Outreach, campaign: CampaignId) {
    all_are(world, campaign, EnrollmentState::Completed).await;
    let sent = world.events(EventKind::EmailSent).await;
    for mailbox in sent.iter().map(|event| event.account_id) {
        let of = sent.iter().filter(|event| event.account_id == mailbox);
        let times: Vec<Timestamp> = of.map(|event| event.occurred_at).collect();
        let paced = |pair: &[Timestamp]| pair[1].since(pair[0]) > Duration::from_secs(300);
        assert!(times.windows(2).all(paced), "{times:?}");
    }
}

/// Notes from now on which jobs are claimed.
async fn note_claims(test: &TestDatabase) {
    let statements: &[&'static str] = match test.db.dialect() {
        Dialect::Sqlite => &[
            "CREATE TABLE claims (job TEXT)",
            "CREATE TRIGGER note_claim AFTER UPDATE OF state ON jobs WHEN NEW.state = 'processing'
             BEGIN INSERT INTO claims VALUES (NEW.id); END",
        ],
        Dialect::Postgres => &[
            "CREATE TABLE claims (job TEXT)",
            "CREATE FUNCTION note_claim() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN INSERT INTO claims VALUES (NEW.id); RETURN NEW; END $$",
            "CREATE TRIGGER note_claim AFTER UPDATE OF state ON jobs FOR EACH ROW
             WHEN (NEW.state = 'processing') EXECUTE FUNCTION note_claim()",
        ],
    };
    for statement in statements {
        test.execute_raw(statement).await.unwrap();
    }
}

async fn claims(test: &TestDatabase) -> u64 {
    test.execute_raw("DELETE FROM claims").await.unwrap()
}

on_both! {
    // MB-4: a limit acts at the next tick, upward too.
    async fn a_raised_limit_of_a_mailbox_acts_at_once(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        limit(&world, &mailbox, 2).await;
        let people = world.prospects(12).await;
        let campaign = world.running(&[&mailbox], &people).await;
        world.run_until(monday(10, 0)).await;
        assert_eq!(world.post.taken().len(), 2);
        limit(&world, &mailbox, 50).await;
        world.run_until(monday(16, 0)).await;
        done_without_a_burst(&world, campaign).await;
    }

    // MB-4 for follow-ups, which wait for the one mailbox that they stick to (ROT-1).
    async fn a_raised_limit_calls_follow_ups_up(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(6).await;
        let campaign = world.draft(&[&mailbox], &[("Hi", "One"), ("", "Two")]).await;
        world.enroll(campaign, &people).await;
        world.start(campaign).await;
        world.run_until(monday(17, 0)).await;
        limit(&world, &mailbox, 1).await;
        world.run_until(monday(11, 0) + DAY).await;
        assert_eq!(world.post.taken().len(), 7);
        limit(&world, &mailbox, 50).await;
        world.run_until(monday(16, 0) + DAY).await;
        done_without_a_burst(&world, campaign).await;
    }

    // MB-4: the same for the limits of a campaign.
    async fn a_raised_limit_of_a_campaign_acts_at_once(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(9).await;
        let campaign = world.draft(&[&mailbox], &[("Hi", "Hi")]).await;
        edit(&world, campaign, CampaignPatch { daily_send_limit: Some(1), ..CampaignPatch::default() }).await;
        world.enroll(campaign, &people).await;
        world.start(campaign).await;
        world.run_until(monday(10, 0)).await;
        assert_eq!(world.post.taken().len(), 1);
        let patch = CampaignPatch { daily_send_limit: Some(100), max_sends_per_mailbox_per_day: Some(3), ..CampaignPatch::default() };
        edit(&world, campaign, patch).await;
        world.run_until(monday(12, 0)).await;
        assert_eq!(world.post.taken().len(), 3);
        edit(&world, campaign, CampaignPatch { max_sends_per_mailbox_per_day: Some(50), ..CampaignPatch::default() }).await;
        world.run_until(monday(16, 0)).await;
        done_without_a_burst(&world, campaign).await;
    }

    // MB-4, MB-11: a mailbox that comes back, and one that joins, bring their room with them.
    async fn a_mailbox_that_comes_back_brings_its_room(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let (first, second, third) = (world.mailbox("a@sender.test").await, world.mailbox("b@sender.test").await, world.mailbox("c@sender.test").await);
        for mailbox in [&first, &second] {
            limit(&world, mailbox, 2).await;
        }
        mailboxes::status::pause(world.env(), world.ws, second.id, &Actor::Cli).await.unwrap();
        let people = world.prospects(9).await;
        let campaign = world.running(&[&first, &second], &people).await;
        world.run_until(monday(10, 0)).await;
        assert_eq!(world.post.taken().len(), 2);
        mailboxes::status::resume(world.env(), world.ws, second.id, &Actor::Cli).await.unwrap();
        world.run_until(monday(11, 0)).await;
        assert_eq!(world.post.taken().len(), 4);
        let pool = CampaignPatch { mailbox_ids: Some(vec![first.id, second.id, third.id]), ..CampaignPatch::default() };
        edit(&world, campaign, pool).await;
        world.run_until(monday(16, 0)).await;
        done_without_a_burst(&world, campaign).await;
    }

    // MB-5: nobody waits out the hour when the only mailbox is back.
    async fn the_only_mailbox_comes_back(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(2).await;
        let campaign = world.running(&[&mailbox], &people).await;
        mailboxes::status::pause(world.env(), world.ws, mailbox.id, &Actor::Cli).await.unwrap();
        world.run_until(monday(9, 30)).await;
        let waiting = world.enrollments(campaign).await;
        assert!(waiting.iter().all(|e| e.reason.starts_with("no_usable_mailbox")), "{waiting:?}");
        mailboxes::status::resume(world.env(), world.ws, mailbox.id, &Actor::Cli).await.unwrap();
        world.run_until(monday(9, 45)).await;
        done_without_a_burst(&world, campaign).await;
    }

    // MB-4, SCH-2: a window that was opened while the campaign paused counts for everybody, also
    // for those who were laid out by the old one.
    async fn an_edited_window_acts_at_once(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(9).await;
        let window = |start: u16, end: u16| Some(vec![Window { days: (0..7).collect(), start: start * 60, end: end * 60 }]);
        let given = CampaignIn {
            name: "Spring".into(),
            steps: vec![StepIn { subject: "Hi".into(), body_html: "Hi".into(), ..StepIn::default() }],
            mailbox_ids: vec![mailbox.id],
            windows: window(9, 10),
            ..CampaignIn::default()
        };
        let campaign = world.create(&given).await;
        world.enroll(campaign, &people[..7]).await;
        world.start(campaign).await;
        limit(&world, &mailbox, 3).await;
        world.run_until(monday(10, 30)).await;
        // These are planned for the next window.
        world.enroll(campaign, &people[7..]).await;
        world.run_until(monday(11, 0)).await;
        assert_eq!(world.post.taken().len(), 3);
        campaigns::pause(world.env(), world.ws, campaign, &Actor::Cli).await.unwrap();
        limit(&world, &mailbox, 50).await;
        edit(&world, campaign, CampaignPatch { windows: window(9, 17), ..CampaignPatch::default() }).await;
        world.run_until(monday(12, 0)).await;
        assert_eq!(world.post.taken().len(), 3, "paused");
        campaigns::resume(world.env(), world.ws, campaign, &Actor::Cli).await.unwrap();
        world.run_until(monday(16, 0)).await;
        done_without_a_burst(&world, campaign).await;
    }

    // SCH-8: what a tick looks at follows from what can be sent, however many wait.
    async fn waiting_costs_nothing(test: TestDatabase) {
        let world = Outreach::new(test).await;
        note_claims(&world.kit.database).await;
        let mut looked = Vec::new();
        for (round, waiting) in [400_u32, 2_400].into_iter().enumerate() {
            let mut pool = Vec::new();
            for n in 0..10 {
                pool.push(world.mailbox(&format!("m{n}@sender{round}.test")).await);
            }
            let people: Vec<_> = (0..waiting).map(|n| world.prospect(&format!("p{n}@r{round}d{}.test", n % 100))).collect();
            let ids = world.write_prospects(&people).await;
            let campaign = world.running(&pool.iter().collect::<Vec<_>>(), &ids).await;
            let (before, start) = (world.post.taken().len(), world.env().now());
            claims(&world.kit.database).await;
            world.run_until(start + HOUR).await;
            let sent = world.post.taken().len() - before;
            assert!((90..=100).contains(&sent), "the campaign's limit is used: {sent}");
            looked.push((claims(&world.kit.database).await, sent));
            campaigns::pause(world.env(), world.ws, campaign, &Actor::Cli).await.unwrap();
            world.run_until(start + HOUR * 3).await;
        }
        for (claimed, sent) in &looked {
            assert!(*claimed <= 5 * *sent as u64, "{looked:?}");
        }
        assert!(looked[1].0 <= looked[0].0 * 11 / 10, "{looked:?}");
    }

    // SCH-8: campaigns that share a mailbox take turns; one with many waiting keeps no other back.
    async fn campaigns_take_turns(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(60).await;
        world.running(&[&mailbox], &people[..50]).await;
        world.run_until(MONDAY + HOUR).await;
        let second = world.running(&[&mailbox], &people[50..]).await;
        world.run_until(MONDAY + HOUR * 4).await;
        all_are(&world, second, EnrollmentState::Completed).await;
    }
    // SCH-8: the hands are shared between workspaces; one with many mails to send delays no other's.
    async fn workspaces_share_the_hands(test: TestDatabase) {
        let mut busy = Outreach::new(test).await;
        let config = overture_engine::Config { concurrent_sends: 2, ..overture_engine::Config::default() };
        busy.kit.env.config = std::sync::Arc::new(config);
        let quiet = Outreach { ws: busy.kit.workspace("Quiet").await, ..busy.clone() };
        let mut pool = Vec::new();
        for n in 0..8 {
            pool.push(busy.mailbox(&format!("m{n}@busy.test")).await);
        }
        let people = busy.prospects(40).await;
        busy.running(&pool.iter().collect::<Vec<_>>(), &people).await;
        let mailbox = quiet.mailbox("ada@quiet.test").await;
        let person = quiet.write_prospects(&[quiet.prospect("one@quiet-customer.test")]).await;
        quiet.running(&[&mailbox], &person).await;
        busy.settle().await;
        busy.kit.clock.advance(Duration::from_secs(6 * 60));
        busy.settle().await;
        let asked = busy.post.asked();
        assert_eq!(asked.len(), 9, "one a mailbox: {asked:?}");
        let place = asked.iter().position(|email| email == "one@quiet-customer.test");
        assert!(place.is_some_and(|place| place < 4), "{asked:?}");
    }
}
