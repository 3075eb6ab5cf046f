//! Sending that does harm stops by itself (SAF-1, SAF-2), and what is forgotten goes on (SCH-11).

use std::time::Duration;

use overture_domain::{
    AccountId, CampaignId,
    accounts::{AccountStatus, Channel},
    alerts::{Alert, AlertCode},
    campaigns::{Campaign, CampaignStatus, PauseReason},
    events::{Event, EventKind},
    people::Actor,
    prospects::ProspectStatus,
    safety::{BounceShield, Thresholds},
};
use overture_engine::{
    Due, Error,
    campaigns::{self, CampaignPatch},
    safety::{self, ShieldPatch},
    sends::{About, why},
};
use overture_plugin_host::{Problem, capabilities::mailbox::Reply};
use overture_store::{Slice, alerts, events, on_both, prospects, suppressions};
use overture_testkit::{Outreach, outreach::Fate};

use super::{DAY, HOUR, monday};

const MINUTE: Duration = Duration::from_secs(60);

async fn campaign(world: &Outreach, id: CampaignId) -> Campaign {
    campaigns::get(world.env(), world.ws, id)
        .await
        .unwrap()
        .campaign
}

async fn open_alerts(world: &Outreach) -> Vec<Alert> {
    alerts::list_open(&mut world.env().db.reader())
        .await
        .unwrap()
}

async fn codes(world: &Outreach) -> Vec<AlertCode> {
    open_alerts(world)
        .await
        .iter()
        .map(|one| one.code)
        .collect()
}

/// Tells so many events of a campaign's mails from a mailbox.
async fn told(world: &Outreach, kind: EventKind, from: AccountId, of: CampaignId, n: usize) {
    let env = world.env();
    let one = || Event {
        id: env.id(),
        workspace_id: world.ws,
        kind,
        channel: Some(Channel::Mail),
        campaign_id: Some(of),
        enrollment_id: None,
        prospect_id: None,
        account_id: Some(from),
        occurred_at: env.now(),
        dedup_key: None,
        data: serde_json::json!({}),
    };
    let all: Vec<Event> = (0..n).map(|_| one()).collect();
    let mut tx = env.db.begin().await.unwrap();
    events::insert(&mut tx, &all).await.unwrap();
    tx.commit().await.unwrap();
}

fn unknown_person() -> Fate {
    Fate::Refused(Problem::RecipientRejected(Reply {
        code: Some(550),
        enhanced: Some("5.1.1".into()),
        text: "no such user".into(),
    }))
}

on_both! {
    // SAF-1, SEQ-11, SCH-9, SAFE-4: more than 5 % of 50 mails and more came back: the campaign rests a
    // day at least, as long as its numbers stay bad, and runs again by itself.
    async fn a_campaign_whose_mails_come_back_rests(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let (ada, bob) = (world.mailbox("ada@sender.test").await, world.mailbox("bob@sender.test").await);
        // Too few for the Bounce Shield.
        for n in 0..5 {
            world.post.next(&format!("p{n}@d{}.test", n % 2), [unknown_person()]);
        }
        let people = world.prospects(70).await;
        let id = world.running(&[&ada, &bob], &people).await;
        let mut stopped_at = None;
        for minute in 0..480 {
            world.run_until(monday(9, minute)).await;
            safety::tick(world.env()).await.unwrap();
            if campaign(&world, id).await.status == CampaignStatus::Cooldown {
                stopped_at = Some(world.env().now());
                break;
            }
        }
        let stopped_at = stopped_at.expect("5 of 70 are more than 5 %");
        let taken = world.post.taken().len();
        assert!((50..65).contains(&taken), "no rate is judged before 50: {taken}");
        assert_eq!(codes(&world).await, [AlertCode::CampaignCooldown]);
        let answer = why(world.env(), world.ws, About::Campaign(id)).await.unwrap();
        assert_eq!((answer.code.as_str(), answer.next_at), ("campaign_cooldown", Some(stopped_at + DAY)));
        let words = format!(" of {taken} mails came back in 7 days, more than 5 %");
        assert!(answer.reason.starts_with("the campaign rests: ") && answer.reason.ends_with(&words), "{}", answer.reason);
        let refused = campaigns::resume(world.env(), world.ws, id, &Actor::Cli).await.unwrap_err();
        assert!(matches!(refused, Error::InvalidStatus { .. }), "{refused}");

        let mut rested = 0;
        while campaign(&world, id).await.status == CampaignStatus::Cooldown {
            rested += 1;
            assert!(rested <= 7, "it rests for ever");
            world.run_until(stopped_at + DAY * rested - MINUTE).await;
            assert_eq!(safety::tick(world.env()).await.unwrap(), Due::At(stopped_at + DAY * rested));
            assert_eq!(world.post.taken().len(), taken, "nothing goes out");
            world.run_until(stopped_at + DAY * rested).await;
            safety::tick(world.env()).await.unwrap();
        }
        assert_eq!(rested, 7, "its mails of the last 7 days count");
        assert_eq!(campaign(&world, id).await.status, CampaignStatus::Running);
        assert_eq!(codes(&world).await, []);
        let audit = world.kit.database.audit(&id.to_string()).await;
        let last: Vec<_> = audit.iter().rev().take(3).map(|row| (row.to_status.as_str(), row.actor.as_str())).collect();
        assert_eq!(last, [("running", "engine:SAF-1"), ("cooldown", "engine:SAF-1"), ("cooldown", "engine:SAF-1")]);
        world.run_for(DAY * 4).await;
        assert_eq!(world.post.taken().len(), 65, "everybody who is there was written to");
    }

    // SAF-1: three people who report a campaign's mails are enough; two are not.
    async fn a_campaign_that_is_reported_as_spam_rests(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let ada = world.mailbox("ada@sender.test").await;
        let people = world.prospects(5).await;
        let id = world.running(&[&ada], &people).await;
        told(&world, EventKind::EmailComplained, ada.id, id, 2).await;
        safety::tick(world.env()).await.unwrap();
        assert_eq!(campaign(&world, id).await.status, CampaignStatus::Running);
        told(&world, EventKind::EmailComplained, ada.id, id, 1).await;
        safety::tick(world.env()).await.unwrap();
        assert_eq!(campaign(&world, id).await.status, CampaignStatus::Cooldown);
        world.run_until(monday(16, 0)).await;
        assert!(world.post.taken().is_empty());
        let paused = campaigns::pause(world.env(), world.ws, id, &Actor::Cli).await.unwrap();
        assert_eq!(paused.status, CampaignStatus::Paused, "SEQ-11");
    }

    // SAF-1: the mailbox that causes it is paused alone where the others are healthy.
    async fn one_bad_mailbox_is_paused_alone(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let (ada, bob) = (world.mailbox("ada@sender.test").await, world.mailbox("bob@sender.test").await);
        let people = world.prospects(5).await;
        let id = world.running(&[&ada, &bob], &people).await;
        told(&world, EventKind::EmailSent, ada.id, id, 60).await;
        told(&world, EventKind::EmailSent, bob.id, id, 60).await;
        told(&world, EventKind::EmailBounced, bob.id, id, 7).await;
        safety::tick(world.env()).await.unwrap();
        assert_eq!(campaign(&world, id).await.status, CampaignStatus::Running);
        assert_eq!(world.account(ada.id).await.status, AccountStatus::Connected);
        let bob = world.account(bob.id).await;
        assert_eq!((bob.status, bob.status_reason.as_str()), (AccountStatus::Paused, "7 of 60 mails came back in 7 days, more than 5 %"));
        assert_eq!(codes(&world).await, [AlertCode::MailboxUnhealthy]);
        world.run_until(monday(16, 0)).await;
        let from: Vec<_> = world.post.taken().into_iter().map(|mail| mail.envelope.sender).collect();
        assert_eq!(from, vec!["ada@sender.test"; 5]);
    }

    // SAF-2, SEQ-10: too many of the workspace's last mails came back, whichever campaign they were
    // of: all of them wait for a person, who may let them run again.
    async fn the_bounce_shield_stops_a_workspace(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let (ada, bob) = (world.mailbox("ada@sender.test").await, world.mailbox("bob@sender.test").await);
        let people = world.prospects(6).await;
        let one = world.running(&[&ada], &people[..3]).await;
        let other = world.running(&[&bob], &people[3..]).await;
        let (env, ws) = (world.env(), world.ws);
        told(&world, EventKind::EmailSent, ada.id, one, 40).await;
        told(&world, EventKind::EmailSent, bob.id, other, 40).await;
        told(&world, EventKind::EmailBounced, ada.id, one, 8).await;
        safety::tick(env).await.unwrap();
        assert_eq!(codes(&world).await, [], "8 of 80 are 10 %");
        told(&world, EventKind::EmailBounced, bob.id, other, 1).await;
        safety::tick(env).await.unwrap();
        for id in [one, other] {
            let found = campaign(&world, id).await;
            assert_eq!(found.status, CampaignStatus::Paused);
            let pauses: Vec<_> = found.pauses.iter().map(|pause| (pause.reason, pause.outlook())).collect();
            assert_eq!(pauses, [(PauseReason::BounceShield, "Needs you".to_owned())]);
        }
        let open = open_alerts(&world).await;
        assert_eq!(open.iter().map(|one| (one.code, one.count)).collect::<Vec<_>>(), [(AlertCode::BounceShield, 2)]);
        assert_eq!(open[0].message, "9 of the last 80 mails of the workspace came back, more than 10 %");
        let answer = why(env, ws, About::Campaign(one)).await.unwrap();
        assert!(answer.reason.contains("bounce_shield (9 of the last 80"), "{}", answer.reason);

        campaigns::resume(env, ws, one, &Actor::Cli).await.unwrap();
        safety::tick(env).await.unwrap();
        assert_eq!(campaign(&world, one).await.status, CampaignStatus::Running, "the same mails don't trip it again");
        let patch = ShieldPatch { pauses_campaigns: Some(false), ..ShieldPatch::default() };
        let before = safety::shield(env, ws).await.unwrap();
        let after = safety::set_shield(env, ws, &patch).await.unwrap();
        assert_eq!(after, BounceShield { pauses_campaigns: false, ..before }, "the rest stays");
        world.run_for(MINUTE).await;
        told(&world, EventKind::EmailSent, bob.id, other, 50).await;
        told(&world, EventKind::EmailBounced, bob.id, other, 50).await;
        safety::tick(env).await.unwrap();
        assert_eq!(campaign(&world, one).await.status, CampaignStatus::Running, "it was told not to");
        let wrong = ShieldPatch { threshold_percent: Some(21), ..ShieldPatch::default() };
        assert!(matches!(safety::set_shield(env, ws, &wrong).await.unwrap_err(), Error::Invalid(_)));
    }

    // SAF-2: the last mails count, however long ago they went out: a workspace that sends little is
    // judged as one that sends much.
    async fn the_bounce_shield_knows_no_days(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let ada = world.mailbox("ada@sender.test").await;
        let people = world.prospects(3).await;
        let id = world.running(&[&ada], &people).await;
        told(&world, EventKind::EmailSent, ada.id, id, 60).await;
        told(&world, EventKind::EmailBounced, ada.id, id, 6).await;
        world.kit.clock.advance(8 * DAY);
        told(&world, EventKind::EmailBounced, ada.id, id, 1).await;
        safety::tick(world.env()).await.unwrap();
        let pauses: Vec<_> = campaign(&world, id).await.pauses.into_iter().map(|pause| pause.reason).collect();
        assert_eq!(pauses, [PauseReason::BounceShield]);
    }

    // SAF-1: the thresholds of a campaign are its own.
    async fn a_campaign_has_thresholds_of_its_own(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let (env, ws) = (world.env(), world.ws);
        let ada = world.mailbox("ada@sender.test").await;
        let people = world.prospects(5).await;
        let id = world.running(&[&ada], &people).await;
        let off = ShieldPatch { enabled: Some(false), ..ShieldPatch::default() };
        safety::set_shield(env, ws, &off).await.unwrap();
        let given = Thresholds { bounce_percent: 10, complaints: 5, reply_percent: None };
        let patch = CampaignPatch { safety: Some(given.clone()), ..CampaignPatch::default() };
        campaigns::update(env, ws, id, &patch, &Actor::Cli).await.unwrap();
        assert_eq!(campaign(&world, id).await.safety, given, "also while it runs");
        told(&world, EventKind::EmailSent, ada.id, id, 50).await;
        told(&world, EventKind::EmailBounced, ada.id, id, 5).await;
        told(&world, EventKind::EmailComplained, ada.id, id, 4).await;
        safety::tick(env).await.unwrap();
        assert_eq!(campaign(&world, id).await.status, CampaignStatus::Running);
        told(&world, EventKind::EmailBounced, ada.id, id, 1).await;
        safety::tick(env).await.unwrap();
        assert_eq!(campaign(&world, id).await.status, CampaignStatus::Cooldown);
        let wrong = Thresholds { complaints: 0, ..given };
        let patch = CampaignPatch { safety: Some(wrong), ..CampaignPatch::default() };
        let refused = campaigns::update(env, ws, id, &patch, &Actor::Cli).await.unwrap_err();
        let Error::Invalid(fields) = refused else { panic!("{refused}") };
        assert_eq!(fields[0].field, "safety.complaints");
    }

    // SAF-1, SEQ-10: below its floor of replies a campaign is told of from 100 mails on, and waits for a
    // person from 200; a resumed one begins anew.
    async fn a_campaign_to_which_nobody_replies_waits_for_a_person(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let (env, ws) = (world.env(), world.ws);
        let ada = world.mailbox("ada@sender.test").await;
        let people = world.prospects(5).await;
        let id = world.running(&[&ada], &people).await;
        let floor = Thresholds { reply_percent: Some(2), ..Thresholds::default() };
        let patch = CampaignPatch { safety: Some(floor), ..CampaignPatch::default() };
        campaigns::update(env, ws, id, &patch, &Actor::Cli).await.unwrap();
        // Of the hour in which it began nothing counts.
        world.kit.clock.advance(HOUR * 2);
        told(&world, EventKind::EmailSent, ada.id, id, 100).await;
        told(&world, EventKind::ReplyReceived, ada.id, id, 1).await;
        safety::tick(env).await.unwrap();
        assert_eq!(campaign(&world, id).await.status, CampaignStatus::Running);
        assert_eq!(codes(&world).await, [AlertCode::FewReplies]);
        told(&world, EventKind::ReplyReceived, ada.id, id, 1).await;
        safety::tick(env).await.unwrap();
        told(&world, EventKind::EmailSent, ada.id, id, 120).await;
        safety::tick(env).await.unwrap();
        let held = campaign(&world, id).await;
        assert_eq!(held.status, CampaignStatus::Paused);
        assert_eq!(held.pauses[0].reason, PauseReason::FewReplies);
        assert!(held.pauses[0].detail.starts_with("2 replies to "), "{}", held.pauses[0].detail);
        world.kit.clock.advance(HOUR);
        campaigns::resume(env, ws, id, &Actor::Cli).await.unwrap();
        safety::tick(env).await.unwrap();
        assert_eq!(campaign(&world, id).await.status, CampaignStatus::Running, "what went before counts no more");
    }

    // SAF-2, SAF-4: an address that doesn't exist is suppressed, unless the workspace doesn't want that;
    // its prospect is bounced in any case.
    async fn bounced_addresses_are_suppressed_where_that_is_wanted(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let (env, ws) = (world.env(), world.ws);
        let ada = world.mailbox("ada@sender.test").await;
        for n in 0..2 {
            world.post.next(&format!("p{n}@d{}.test", n % 2), [unknown_person()]);
        }
        let people = world.prospects(2).await;
        let listed = async || {
            let on = &mut env.db.reader();
            suppressions::list(on, ws, None, &Slice::first(10)).await.unwrap().len()
        };
        world.running(&[&ada], &people[..1]).await;
        world.run_for(HOUR).await;
        assert_eq!(listed().await, 1);
        let patch = ShieldPatch { blocks_addresses: Some(false), ..ShieldPatch::default() };
        safety::set_shield(env, ws, &patch).await.unwrap();
        world.running(&[&ada], &people[1..]).await;
        world.run_for(HOUR).await;
        assert_eq!(listed().await, 1, "it doesn't want that");
        for id in &people {
            let found = prospects::find(&mut env.db.reader(), ws, *id).await.unwrap().unwrap();
            assert_eq!(found.status, ProspectStatus::Invalid);
        }
    }

    // SCH-11, SAFE-1, SAFE-3: whoever was due and isn't looked at is found, told and planned anew;
    // nobody is written to twice for it.
    async fn what_is_forgotten_is_planned_anew(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let ada = world.mailbox("ada@sender.test").await;
        let people = world.prospects(6).await;
        let id = world.running(&[&ada], &people).await;
        world.run_until(monday(9, 8)).await;
        let before = world.post.taken().len();
        assert!((1..6).contains(&before), "{before}");
        let sweep = async |minutes: u64| {
            for _ in 0..minutes / 15 {
                world.kit.clock.advance(MINUTE * 15);
                safety::tick(world.env()).await.unwrap();
            }
        };
        sweep(15).await;
        world.run_for(Duration::ZERO).await;
        sweep(15).await;
        assert_eq!(codes(&world).await, [], "what waits for its turn is not forgotten");
        for (lost, raw) in [
            ("jobs", "UPDATE jobs SET state = 'expired' WHERE state = 'pending'"),
            ("lanes", "DELETE FROM lanes"),
        ] {
            world.kit.database.execute_raw(raw).await.unwrap();
            for _ in 0..4 {
                sweep(15).await;
                if !open_alerts(&world).await.is_empty() {
                    break;
                }
            }
            let open = open_alerts(&world).await;
            assert_eq!(open.iter().map(|one| one.code).collect::<Vec<_>>(), [AlertCode::StepsForgotten], "{lost}");
            let waiting = world.enrollments(id).await;
            assert!(waiting.iter().any(|one| one.state.is_open() && one.next_action_at.is_none()), "{lost}");
            world.settle().await;
            safety::tick(world.env()).await.unwrap();
            sweep(15).await;
            assert_eq!(codes(&world).await, [], "{lost}: it stays the only time");
        }
        world.run_until(monday(16, 59)).await;
        let mut to: Vec<_> = world.post.taken().into_iter().map(|mail| mail.envelope.recipient).collect();
        to.sort();
        assert_eq!(to, (0..6).map(|n| format!("p{n}@d{}.test", n % 2)).collect::<Vec<_>>());
    }

    // SCH-11: a process that stood still itself looks at what is due before it calls it forgotten.
    async fn whoever_stood_still_accuses_nobody(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let ada = world.mailbox("ada@sender.test").await;
        let people = world.prospects(6).await;
        world.running(&[&ada], &people).await;
        world.run_until(monday(9, 8)).await;
        safety::tick(world.env()).await.unwrap();
        world.kit.clock.advance(HOUR * 3);
        let due = safety::tick(world.env()).await.unwrap();
        assert_eq!(due, Due::At(world.env().now() + MINUTE * 15));
        assert_eq!(codes(&world).await, []);
    }
}
