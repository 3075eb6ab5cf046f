//! API-8: when a delivery is tried again, and when nobody tries any more.

use std::{sync::Arc, time::Duration};

use overture_domain::{
    events::EventKind,
    rng::SeededRng,
    webhooks::{DISABLE_AFTER, DeliveryState, LADDER},
};
use overture_egress::{AddressPolicy, Client, Resolver};
use overture_engine::webhooks::{self, Replay, WebhookPatch};
use overture_store::{events, on_both};
use serde_json::json;

use crate::kit::{Kit, RealClock, Reply, Sink, eventually, settle};

const MICRO: Duration = Duration::from_micros(1);

/// Waits until there is exactly one event of a kind.
async fn is_told_once(kit: &Kit, kind: EventKind) {
    let filter = events::Filter {
        kind: Some(kind),
        ..Default::default()
    };
    eventually(kind.name(), async || {
        let mut on = kit.db.reader();
        let found = events::list(&mut on, kit.ws, &filter, None, 99).await;
        found.unwrap().len() == 1
    })
    .await;
}

on_both! {
    // API-8: eleven requests, each at its moment, then the dead letter, and a replay.
    async fn the_ladder_is_climbed_to_its_end_and_anew(test: TestDatabase) {
        let kit = Kit::new(test).await;
        let sink = Sink::start().await;
        sink.always(Reply::status(500));
        let (webhook, _) = kit.webhook(&sink.url).await;
        kit.happens(EventKind::EmailSent, json!({})).await;
        settle(&kit).await;
        let climb = async |done: usize| {
            for (step, wait) in LADDER.iter().enumerate() {
                assert_eq!(sink.count(), done + step + 1);
                let delivery = &kit.deliveries(&webhook).await[0];
                assert_eq!(delivery.next_try_at, kit.now() + *wait, "after request {}", step + 1);
                kit.test.clock.advance(*wait - MICRO);
                settle(&kit).await;
                assert_eq!(sink.count(), done + step + 1, "not a microsecond earlier");
                kit.test.clock.advance(MICRO);
                settle(&kit).await;
            }
            let delivery = kit.deliveries(&webhook).await.remove(0);
            assert_eq!(delivery.state, DeliveryState::Dead);
            assert_eq!(delivery.tries as usize, done + 11);
            assert_eq!(delivery.finished_at, Some(kit.now()));
            delivery
        };
        let dead = climb(0).await;
        is_told_once(&kit, EventKind::WebhookDeliveryFailed).await;
        let tries = kit.tries(&dead).await;
        assert_eq!(tries.len(), 11);
        assert!(tries.iter().all(|request| request.status == Some(500)));

        kit.test.clock.advance(Duration::from_hours(1));
        settle(&kit).await;
        assert_eq!(sink.count(), 11, "a dead letter stays dead");
        let all = webhooks::replay(&kit, kit.ws, webhook.id, Replay::Dead).await.unwrap();
        assert_eq!(all, 1);
        settle(&kit).await;
        assert_eq!(sink.count(), 12);
        sink.always(Reply::status(202));
        kit.test.clock.advance(LADDER[0]);
        settle(&kit).await;
        let delivery = kit.deliveries(&webhook).await.remove(0);
        assert_eq!((delivery.state, delivery.tries), (DeliveryState::Delivered, 13));
        let ids: Vec<_> = sink.requests().iter().map(|r| r.header("webhook-id").to_owned()).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "every request carries the same id");
    }

    // API-8: eight days without success and a dead letter.
    async fn a_hopeless_endpoint_is_disabled_and_can_be_resumed(test: TestDatabase) {
        let kit = Kit::new(test).await;
        let sink = Sink::start().await;
        sink.always(Reply::status(503));
        let (webhook, _) = kit.webhook(&sink.url).await;
        let made = kit.now();
        kit.happens(EventKind::EmailSent, json!({})).await;
        settle(&kit).await;
        for wait in LADDER {
            kit.test.clock.advance(wait);
            settle(&kit).await;
        }
        assert_eq!(kit.deliveries(&webhook).await[0].state, DeliveryState::Dead);
        // A failure right before the eighth day is over, and one after it.
        kit.test.clock.advance_to(made + DISABLE_AFTER - MICRO);
        kit.happens(EventKind::EmailSent, json!({})).await;
        settle(&kit).await;
        assert!(kit.found(&webhook).await.active, "not before eight days");
        kit.test.clock.advance(LADDER[0]);
        settle(&kit).await;
        let disabled = kit.found(&webhook).await;
        assert!(!disabled.active);
        let reason = disabled.disabled_reason.unwrap();
        assert!(reason.contains("no request has succeeded since 2026-03-02T09:00:00Z"), "{reason}");
        is_told_once(&kit, EventKind::WebhookDisabled).await;

        let before = sink.count();
        kit.happens(EventKind::EmailSent, json!({})).await;
        kit.test.clock.advance(Duration::from_hours(48));
        settle(&kit).await;
        assert_eq!(sink.count(), before, "a disabled endpoint is left alone");
        let resume = WebhookPatch { active: Some(true), ..Default::default() };
        webhooks::update(&kit, kit.ws, webhook.id, resume).await.unwrap();
        settle(&kit).await;
        assert_eq!(sink.count(), before + 2, "what waited is sent");
        let resumed = kit.found(&webhook).await;
        assert!(resumed.active, "its eight days begin anew");
        assert_eq!(resumed.disabled_reason, None);
    }

    // API-8: Retry-After in both forms; the endpoint is left alone until then.
    async fn an_endpoint_may_ask_for_rest(test: TestDatabase) {
        let kit = Kit::new(test).await;
        let sink = Sink::start().await;
        let (webhook, _) = kit.webhook(&sink.url).await;
        sink.next([Reply::status(429).header("retry-after", "600")]);
        kit.happens(EventKind::EmailSent, json!({"n": 1})).await;
        settle(&kit).await;
        kit.happens(EventKind::EmailSent, json!({"n": 2})).await;
        kit.test.clock.advance(Duration::from_secs(599));
        settle(&kit).await;
        assert_eq!(sink.count(), 1, "neither the retry nor the second event");
        kit.test.clock.advance(Duration::from_secs(1));
        settle(&kit).await;
        assert_eq!(sink.count(), 3);

        let date = overture_domain::Clock::now(&RealClock) + Duration::from_hours(2);
        let date = date.to_jiff().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        sink.next([Reply::status(500).header("retry-after", date)]);
        kit.test.clock.advance(Duration::from_secs(1));
        kit.happens(EventKind::EmailSent, json!({"n": 3})).await;
        settle(&kit).await;
        let delivery = kit.deliveries(&webhook).await.remove(0);
        let wait = delivery.next_try_at.since(kit.now());
        assert!((7_100..=7_200).contains(&wait.as_secs()), "{wait:?}");

        // No answer may put an event off for ever.
        sink.next([Reply::status(503).header("retry-after", "99999999")]);
        kit.test.clock.advance(Duration::from_secs(1));
        kit.happens(EventKind::EmailSent, json!({"n": 4})).await;
        settle(&kit).await;
        let delivery = kit.deliveries(&webhook).await.remove(0);
        assert_eq!(delivery.next_try_at, kit.now() + LADDER[9]);
    }

    // Standard Webhooks: 410 means never again.
    async fn gone_disables_at_once(test: TestDatabase) {
        let kit = Kit::new(test).await;
        let sink = Sink::start().await;
        sink.always(Reply::status(410));
        let (webhook, _) = kit.webhook(&sink.url).await;
        kit.happens(EventKind::EmailSent, json!({})).await;
        settle(&kit).await;
        let disabled = kit.found(&webhook).await;
        assert!(!disabled.active && disabled.disabled_reason.unwrap().contains("410 Gone"));
        assert_eq!(kit.deliveries(&webhook).await[0].state, DeliveryState::Pending, "nothing is lost");
    }

    // API-8: success is 2xx, redirects aren't followed.
    async fn a_redirect_is_a_failure(test: TestDatabase) {
        let kit = Kit::new(test).await;
        let (sink, elsewhere) = (Sink::start().await, Sink::start().await);
        sink.next([Reply::status(307).header("location", elsewhere.url.clone())]);
        let (webhook, _) = kit.webhook(&sink.url).await;
        kit.happens(EventKind::EmailSent, json!({})).await;
        settle(&kit).await;
        assert_eq!((sink.count(), elsewhere.count()), (1, 0));
        let delivery = &kit.deliveries(&webhook).await[0];
        let error = kit.tries(delivery).await[0].error.clone().unwrap();
        assert!(error.contains("307") && error.contains("redirects are not followed"), "{error}");
        assert_eq!(delivery.state, DeliveryState::Pending);
    }

    // API-8 (SSRF): a private target is an error in the log, tried again like any.
    async fn a_private_address_is_refused(test: TestDatabase) {
        let mut kit = Kit::new(test).await;
        let sink = Sink::start().await;
        let (webhook, _) = kit.webhook(&sink.url).await;
        let roots = overture_egress::root_store(None).unwrap();
        kit.test.env.http = Client::new(
            Resolver::new(&[]).unwrap(),
            AddressPolicy::http(Vec::new(), true),
            overture_egress::client_config(roots),
        );
        kit.happens(EventKind::EmailSent, json!({})).await;
        settle(&kit).await;
        assert_eq!(sink.count(), 0);
        let delivery = &kit.deliveries(&webhook).await[0];
        assert_eq!(delivery.next_try_at, kit.now() + LADDER[0]);
        let tries = kit.tries(delivery).await;
        let error = tries[0].error.as_deref().unwrap();
        assert!(error.contains("loopback") && error.contains("egress.allowed_networks"), "{error}");
        assert_eq!(tries[0].status, None);
    }

    // API-8
    async fn jitter_only_ever_defers(test: TestDatabase) {
        let mut kit = Kit::new(test).await;
        kit.test.env.rng = Arc::new(SeededRng::new(11));
        let sink = Sink::start().await;
        sink.always(Reply::status(500));
        let (webhook, _) = kit.webhook(&sink.url).await;
        for n in 0..20 {
            kit.happens(EventKind::EmailSent, json!({"n": n})).await;
        }
        settle(&kit).await;
        let deliveries = kit.deliveries(&webhook).await;
        let waits: Vec<_> = deliveries.iter().map(|d| d.next_try_at.since(kit.now())).collect();
        assert!(waits.iter().all(|wait| (LADDER[0]..LADDER[0].mul_f64(1.1)).contains(wait)), "{waits:?}");
        assert!(waits.iter().any(|wait| *wait != waits[0]), "they are spread");
    }
}
