//! SAFE-2: what no endpoint is to blame for waits, and uses up nothing.

use std::{sync::Arc, time::Duration};

use overture_domain::{events::EventKind, rng::SeededRng, webhooks::DeliveryState};
use overture_engine::webhooks::{self, WebhookPatch};
use overture_plugin_host::CallError;
use overture_store::on_both;
use overture_vault::Vault;
use serde_json::json;

use crate::kit::{Kit, Reply, Sink, settle};

on_both! {
    // SAFE-2, PLG-3: a crashing formatter makes the delivery wait and retry.
    async fn a_crashing_formatter_uses_up_no_ladder(test: TestDatabase) {
        let kit = Kit::new(test).await;
        let sink = Sink::start().await;
        let (webhook, _) = kit.webhook(&sink.url).await;
        kit.formatter.fail(CallError::Panicked { message: "index out of bounds".into() });
        kit.happens(EventKind::EmailSent, json!({})).await;
        settle(&kit).await;
        // 1 min, 1 min, then as long as it has waited: 2, 4, 8, 16, 32 min, and an hour at most.
        for minutes in [1, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60] {
            let delivery = kit.deliveries(&webhook).await.remove(0);
            assert_eq!(delivery.next_try_at, kit.now() + Duration::from_mins(minutes));
            assert_eq!((delivery.state, delivery.tries), (DeliveryState::Pending, 0));
            let reason = delivery.held_reason.unwrap();
            assert!(reason.contains("format-generic") && reason.contains("index out of bounds"), "{reason}");
            kit.test.clock.advance(Duration::from_mins(minutes));
            settle(&kit).await;
        }
        let health = kit.found(&webhook).await;
        assert_eq!((health.failures_in_a_row, health.last_failure_at), (0, None), "the endpoint did nothing wrong");
        kit.formatter.fail(None);
        kit.test.clock.advance(Duration::from_hours(1));
        settle(&kit).await;
        let delivery = kit.deliveries(&webhook).await.remove(0);
        assert_eq!((delivery.state, delivery.tries, delivery.held_reason), (DeliveryState::Delivered, 1, None));
        assert_eq!(sink.count(), 1);
    }

    // PLG-3: in quarantine it waits for the quarantine's end.
    async fn a_quarantine_is_waited_out(test: TestDatabase) {
        let kit = Kit::new(test).await;
        let (webhook, _) = kit.webhook("https://hooks.example.com/").await;
        let until = kit.now() + Duration::from_mins(7);
        kit.formatter.fail(CallError::Quarantined { until, failures: 5, last: "it crashed".into() });
        kit.happens(EventKind::EmailSent, json!({})).await;
        settle(&kit).await;
        assert_eq!(kit.deliveries(&webhook).await[0].next_try_at, until);
    }

    // SAFE-2: it resumes by itself when the cause is gone.
    async fn a_change_of_the_webhook_tries_at_once(test: TestDatabase) {
        let kit = Kit::new(test).await;
        let sink = Sink::start().await;
        let (webhook, _) = kit.webhook(&sink.url).await;
        kit.formatter.fail(CallError::InvalidSettings("no such color".into()));
        kit.happens(EventKind::EmailSent, json!({})).await;
        settle(&kit).await;
        kit.formatter.fail(None);
        let patch = WebhookPatch { settings: Some(json!({"color": "blue"})), ..Default::default() };
        webhooks::update(&kit, kit.ws, webhook.id, patch).await.unwrap();
        settle(&kit).await;
        assert_eq!(sink.count(), 1);
        let context = kit.formatter.contexts.lock().unwrap().pop().unwrap();
        assert_eq!(context.settings, r#"{"color":"blue"}"#);
        assert_eq!(context.workspace_name, "Example");
        assert_eq!(context.public_url, kit.config.public_url);
    }

    // OPS-4: with another master key nothing is sent to anywhere, and nothing is lost.
    async fn another_master_key_holds_everything(test: TestDatabase) {
        let mut kit = Kit::new(test).await;
        let sink = Sink::start().await;
        let (webhook, _) = kit.webhook(&sink.url).await;
        let right = kit.vault.clone();
        kit.test.env.vault = Arc::new(Vault::ephemeral(Arc::new(SeededRng::new(55))));
        kit.happens(EventKind::EmailSent, json!({})).await;
        settle(&kit).await;
        assert_eq!(sink.count(), 0);
        assert!(kit.deliveries(&webhook).await[0].held_reason.as_deref().unwrap().contains("key"));
        kit.test.env.vault = right;
        kit.test.clock.advance(Duration::from_mins(1));
        settle(&kit).await;
        assert_eq!(sink.count(), 1);
    }

    // API-10: a switch to pause it; what happens meanwhile waits.
    async fn a_paused_webhook_loses_nothing(test: TestDatabase) {
        let kit = Kit::new(test).await;
        let sink = Sink::start().await;
        let (webhook, _) = kit.webhook(&sink.url).await;
        let switch = async |active| {
            let patch = WebhookPatch { active: Some(active), ..Default::default() };
            webhooks::update(&kit, kit.ws, webhook.id, patch).await.unwrap();
        };
        switch(false).await;
        for n in 0..3 {
            kit.happens(EventKind::EmailSent, json!({"n": n})).await;
        }
        settle(&kit).await;
        assert_eq!(sink.count(), 0);
        let refused = webhooks::test(&kit, kit.ws, webhook.id).await.unwrap_err();
        assert_eq!(refused.code(), "conflict");
        switch(true).await;
        settle(&kit).await;
        assert_eq!(sink.count(), 3);
    }

    // API-10: last success, last failure, failures in a row.
    async fn the_list_shows_how_well_it_answers(test: TestDatabase) {
        let kit = Kit::new(test).await;
        let sink = Sink::start().await;
        let (webhook, _) = kit.webhook(&sink.url).await;
        sink.next([Reply::status(200), Reply::status(500), Reply::status(404)]);
        let at = kit.now();
        kit.happens(EventKind::EmailSent, json!({})).await;
        settle(&kit).await;
        kit.test.clock.advance(Duration::from_secs(9));
        kit.happens(EventKind::EmailSent, json!({})).await;
        settle(&kit).await;
        kit.test.clock.advance(Duration::from_mins(1));
        settle(&kit).await;
        let shown = kit.found(&webhook).await;
        assert_eq!(shown.last_success_at, Some(at));
        assert_eq!(shown.last_failure_at, Some(kit.now()));
        assert_eq!(shown.failures_in_a_row, 2);
        kit.test.clock.advance(Duration::from_mins(5));
        settle(&kit).await;
        assert_eq!(kit.found(&webhook).await.failures_in_a_row, 0);
    }
}
