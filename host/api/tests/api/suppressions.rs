//! `/suppressions`, `/prospects/suppress`

use std::time::Duration;

use overture_testkit::on_both;
use serde_json::json;

use crate::kit::Api;

on_both! {
    // SUP-1: also addresses that are no prospects.
    async fn addresses_are_suppressed_once(test: TestDatabase) {
        let api = Api::new(test).await;
        let prospect = api.post("/prospects", json!({"email": "ada@example.com"})).await;
        let who = json!({"emails": ["Ada@Example.com", "bob@example.com"], "reason": "asked by phone"});
        shows!(api.post("/prospects/suppress", who.clone()).await, r#"
            200 {
              "data": {
                "suppressedCount": 2
              }
            }
            "#);
        api.post("/prospects/suppress", who).await.data();
        let list = api.get("/suppressions").await;
        let mut values: Vec<_> = list.data().as_array().unwrap().iter().map(|row| row["value"].as_str().unwrap()).collect();
        values.sort_unstable_by_key(|value| value.to_lowercase());
        assert_eq!(values.len(), 2, "{values:?}");
        let ada = api.get(&format!("/prospects/{}", prospect.id())).await;
        assert_eq!(ada.data()["status"], "suppressed");
        api.outreach.kit.database.events_settled().await;
        let events = api.get("/events?type=prospect.suppressed").await;
        assert_eq!(events.data().as_array().map(Vec::len), Some(2), "once per address and day");
    }

    // API-2
    async fn they_are_listed(test: TestDatabase) {
        let api = Api::new(test).await;
        for n in 0..5 {
            api.outreach.kit.clock.advance(Duration::from_millis(1));
            api.post("/prospects/suppress", json!({"emails": [format!("s{n}@example.com")], "reason": "asked"})).await.data();
        }
        shows!(api.get("/suppressions?limit=1").await, r#"
            200 {
              "data": [
                {
                  "id": "sup_1",
                  "type": "email",
                  "value": "s0@example.com",
                  "source": "manual",
                  "reason": "asked",
                  "createdAt": "2026-03-02T09:00:00.001Z"
                }
              ],
              "pagination": {
                "has_more": true,
                "next_cursor": "sup_1"
              }
            }
            "#);
        let (rows, sizes) = api.pages("/suppressions", 2).await;
        let values: Vec<_> = rows.iter().map(|row| row["value"].as_str().unwrap()).collect();
        assert_eq!(sizes, [2, 2, 1]);
        assert_eq!(values, ["s0@example.com", "s1@example.com", "s2@example.com", "s3@example.com", "s4@example.com"]);
        assert_eq!(api.pages("/suppressions?type=domain", 5).await.1, [0]);
        let wrong = api.get("/suppressions?type=person").await;
        assert_eq!(wrong.refusal(), (400, "validation_error", vec!["type"]));
    }

    // API-2
    async fn what_is_wrong_is_named(test: TestDatabase) {
        let api = Api::new(test).await;
        let many: Vec<_> = (0..1_001).map(|n| format!("p{n}@example.com")).collect();
        for (body, field) in [
            (json!({"emails": []}), "emails"),
            (json!({"emails": many}), "emails"),
            (json!({"emails": ["ada@example.com", "bob"]}), "emails[1]"),
            (json!({"emails": "ada@example.com"}), "emails"),
            (json!({"email": "ada@example.com"}), "email"),
        ] {
            let answer = api.post("/prospects/suppress", body).await;
            assert_eq!(answer.refusal(), (400, "validation_error", vec![field]));
        }
        assert_eq!(api.get("/suppressions").await.data(), &json!([]));
    }
}
