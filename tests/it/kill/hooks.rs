//! Webhooks under SIGKILL: whatever dies in the middle of a delivery, every event comes at least
//! once and every signature is valid (API-7, API-8).

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use overture_engine::Failpoint;
use overture_testkit::{
    App, MONDAY, Sink,
    app::{Installation, driven_binary},
    eventually, on_both,
};
use serde_json::{Value, json};

use crate::story::hooks::{check_signatures, header};

/// How often the process is killed.
const KILLS: usize = 20;

/// Events between two kills.
const EVENTS: usize = 10;

const PHASES: [Failpoint; 3] = [
    Failpoint::DeliveryLeased,
    Failpoint::DeliveryAnswered,
    Failpoint::DeliveryRecorded,
];

const CONFIG: &str = "[engine]\nhost_dead_after_seconds = 1\n\
    [egress]\nallowed_networks = [\"127.0.0.0/8\"]\nallow_http = true\n";

on_both! {
    // API-7, API-8, SCH-5
    async fn webhooks(test: TestDatabase) {
        let mut app = App::start(Installation::new(driven_binary(), CONFIG, &test.url), MONDAY).await;
        let sink = Sink::start().await;
        let mut secrets = BTreeMap::new();
        for name in ["first", "second"] {
            let given = json!({ "url": sink.url(name), "events": ["prospect.suppressed"] });
            let made = app.api.post("/webhooks", &given).await;
            secrets.insert(name, made["secret"].as_str().expect("shown once").to_owned());
        }
        let dialect = test.db.dialect();
        for (n, failpoint) in (0..KILLS).zip(PHASES.into_iter().cycle()) {
            app.clock.hold(failpoint).await;
            let emails: Vec<_> = (0..EVENTS).map(|m| format!("p{n}-{m}@example.com")).collect();
            app.api.post("/prospects/suppress", &json!({ "emails": emails, "reason": "asked" })).await;
            let held = eventually("deliveries are held", Duration::from_secs(30), async || {
                let held = app.idle_or_held().await.held;
                (!held.is_empty()).then_some(held)
            }).await;
            let pid = app.kill().await;
            println!("{dialect:?}: killed {pid} at {failpoint}, {} deliveries there", held.len());
        }
        let events = app.api.all("/events?type=prospect.suppressed").await;
        assert_eq!(events.len(), KILLS * EVENTS);
        let ids: BTreeSet<String> = events.iter().map(id).collect();
        for (name, secret) in &secrets {
            eventually("every event is delivered", Duration::from_secs(60), async || {
                let came: BTreeSet<_> = sink.received(name).iter().map(|one| header(one, "webhook-id").to_owned()).collect();
                (came == ids).then_some(())
            }).await;
            app.idle().await;
            let received = sink.received(name);
            for one in &received {
                check_signatures(one, secret);
                let body = one.json();
                let event = events.iter().find(|event| event["id"] == body["id"]).expect("an event");
                assert_eq!(body["data"], event["data"]); // API-6
            }
            println!("{dialect:?}: {} events came to the {name} endpoint in {} requests", ids.len(), received.len());
        }
        app.stop().await;
    }
}

fn id(event: &Value) -> String {
    event["id"].as_str().expect("an id").to_owned()
}
