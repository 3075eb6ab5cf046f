//! `/filters`

use std::time::Duration;

use overture_testkit::on_both;
use serde_json::{Value, json};

use crate::kit::Api;

on_both! {
    // PR-3
    async fn a_filter_is_kept_changed_and_forgotten(test: TestDatabase) {
        let api = Api::new(test).await;
        let list = api.post("/lists", json!({"name": "Fair"})).await;
        let given = json!({"name": " Fair ", "filter": {"listId": list.id(), "status": "active", "search": " Ada "}});
        let saved = api.post("/filters", given).await;
        shows!(saved, r#"
            201 {
              "data": {
                "id": "flt_1",
                "name": "Fair",
                "filter": {
                  "status": "active",
                  "listId": "lst_1",
                  "search": "Ada"
                },
                "createdAt": "2026-03-02T09:00:00Z",
                "updatedAt": "2026-03-02T09:00:00Z"
              }
            }
            "#);
        let path = format!("/filters/{}", saved.id());
        api.outreach.kit.clock.advance(Duration::from_secs(60));
        let renamed = api.patch(&path, json!({"name": "Trade fair"})).await;
        assert_eq!((&renamed.data()["filter"], &renamed.data()["updatedAt"]), (&saved.data()["filter"], &json!("2026-03-02T09:01:00Z")));
        let changed = api.patch(&path, json!({"filter": {"tag": "fair"}})).await;
        assert_eq!((&changed.data()["name"], &changed.data()["filter"]), (&json!("Trade fair"), &json!({"tag": "fair"})));
        assert_eq!(api.get(&path).await.data(), changed.data());
        let other = api.post("/filters", json!({"name": "Active", "filter": {"status": "active"}})).await;
        assert_eq!(api.get("/filters?sort=name").await.data(), &json!([other.data(), changed.data()]));
        assert_eq!(api.patch(&path, json!({"name": "Active"})).await.refusal(), (409, "conflict", vec![]));
        assert_eq!(api.post("/filters", json!({"name": "Active", "filter": {"tag": "x"}})).await.refusal(), (409, "conflict", vec![]));
        assert_eq!(api.delete(&path).await.data(), &json!({"id": saved.id()}));
        assert_eq!(api.get(&path).await.status, 404);
    }

    // PR-3, API-2
    async fn a_bad_filter_names_its_fields(test: TestDatabase) {
        let api = Api::new(test).await;
        let list = format!("lst_{}", "0".repeat(26));
        let campaign = format!("cmp_{}", "0".repeat(26));
        let check = async |body: Value, fields: &[&str]| {
            let answer = api.post("/filters", body.clone()).await;
            assert_eq!(answer.refusal(), (400, "validation_error", fields.to_vec()), "{body}");
        };
        check(json!({"filter": {"tag": "x"}}), &["name"]).await;
        check(json!({"name": "x"}), &["filter"]).await;
        check(json!({"name": "x", "filter": {}}), &["filter"]).await;
        check(json!({"name": " ", "filter": {"listId": list, "campaignId": campaign}}), &["name", "filter.listId", "filter.campaignId"]).await;
        check(json!({"name": "x", "filter": {"search": "ab", "domain": "a@b"}}), &["filter.search", "filter.domain"]).await;
        check(json!({"name": "x", "filter": {"status": "happy"}}), &["filter.status"]).await;
        check(json!({"name": "x", "filter": {"listId": "fair"}}), &["filter.listId"]).await;
        check(json!({"name": "x", "filter": {"label": "x"}}), &["filter.label"]).await;
        assert_eq!(api.get("/filters").await.data(), &json!([]));
    }

    // PR-3: wherever prospects are filtered.
    async fn a_saved_filter_chooses(test: TestDatabase) {
        let api = Api::new(test).await;
        for (email, tag) in [("ada@example.com", "fair"), ("bob@example.com", "fair"), ("cy@example.com", "x")] {
            api.post("/prospects", json!({"email": email, "tags": [tag]})).await;
        }
        let saved = api.post("/filters", json!({"name": "Fair", "filter": {"tag": "fair"}})).await;
        let emails = async |query: &str| {
            let found = api.get(&format!("/prospects?sort=email&filterId={}{query}", saved.id())).await;
            let rows = found.data().as_array().unwrap().iter();
            rows.map(|row| row["email"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(emails("").await, ["ada@example.com", "bob@example.com"]);
        assert_eq!(emails("&search=bob").await, ["bob@example.com"]);
        assert_eq!(emails("&tag=x").await, ["cy@example.com"], "in place of its own");
        let body = json!({"filterId": saved.id(), "filter": {"search": "ada"}, "action": {"addTags": ["vip"]}});
        assert_eq!(api.post("/prospects/bulk", body).await.data()["changedCount"], 1);
        assert_eq!(api.get("/prospects?tag=vip").await.data()[0]["email"], "ada@example.com");
        for wrong in ["x", &format!("flt_{}", "0".repeat(26))] {
            let answer = api.get(&format!("/prospects?filterId={wrong}")).await;
            assert_eq!(answer.refusal(), (400, "validation_error", vec!["filterId"]), "{wrong}");
        }
    }
}
