//! `/alerts`

use overture_engine::alerts;
use overture_testkit::on_both;
use serde_json::{Value, json};

use crate::kit::Api;

/// An API with a webhook of which a delivery was given up.
async fn with_dead_letter(test: overture_testkit::TestDatabase) -> Api {
    let api = Api::new(test).await;
    let hook = json!({"url": "https://hooks.example.com/x", "events": ["*"]});
    api.post("/webhooks", hook).await;
    let dead = "INSERT INTO deliveries (id, workspace_id, webhook_id, event_id, state, next_try_at, created_at, finished_at)
                SELECT 'dlv_00000000000000000000000001', workspace_id, id, 'evt_00000000000000000000000001', 'dead', 0, 0, 0 FROM webhooks";
    api.outreach.kit.database.execute_raw(dead).await.unwrap();
    alerts::tick(api.outreach.env()).await.unwrap();
    api
}

on_both! {
    // OPS-7: listed, acknowledged, closed by itself when its cause is gone.
    async fn an_alert_is_listed_until_its_cause_is_gone(test: TestDatabase) {
        let api = with_dead_letter(test).await;
        let list = api.get("/alerts").await;
        let alert = list.data()[0].clone();
        assert_eq!((&alert["code"], &alert["severity"], &alert["count"]), (&json!("webhook_dead_letters"), &json!("warning"), &json!(1)));
        assert_eq!(alert["message"], "1 deliveries to hooks.example.com were given up");
        assert!(alert["fix"].as_str().unwrap().contains("replay"), "{alert}");
        assert_eq!((&alert["acknowledgedBy"], &alert["closedAt"], &alert["instance"]), (&Value::Null, &Value::Null, &json!(false)));

        let path = format!("/alerts/{}/acknowledge", alert["id"].as_str().unwrap());
        let seen_to = api.post(&path, json!({})).await;
        assert!(seen_to.data()["acknowledgedBy"].as_str().unwrap().starts_with("key"), "{:?}", seen_to.data());
        assert_eq!(api.get("/alerts").await.data().as_array().map(Vec::len), Some(1), "it stays open");

        api.outreach.kit.database.execute_raw("UPDATE deliveries SET state = 'pending', finished_at = NULL").await.unwrap();
        alerts::tick(api.outreach.env()).await.unwrap();
        assert_eq!(*api.get("/alerts").await.data(), json!([]));
        assert_eq!(*api.get("/alerts?state=closed").await.data(), *api.get("/alerts?state=all").await.data());
        assert_ne!(api.get("/alerts?state=closed").await.data()[0]["closedAt"], Value::Null);
        assert_eq!(api.post(&path, json!({})).await.status, 404, "nobody needs to see to it any more");
    }

    // WS-1, API-2; of the instance's own only an instance admin hears.
    async fn others_and_nonsense_are_refused(test: TestDatabase) {
        let api = with_dead_letter(test).await;
        let stranger = api.stranger().await;
        assert_eq!(*stranger.get("/alerts").await.data(), json!([]));
        let alert = api.get("/alerts").await.data()[0].clone();
        let path = format!("/alerts/{}/acknowledge", alert["id"].as_str().unwrap());
        assert_eq!(stranger.post(&path, json!({})).await.status, 404);
        assert_eq!(api.get("/alerts?state=old").await.status, 400);
        assert_eq!(api.get("/alerts?colour=red").await.status, 400);

        api.outreach.kit.database.execute_raw("UPDATE alerts SET workspace_id = NULL").await.unwrap();
        let (_, member) = api.make_key(api.ws(), &["alerts:read"], None).await;
        let (_, admin) = api.make_key(api.ws(), &["alerts:read", "plugins:read"], None).await;
        let seen = async |key: &str| api.with_key(key).get("/alerts").await.data().as_array().unwrap().len();
        assert_eq!((seen(&member).await, seen(&admin).await), (0, 1));
    }
}
