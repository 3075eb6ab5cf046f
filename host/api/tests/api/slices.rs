//! Filters, sorting and pages are the same for every list (API-2, PR-3).

use std::time::Duration;

use overture_testkit::on_both;
use serde_json::json;

use crate::{kit::Api, messages};

/// Everything of a list, by pages of two, in one field.
async fn field(api: &Api, path: &str, name: &str) -> Vec<String> {
    let (rows, sizes) = api.pages(path, 2).await;
    assert!(
        sizes.iter().rev().skip(1).all(|size| *size == 2),
        "{path}: {sizes:?}"
    );
    rows.iter()
        .map(|row| row[name].as_str().unwrap().to_owned())
        .collect()
}

async fn people(api: &Api) {
    let rows = [
        ("bea@example.com", "Žofie Ltd", vec!["vip", "fair"]),
        ("Ada@other.test", "Lovelace", vec!["fair"]),
        ("zoe@example.com", "ŽOFIE", vec![]),
        ("cy@sub.example.com", "Plain", vec!["x"]),
        ("Öl@example.com", "Plain", vec!["fairer"]),
    ];
    for (email, company, tags) in rows {
        api.outreach.kit.clock.advance(Duration::from_millis(1));
        let new = json!({"email": email, "company": company, "tags": tags, "firstName": "Jo", "lastName": "March"});
        assert_eq!(api.post("/prospects", new).await.status, 201);
    }
}

on_both! {
    // PR-3
    async fn prospects_are_filtered_and_sorted(test: TestDatabase) {
        let api = Api::new(test).await;
        people(&api).await;
        let check = async |query: &str, expected: &[&str]| {
            assert_eq!(field(&api, &format!("/prospects?{query}"), "email").await, expected, "{query}");
        };
        let (bea, ada, zoe, cy, oel) = ("bea@example.com", "Ada@other.test", "zoe@example.com", "cy@sub.example.com", "Öl@example.com");
        check("sort=createdAt", &[bea, ada, zoe, cy, oel]).await;
        check("sort=-createdAt", &[oel, cy, zoe, ada, bea]).await;
        check("sort=email", &[ada, bea, cy, zoe, oel]).await;
        check("sort=-email", &[oel, zoe, cy, bea, ada]).await;
        check("tag=fair", &[bea, ada]).await;
        check("tag=x", &[cy]).await;
        check("domain=Example.com&sort=-email", &[oel, zoe, bea]).await;
        check("search=%C5%BEofie", &[bea, zoe]).await;
        check("search=%C5%BDOFIE&tag=vip", &[bea]).await;
        check("search=jo%20march&sort=email&domain=other.test", &[ada]).await;
        // Whoever comes in while the pages are read changes none that was read.
        let first = api.get("/prospects?sort=email&limit=2").await;
        api.post("/prospects", json!({"email": "aaa@example.com"})).await;
        let next = first.body["pagination"]["next_cursor"].as_str().unwrap();
        let second = api.get(&format!("/prospects?sort=email&limit=2&cursor={next}")).await;
        assert_eq!((&second.data()[0]["email"], &second.data()[1]["email"]), (&json!(cy), &json!(zoe)));
        let wrong = api.get(&format!("/prospects?sort=createdAt&cursor={next}")).await;
        assert_eq!(wrong.refusal(), (400, "validation_error", vec!["cursor"]), "of another sort");
    }

    // API-2
    async fn every_list_of_a_campaign_is_filtered(test: TestDatabase) {
        let api = Api::new(test).await;
        let one = api.outreach.mailbox("Me@example.com").await;
        api.outreach.kit.clock.advance(Duration::from_millis(1));
        let two = api.outreach.mailbox("also@example.com").await;
        let people = api.outreach.prospects(3).await;
        let spring = api.outreach.running(&[&one], &people[..2]).await;
        api.outreach.kit.clock.advance(Duration::from_millis(1));
        let draft = json!({"name": "Autumn", "mailboxIds": [two.id], "steps": [{"stepIndex": 0, "subject": "Hi", "bodyHtml": "x"}]});
        let autumn = api.post("/campaigns", draft).await.id().to_owned();
        let message = messages::received(&api).await;
        let spring = spring.to_string();
        let (me, also) = (one.id.to_string(), two.id.to_string());
        let ids = async |path: &str| field(&api, path, "id").await;

        assert_eq!(ids("/campaigns?sort=-createdAt").await, [&*autumn, &*spring]);
        assert_eq!(ids("/campaigns?sort=name").await[0], autumn);
        assert_eq!(ids("/campaigns?status=running").await, [&*spring]);
        assert_eq!(ids(&format!("/campaigns?mailboxId={also}")).await, [&*autumn]);
        assert_eq!(ids("/mailboxes?sort=emailAddress").await, [&*also, &*me]);
        assert_eq!(ids("/mailboxes?emailAddress=me@EXAMPLE.com&status=connected").await, [&*me]);
        assert_eq!(ids(&format!("/prospects?campaignId={spring}")).await.len(), 2);

        let enrolled = format!("/campaigns/{spring}/enrollments");
        let (mut up, down) = (ids(&enrolled).await, ids(&format!("{enrolled}?sort=-createdAt")).await);
        up.reverse();
        assert_eq!((up.len(), &up), (2, &down));
        assert_eq!(ids(&format!("{enrolled}?prospectId={}", people[2])).await.len(), 0);
        assert_eq!(ids(&format!("{enrolled}?prospectId={}", people[1])).await.len(), 1);

        assert_eq!(ids("/messages").await, [&*message]);
        assert_eq!(ids(&format!("/messages?direction=in&label=interested&mailboxId={me}&campaignId={spring}")).await, [&*message]);
        for none in ["direction=out", "label=question", &format!("mailboxId={also}"), "since=2027-01-01T00:00:00Z", "until=2026-01-01T00:00:00Z"] {
            assert_eq!(ids(&format!("/messages?{none}")).await.len(), 0, "{none}");
        }

        api.outreach.kit.database.events_settled().await;
        let (mut up, down) = (ids("/events").await, ids("/events?sort=-createdAt").await);
        assert!(up.len() >= 2, "{up:?}");
        up.reverse();
        assert_eq!(up, down);
        assert_eq!(ids("/events?since=2026-01-01T00:00:00Z&until=2027-01-01T00:00:00Z").await, { up.reverse(); up });
        assert_eq!(ids("/events?until=2026-01-01T00:00:00Z").await.len(), 0);
    }

    // API-2: what is not known is refused by name, with what is.
    async fn what_is_not_known_is_refused(test: TestDatabase) {
        let api = Api::new(test).await;
        let mailbox = api.outreach.mailbox("me@example.com").await;
        let spring = api.outreach.draft(&[&mailbox], &[("Hi", "x")]).await;
        let enrollments = format!("/campaigns/{spring}/enrollments");
        for (path, filters) in [
            ("/prospects", vec!["status", "listId", "campaignId", "domain", "search"]),
            ("/campaigns", vec!["status", "mailboxId"]),
            ("/mailboxes", vec!["status"]),
            (&*enrollments, vec!["state", "mailboxId", "prospectId"]),
            ("/events", vec!["type", "campaignId", "prospectId", "mailboxId", "since", "until"]),
            ("/messages", vec!["direction", "label", "mailboxId", "campaignId", "prospectId", "since", "until"]),
        ] {
            for name in filters.into_iter().chain(["limit", "cursor", "sort", "colour"]) {
                let answer = api.get(&format!("{path}?{name}=@")).await;
                assert_eq!(answer.refusal(), (400, "validation_error", vec![name]), "{path}");
            }
            let sorted = api.get(&format!("{path}?sort=-color")).await;
            let message = sorted.body["error"]["message"].as_str().unwrap().to_owned();
            assert!(message.starts_with("sort: `color` is none of: createdAt"), "{message}");
            let unknown = api.get(&format!("{path}?colour=1")).await;
            let message = unknown.body["error"]["message"].as_str().unwrap().to_owned();
            assert!(message.contains("expected one of `limit`, `cursor`, `sort`"), "{message}");
        }
        let answer = api.get("/campaigns?status=@").await;
        assert_eq!(answer.body["error"]["message"], "status: `@` is none of: draft, scheduled, running, paused, cooldown, completed, error, archived");
    }
}
