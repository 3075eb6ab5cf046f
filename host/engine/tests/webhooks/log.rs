//! API-9: the delivery log.

use std::time::Duration;

use overture_domain::{
    events::EventKind,
    webhooks::{DeliveryState, LOG_KEPT},
};
use overture_engine::webhooks::{self, Replay};
use overture_store::on_both;
use overture_testkit::env::stranger;
use serde_json::json;

use crate::kit::{Kit, Reply, Sink, settle};

on_both! {
    // API-9: request, response, duration; whatever bytes the endpoint answers.
    async fn a_try_shows_request_answer_and_duration(test: TestDatabase) {
        let kit = Kit::new(test).await;
        let sink = Sink::start().await;
        let (webhook, _) = kit.webhook(&sink.url).await;
        sink.next([Reply::status(500).body("down\0again")]);
        let event = kit.happens(EventKind::EmailSent, json!({"name": "Zoë"})).await;
        settle(&kit).await;
        let delivery = kit.deliveries(&webhook).await.remove(0);
        assert_eq!(delivery.event_id, event);
        let tries = kit.tries(&delivery).await;
        assert_eq!(tries.len(), 1);
        assert_eq!(tries[0].request_body.as_bytes(), sink.only().body);
        assert_eq!((tries[0].number, tries[0].status, tries[0].at), (1, Some(500), kit.now()));
        assert_eq!(tries[0].response_body, "down\u{fffd}again");
        assert_eq!(tries[0].error.as_deref(), Some("the endpoint answered 500 Internal Server Error"));
        assert!((0..20_000).contains(&tries[0].duration_ms));
    }

    // API-9: kept for 30 days.
    async fn the_log_goes_after_30_days(test: TestDatabase) {
        let kit = Kit::new(test).await;
        let sink = Sink::start().await;
        let (webhook, _) = kit.webhook(&sink.url).await;
        kit.happens(EventKind::EmailSent, json!({})).await;
        settle(&kit).await;
        kit.test.clock.advance(LOG_KEPT);
        settle(&kit).await;
        assert_eq!(kit.deliveries(&webhook).await.len(), 1);
        kit.test.clock.advance(Duration::from_hours(6));
        settle(&kit).await;
        assert_eq!(kit.deliveries(&webhook).await, []);
    }

    // API-8: replay by hand, also of what was delivered.
    async fn a_delivered_event_can_be_told_again(test: TestDatabase) {
        let kit = Kit::new(test).await;
        let sink = Sink::start().await;
        let (webhook, _) = kit.webhook(&sink.url).await;
        kit.happens(EventKind::EmailSent, json!({})).await;
        settle(&kit).await;
        let delivery = kit.deliveries(&webhook).await.remove(0);
        assert_eq!(delivery.state, DeliveryState::Delivered);
        let these = Replay::Deliveries(vec![delivery.id, stranger()]);
        assert_eq!(webhooks::replay(&kit, kit.ws, webhook.id, these).await.unwrap(), 1);
        settle(&kit).await;
        let requests = sink.requests();
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[0].header("webhook-id"), requests[1].header("webhook-id"));
        assert_eq!(kit.tries(&delivery).await.len(), 2);
    }

    // WS-1
    async fn another_workspace_sees_nothing(test: TestDatabase) {
        let kit = Kit::new(test).await;
        let sink = Sink::start().await;
        let (webhook, _) = kit.webhook(&sink.url).await;
        kit.happens(EventKind::EmailSent, json!({})).await;
        settle(&kit).await;
        let delivery = kit.deliveries(&webhook).await.remove(0);
        let other = kit.test.workspace("Other").await;
        let id = webhook.id;
        let refused = [
            webhooks::find(&kit, other, id).await.map(drop),
            webhooks::test(&kit, other, id).await.map(drop),
            webhooks::rotate_secret(&kit, other, id).await.map(drop),
            webhooks::update(&kit, other, id, Default::default()).await.map(drop),
            webhooks::delete(&kit, other, id).await,
            webhooks::list_deliveries(&kit, other, id, None, None, 9).await.map(drop),
            webhooks::find_delivery(&kit, other, id, delivery.id).await.map(drop),
            webhooks::replay(&kit, other, id, Replay::Dead).await.map(drop),
        ];
        assert!(refused.iter().all(|r| r.as_ref().unwrap_err().code() == "not_found"), "{refused:?}");
        assert_eq!(webhooks::list(&kit, other, None, 9).await.unwrap(), []);
        assert_eq!(webhooks::list(&kit, kit.ws, None, 9).await.unwrap().len(), 1);
    }
}
