//! API-6: exactly one delivery for each webhook and event, whoever dies in between.

use std::time::Duration;

use overture_domain::{HostId, events::EventKind, rng::SeededRng, webhooks::DeliveryState};
use overture_engine::{
    Due,
    webhooks::{self, WebhookIn},
};
use overture_store::{Database, dialect::Dialect, events, hosts, on_both, testing::TestDatabase};
use overture_testkit::MONDAY;
use serde_json::json;

use crate::kit::{Kit, Sink, event, eventually, settle, write};

on_both! {
    // API-6
    async fn each_webhook_is_told_what_it_asked_for(test: TestDatabase) {
        let kit = Kit::new(test).await;
        let (all, some, others) = (Sink::start().await, Sink::start().await, Sink::start().await);
        kit.webhook(&all.url).await;
        let asked = |url: &str| WebhookIn {
            url: url.into(),
            events: vec!["email.bounced".into()],
            ..Default::default()
        };
        webhooks::create(&kit, kit.ws, asked(&some.url)).await.unwrap();
        let elsewhere = kit.test.workspace("Elsewhere").await;
        webhooks::create(&kit, elsewhere, asked(&others.url)).await.unwrap();
        let sent = kit.happens(EventKind::EmailSent, json!({})).await;
        let bounced = kit.happens(EventKind::EmailBounced, json!({})).await;
        // Never for webhooks.
        kit.happens(EventKind::EnrollmentCreated, json!({})).await;
        settle(&kit).await;
        let ids = |sink: &Sink| {
            let mut ids: Vec<_> = sink.requests().iter().map(|r| r.header("webhook-id").to_owned()).collect();
            ids.sort();
            ids
        };
        let mut both = [sent.to_string(), bounced.to_string()];
        both.sort();
        assert_eq!(ids(&all), both);
        assert_eq!(ids(&some), [bounced.to_string()]);
        assert_eq!(others.count(), 0, "another workspace's (WS-1)");
    }

    // API-6: the test goes to its own webhook, whatever that one asked for, each time anew.
    async fn a_test_goes_to_its_webhook_alone(test: TestDatabase) {
        let kit = Kit::new(test).await;
        let (one, other) = (Sink::start().await, Sink::start().await);
        let new = WebhookIn {
            url: one.url.as_str().into(),
            events: vec!["email.bounced".into()],
            ..Default::default()
        };
        let (webhook, _) = webhooks::create(&kit, kit.ws, new).await.unwrap();
        kit.webhook(&other.url).await;
        let first = webhooks::test(&kit, kit.ws, webhook.id).await.unwrap();
        let second = webhooks::test(&kit, kit.ws, webhook.id).await.unwrap();
        assert_ne!(first, second);
        settle(&kit).await;
        assert_eq!((one.count(), other.count()), (2, 0));
        let request = &one.requests()[0];
        assert_eq!(request.header("x-warmy-event-type"), "webhook.test");
        let data: serde_json::Value = serde_json::from_str(request.json()["data"].as_str().unwrap()).unwrap();
        assert_eq!(data["webhookId"], json!(webhook.id));
        assert_eq!(data["timestamp"], json!(kit.now()));
        assert!(data["message"].is_string());
    }

    // What happened before a webhook was made is not told.
    async fn a_new_webhook_hears_of_no_past(test: TestDatabase) {
        let kit = Kit::new(test).await;
        let sink = Sink::start().await;
        kit.happens(EventKind::EmailSent, json!({})).await;
        kit.test.clock.advance(Duration::from_secs(1));
        kit.webhook(&sink.url).await;
        let now = kit.happens(EventKind::EmailSent, json!({})).await;
        settle(&kit).await;
        assert_eq!(sink.only().header("webhook-id"), now.to_string());
    }

    // SAFE-5: two hosts that dispatch at the same time make no delivery twice, and leave out none.
    async fn two_dispatchers_share_one_cursor(test: TestDatabase) {
        let kit = Kit::new(test).await;
        let (webhook, _) = kit.webhook("https://hooks.example.com/").await;
        let happened: Vec<_> = (0..1_200)
            .map(|n| event(&kit, kit.ws, EventKind::EmailSent, json!({"n": n})))
            .collect();
        write(&kit, &happened).await;
        let here = kit.test.env.clone();
        let there = kit.test.env.clone();
        eventually("all is dispatched", async || {
            let (a, b) = tokio::join!(webhooks::dispatch(&here), webhooks::dispatch(&there));
            (a.unwrap(), b.unwrap()) == (Due::WhenWoken, Due::WhenWoken)
        }).await;
        let mut told: Vec<_> = kit.deliveries(&webhook).await.iter().map(|d| d.event_id).collect();
        told.sort();
        let mut expected: Vec<_> = happened.iter().map(|event| event.id).collect();
        expected.sort();
        assert_eq!(told, expected);
    }

    // SCH-5, API-8: a process that dies with a request on its way; it is told at least once.
    async fn a_delivery_outlives_its_process(test: TestDatabase) {
        let url = test.url.clone();
        let kit = Kit::new(test).await;
        let sink = Sink::start().await;
        let (webhook, _) = kit.webhook(&sink.url).await;
        kit.happens(EventKind::EmailSent, json!({})).await;
        sink.hang();
        let mut dying = kit.test.env.clone();
        let seen = sink.clone();
        std::thread::spawn(move || {
            let process = tokio::runtime::Runtime::new().unwrap();
            process.block_on(async {
                dying.db = Database::open(&url).await.unwrap();
                dying.host = HostId::new(MONDAY, &SeededRng::new(99));
                dying.under_way = Default::default();
                dying.couriers = Default::default();
                let mut tx = dying.db.begin().await.unwrap();
                hosts::heartbeat(&mut tx, dying.host, "dying", MONDAY).await.unwrap();
                tx.commit().await.unwrap();
                eventually("the request is on its way", async || {
                    webhooks::dispatch(&dying).await.unwrap();
                    webhooks::deliver(&dying).await.unwrap();
                    seen.count() == 1
                }).await;
            });
            process.shutdown_background();
        }).join().unwrap();
        assert_eq!(kit.deliveries(&webhook).await[0].state, DeliveryState::Delivering);
        sink.release();
        settle(&kit).await;
        assert_eq!(sink.count(), 1, "its lease is respected while it may live");
        let mut tx = kit.db.begin().await.unwrap();
        let released = hosts::release_dead(&mut tx, kit.host, MONDAY + Duration::from_secs(30)).await.unwrap();
        assert_eq!(released, 1);
        tx.commit().await.unwrap();
        settle(&kit).await;
        let requests = sink.requests();
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[0].header("webhook-id"), requests[1].header("webhook-id"));
        assert_eq!(kit.deliveries(&webhook).await[0].state, DeliveryState::Delivered);
    }
}

/// DESIGN §4: a transaction that commits late, though it began early, is skipped by nobody.
#[tokio::test(flavor = "multi_thread")]
async fn late_commits_are_not_skipped() {
    let kit = Kit::new(TestDatabase::new(Dialect::Postgres).await).await;
    let (webhook, _) = kit.webhook("https://hooks.example.com/").await;
    let events: Vec<_> = (0..4)
        .map(|n| event(&kit, kit.ws, EventKind::EmailSent, json!({"n": n})))
        .collect();
    let mut early = kit.db.begin().await.unwrap();
    events::insert_new(&mut early, &events[0]).await.unwrap();
    let mut later = kit.db.begin().await.unwrap();
    events::insert_new(&mut later, &events[1]).await.unwrap();
    later.commit().await.unwrap();
    // The later one is committed, the early one still open: both wait, and it is looked at again.
    assert!(matches!(webhooks::dispatch(&kit).await.unwrap(), Due::At(at) if at > kit.now()));
    assert_eq!(kit.deliveries(&webhook).await, []);
    events::insert(&mut early, &events[2..3]).await.unwrap();
    early.commit().await.unwrap();
    write(&kit, &events[3..]).await;
    eventually("all is dispatched", async || {
        webhooks::dispatch(&kit).await.unwrap() == Due::WhenWoken
    })
    .await;
    let mut told: Vec<_> = kit
        .deliveries(&webhook)
        .await
        .iter()
        .map(|d| d.event_id)
        .collect();
    told.sort();
    let mut expected: Vec<_> = events.iter().map(|event| event.id).collect();
    expected.sort();
    assert_eq!(told, expected);
}
