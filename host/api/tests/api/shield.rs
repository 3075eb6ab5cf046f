//! `/bounce-shield`, and the thresholds of campaigns.

use overture_testkit::on_both;
use serde_json::json;

use crate::kit::Api;

on_both! {
    // SAF-2: what is given changes, the rest stays; each has its range.
    async fn the_shield_can_be_set(test: TestDatabase) {
        let api = Api::new(test).await;
        let at_first = json!({
            "enabled": true, "thresholdPercent": 10, "window": 200, "pausesCampaigns": true, "blocksAddresses": true, "trippedAt": null,
        });
        assert_eq!(api.get("/bounce-shield").await.data(), &at_first);
        let changed = api.patch("/bounce-shield", json!({"thresholdPercent": 3, "blocksAddresses": false})).await;
        let mut expected = at_first.clone();
        expected["thresholdPercent"] = json!(3);
        expected["blocksAddresses"] = json!(false);
        assert_eq!(changed.data(), &expected);
        assert_eq!(api.get("/bounce-shield").await.data(), &expected);
        for (field, wrong) in [("thresholdPercent", 21), ("thresholdPercent", 0), ("window", 49), ("window", 1_001)] {
            let refused = api.patch("/bounce-shield", json!({field: wrong})).await;
            assert_eq!(refused.status, 400, "{field} {wrong}");
            assert_eq!(refused.body["error"]["details"][0]["field"], field);
        }
        assert_eq!(api.get("/bounce-shield").await.data(), &expected, "nothing of it");
        let stranger = api.stranger().await;
        assert_eq!(stranger.get("/bounce-shield").await.data(), &at_first, "WS-1");
    }
}
