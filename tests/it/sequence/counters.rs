//! SAFE-5: the numbers of the campaigns, the events, and what people did are one.

use std::{collections::BTreeSet, time::Duration};

use overture_testkit::TestDatabase;
use serde_json::{Value, json};

use super::{
    campaigns::Kind,
    people::{People, Role},
    run::Run,
};

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Lets time pass until everything that people did is known, and compares.
pub(super) async fn check(run: &Run<'_>, ids: &[String], database: &TestDatabase) {
    for (kind, id) in Kind::ALL.into_iter().zip(ids) {
        let expected = stats_of(&run.people, kind);
        let path = format!("/campaigns/{id}/stats");
        let by_state = &expected["byState"];
        let what = format!("everything of {kind:?} is known: {by_state}");
        let last = std::cell::RefCell::new(Value::Null);
        run.app
            .settle_until(&what, DAY * 4, async || {
                let now = run.app.api.get(&path).await["byState"].take();
                let known = now == *by_state;
                if last.replace(now.clone()) != now {
                    println!("{kind:?}: {now}");
                }
                known
            })
            .await;
        let campaign = run.app.api.get(&format!("/campaigns/{id}")).await;
        assert_eq!(campaign["status"], "completed"); // SEQ-11
    }
    database.events_settled().await;
    check_events(run, ids).await;
    for (kind, id) in Kind::ALL.into_iter().zip(ids) {
        let stats = run.app.api.get(&format!("/campaigns/{id}/stats")).await;
        assert_eq!(stats, stats_of(&run.people, kind), "{kind:?}");
    }
    // Nobody is written to after everything ended.
    assert_eq!(
        run.sent.len(),
        run.people
            .all()
            .iter()
            .map(|person| person.role.taken())
            .sum::<usize>()
    );
}

/// What `GET /campaigns/{id}/stats` must say, from what people did.
fn stats_of(people: &People, kind: Kind) -> Value {
    let count = |does: fn(Role) -> bool| people.count(kind, does);
    json!({
        "prospects": count(|_| true),
        "byState": people.ends(kind),
        "sent": people.of(kind).map(|person| person.role.taken()).sum::<usize>(),
        "contacted": count(|role| role.taken() > 0),
        "opened": count(|role| role == Role::Opens),
        "clicked": count(|role| role == Role::Clicks),
        "replied": count(|role| role.end() == "replied"),
        "bounced": count(|role| role.end() == "bounced"),
        "unsubscribed": count(|role| role.end() == "unsubscribed"),
        "outOfOffice": count(|role| matches!(role, Role::Away(..))),
    })
}

async fn check_events(run: &Run<'_>, ids: &[String]) {
    for (kind, who) in WHO {
        let events = run.app.api.all(&format!("/events?type={kind}")).await;
        for (campaign, id) in Kind::ALL.into_iter().zip(ids) {
            let told = events
                .iter()
                .filter(|event| event["data"]["campaignId"] == **id);
            let told: BTreeSet<&str> = told
                .map(|event| event["data"]["prospectEmail"].as_str().expect("an address"))
                .collect();
            let did = run.people.of(campaign).filter(|person| who(person.role));
            let did: BTreeSet<&str> = did.map(|person| &*person.email).collect();
            assert_eq!(told, did, "{kind} of {campaign:?}");
        }
    }
    // A mail that came back and was tried again went out twice, and is told twice.
    let sent = run.app.api.all("/events?type=email.sent").await;
    let told = |event: &Value| {
        (
            text(event, "messageId").to_owned(),
            text(event, "sentAt").to_owned(),
        )
    };
    let told: BTreeSet<_> = sent.iter().map(told).collect();
    let taken: BTreeSet<_> = run
        .sent
        .iter()
        .map(|one| (one.message_id.clone(), one.at))
        .collect();
    assert_eq!(
        (sent.len(), told.len(), taken.len()),
        (run.sent.len(), run.sent.len(), run.sent.len()),
        "each mail is told once"
    );
    let ids: BTreeSet<&str> = told.iter().map(|(id, _)| &**id).collect();
    let known: BTreeSet<&str> = taken.iter().map(|(id, _)| &**id).collect();
    assert_eq!(ids, known);
}

fn text<'a>(event: &'a Value, name: &str) -> &'a str {
    event["data"][name]
        .as_str()
        .unwrap_or_else(|| panic!("{name} is missing in {event}"))
}

type Does = fn(Role) -> bool;

/// Whom events of a kind tell about.
const WHO: [(&str, Does); 7] = [
    ("email.sent", |role| role.taken() > 0),
    ("reply.received", |role| role.end() == "replied"),
    ("email.bounced", |role| role.end() == "bounced"),
    ("email.soft_bounced", |role| {
        matches!(role, Role::Full | Role::FullAtFirst | Role::Greylisted)
    }),
    ("email.unsubscribed", |role| role.end() == "unsubscribed"),
    ("email.opened", |role| role == Role::Opens),
    ("email.clicked", |role| role == Role::Clicks),
];
