//! `/lists`

use std::time::Duration;

use overture_testkit::on_both;
use serde_json::json;

use crate::kit::Api;

on_both! {
    // API-4
    async fn a_name_is_taken_once(test: TestDatabase) {
        let api = Api::new(test).await;
        shows!(api.post("/lists", json!({"name": " Fair ", "color": "orange"})).await, r#"
            201 {
              "data": {
                "id": "lst_1",
                "name": "Fair",
                "color": "orange",
                "prospectCount": 0,
                "createdAt": "2026-03-02T09:00:00Z"
              }
            }
            "#);
        shows!(api.post("/lists", json!({"name": "Fair"})).await, r#"
            409 {
              "error": {
                "code": "conflict",
                "message": "there is a list named `Fair` already"
              }
            }
            "#);
        for name in ["", "  ", &"x".repeat(201)] {
            let answer = api.post("/lists", json!({"name": name})).await;
            assert_eq!(answer.refusal(), (400, "validation_error", vec!["name"]), "{name}");
        }
    }

    // API-4
    async fn prospects_are_added_once(test: TestDatabase) {
        let api = Api::new(test).await;
        let path = format!("/lists/{}/prospects", api.post("/lists", json!({"name": "Fair"})).await.id());
        let ids = api.outreach.prospects(2).await;
        let stranger = overture_testkit::env::stranger::<overture_domain::id::kinds::Prospect>();
        let both = json!({"prospectIds": [ids[0], ids[1], stranger]});
        shows!(api.post(&path, both.clone()).await, r#"
            200 {
              "data": {
                "addedCount": 2
              }
            }
            "#);
        assert_eq!(api.post(&path, both).await.data()["addedCount"], 0, "again changes nothing");
        shows!(api.get("/lists").await, r#"
            200 {
              "data": [
                {
                  "id": "lst_1",
                  "name": "Fair",
                  "color": "",
                  "prospectCount": 2,
                  "createdAt": "2026-03-02T09:00:00Z"
                }
              ],
              "pagination": {
                "has_more": false,
                "next_cursor": null
              }
            }
            "#);
        let many = vec![ids[0]; 1_001];
        let answer = api.post(&path, json!({"prospectIds": many})).await;
        assert_eq!(answer.refusal(), (400, "validation_error", vec!["prospectIds"]));
        let answer = api.post(&path, json!({"prospectIds": [ids[0], "me"]})).await;
        assert_eq!(answer.refusal(), (400, "validation_error", vec!["prospectIds[1]"]));
    }

    // API-2
    async fn they_come_by_pages(test: TestDatabase) {
        let api = Api::new(test).await;
        for n in 0..5 {
            api.outreach.kit.clock.advance(Duration::from_millis(1));
            api.post("/lists", json!({"name": format!("L{n}")})).await;
        }
        let (rows, sizes) = api.pages("/lists", 2).await;
        let names: Vec<_> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
        assert_eq!((names, sizes), (vec!["L0", "L1", "L2", "L3", "L4"], vec![2, 2, 1]));
    }
}
