//! API-8: one slow endpoint never delays another.

use std::{sync::Arc, time::Duration};

use overture_domain::{events::EventKind, webhooks::Webhook};
use overture_engine::Config;
use overture_store::on_both;
use serde_json::json;

use crate::kit::{Kit, Reply, Running, Sink, eventually, settle};

/// Requests that came in at the sink and are still on their way; a time-out records its try
/// before its place is free again.
async fn on_their_way(kit: &Kit, sink: &Sink, webhooks: &[Webhook]) -> i64 {
    let received = sink.count() as i64;
    let mut recorded = 0;
    for webhook in webhooks {
        let deliveries = kit.deliveries(webhook).await;
        recorded += deliveries.iter().map(|d| d.tries).sum::<i64>();
    }
    received - recorded
}

on_both! {
    // API-8
    async fn a_hanging_endpoint_delays_no_other(test: TestDatabase) {
        let kit = Kit::new(test).await;
        let (slow, healthy) = (Sink::start().await, Sink::start().await);
        let (slow_one, _) = kit.webhook(&slow.url).await;
        kit.webhook(&healthy.url).await;
        slow.hang();
        let running = Running::start(&kit);
        for n in 0..60 {
            kit.happens(EventKind::EmailSent, json!({"n": n})).await;
        }
        eventually("the healthy one has it all", async || healthy.count() == 60).await;
        let hanging = on_their_way(&kit, &slow, &[slow_one]).await;
        let per_endpoint = Config::default().concurrent_deliveries as i64 / 16;
        assert!(hanging <= per_endpoint, "{hanging} requests hang");
        slow.release();
        drop(running);
        kit.under_way.settled().await;
    }

    // API-8: any number of dead endpoints leaves room for those that live.
    async fn dead_endpoints_leave_room(test: TestDatabase) {
        let mut kit = Kit::new(test).await;
        kit.test.env.config = Arc::new(Config { concurrent_deliveries: 8, ..Config::default() });
        let dead = Sink::start().await;
        dead.always(Reply::status(500));
        let mut dead_ones = Vec::new();
        for _ in 0..12 {
            dead_ones.push(kit.webhook(&dead.url).await.0);
        }
        kit.happens(EventKind::EmailSent, json!({"n": 0})).await;
        settle(&kit).await;
        assert_eq!(dead.count(), 12);
        // All of them struggle now, and hang from here on.
        dead.hang();
        let healthy = Sink::start().await;
        kit.webhook(&healthy.url).await;
        kit.test.clock.advance(Duration::from_mins(1));
        let running = Running::start(&kit);
        for n in 1..30 {
            kit.happens(EventKind::EmailSent, json!({"n": n})).await;
        }
        eventually("some of the dead are tried", async || dead.count() > 12).await;
        eventually("the healthy one has it all", async || healthy.count() == 29).await;
        let hanging = on_their_way(&kit, &dead, &dead_ones).await;
        assert!(hanging <= 4, "{hanging} of 8 requests hang");
        dead.release();
        drop(running);
        kit.under_way.settled().await;
    }
}
