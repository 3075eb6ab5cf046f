//! SAFE-5: events are the truth. Every number is theirs, and a counter that lies is found out.

use std::collections::{BTreeMap, BTreeSet};

use overture_testkit::on_both;
use serde_json::{Value, json};

use super::house::{DAY, House, STEP, silent};

/// People who do all that the sandbox can.
fn everybody() -> Vec<String> {
    let busy = [
        "reply", "question", "declines", "ooo", "bounce", "refused", "unsub", "stop", "clicks",
        "opens",
    ];
    let busy = busy.iter().map(|name| format!("{name}1@example.org"));
    busy.chain(silent(6)).collect()
}

/// How many people an event of a kind tells about, and how often it was told, in one campaign.
fn told(events: &[Value], kind: &str) -> (usize, usize) {
    let of: Vec<&Value> = events
        .iter()
        .filter(|event| event["type"] == kind)
        .collect();
    let people: BTreeSet<&str> = of
        .iter()
        .filter_map(|event| event["data"]["prospectId"].as_str())
        .collect();
    (people.len(), of.len())
}

on_both! {
    // SAFE-5
    async fn the_numbers_are_the_events(test: TestDatabase) {
        let house = House::open(&test).await;
        let people = everybody();
        let campaign = house.campaign(&people, &["Hi <a href=\"https://example.com/\">there</a>", "Hi again"]).await;
        house.run_while(STEP * 10, DAY * 30, async || {
            house.app.api.get(&format!("/campaigns/{campaign}")).await["status"] != "completed"
        }).await;
        let events = house.app.api.all("/events").await;
        let events: Vec<Value> = events.into_iter().filter(|event| event["data"]["campaignId"] == *campaign).collect();
        let stats = house.app.api.get(&format!("/campaigns/{campaign}/stats")).await;
        for (number, kind) in [
            ("contacted", "email.sent"), ("opened", "email.opened"), ("clicked", "email.clicked"),
            ("replied", "reply.received"), ("bounced", "email.bounced"),
            ("unsubscribed", "email.unsubscribed"), ("outOfOffice", "out_of_office.received"),
        ] {
            assert_eq!(stats[number], told(&events, kind).0, "{number}");
            // Nobody in the sandbox clicks where links aren't tracked.
            let did_it = stats[number].as_i64() > Some(0) || number == "clicked";
            assert!(did_it, "{number}: somebody did it");
        }
        assert_eq!(stats["sent"], told(&events, "email.sent").1);
        // Where everybody stands is what the events say of them as well.
        let mut states: BTreeMap<String, usize> = BTreeMap::new();
        for row in house.enrollments(&campaign).await {
            *states.entry(row["state"].as_str().expect("a state").to_owned()).or_default() += 1;
        }
        assert_eq!(stats["byState"], json!(states));
        assert_eq!(states["bounced"], told(&events, "email.bounced").0);
        assert_eq!(states["unsubscribed"], told(&events, "email.unsubscribed").0);
        house.app.stop().await;
    }
}
