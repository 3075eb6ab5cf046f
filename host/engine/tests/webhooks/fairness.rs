//! API-8: one slow endpoint never delays another.

use std::{sync::Arc, time::Duration};

use overture_domain::events::EventKind;
use overture_engine::Config;
use overture_store::on_both;
use serde_json::json;

use crate::kit::{Kit, Reply, Running, Sink, eventually, settle};

on_both! {
    // API-8
    async fn a_hanging_endpoint_delays_no_other(test: TestDatabase) {
        let kit = Kit::new(test).await;
        let (slow, healthy) = (Sink::start().await, Sink::start().await);
        kit.webhook(&slow.url).await;
        kit.webhook(&healthy.url).await;
        slow.hang();
        let running = Running::start(&kit);
        for n in 0..60 {
            kit.happens(EventKind::EmailSent, json!({"n": n})).await;
        }
        eventually("the healthy one has it all", async || healthy.count() == 60).await;
        let per_endpoint = Config::default().concurrent_deliveries / 16;
        assert!(slow.count() <= per_endpoint, "{} requests hang", slow.count());
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
        for _ in 0..12 {
            kit.webhook(&dead.url).await;
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
        eventually("the healthy one has it all", async || healthy.count() == 29).await;
        let hanging = dead.count() - 12;
        assert!((1..=4).contains(&hanging), "{hanging} of 8 requests hang");
        dead.release();
        drop(running);
        kit.under_way.settled().await;
    }
}
