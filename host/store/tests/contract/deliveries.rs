//! Deliveries: once per webhook and event, claimed fairly, recorded with their log.

use std::{collections::BTreeMap, time::Duration};

use overture_domain::{
    DeliveryId, Timestamp, WebhookId, WorkspaceId,
    webhooks::{Delivery, DeliveryState, DeliveryTry, LOG_KEPT, Webhook},
};
use overture_store::{
    Database,
    deliveries::{self, Claim, End, Lane, NewDelivery, Outcome, Parcel},
    hosts, on_both,
    testing::TestDatabase,
    webhooks,
};

use super::webhooks::{NOW, event, host, id, queue, set_up};

const MINUTE: Duration = Duration::from_mins(1);

/// Claims as host 1 with four requests an endpoint.
async fn claim(
    db: &Database,
    lane: Lane,
    now: Timestamp,
    under_way: &[(WebhookId, i64)],
    limit: i64,
) -> Vec<Parcel> {
    let mut tx = db.begin().await.unwrap();
    let claimed = deliveries::claim(
        &mut tx,
        &Claim {
            host: host(1),
            now,
            leased_at: now,
            lane,
            per_webhook: 4,
            under_way: &under_way.iter().copied().collect(),
            limit,
        },
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    claimed
}

fn of(parcels: &[Parcel], webhook: &Webhook) -> usize {
    parcels
        .iter()
        .filter(|p| p.webhook.id == webhook.id)
        .count()
}

async fn record(db: &Database, outcomes: &[Outcome]) {
    let mut tx = db.begin().await.unwrap();
    deliveries::record(&mut tx, host(1), outcomes)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

fn outcome(parcel: &Parcel, end: End) -> Outcome {
    let failed = end != End::Delivered;
    let held = matches!(end, End::Held { .. });
    Outcome {
        delivery_id: parcel.delivery.id,
        webhook_id: parcel.webhook.id,
        workspace_id: parcel.delivery.workspace_id,
        at: NOW,
        end,
        request: (!held).then(|| DeliveryTry {
            delivery_id: parcel.delivery.id,
            number: parcel.delivery.tries + 1,
            at: NOW,
            duration_ms: 12,
            request_body: "{\"a\":\"ü\"}".into(),
            status: Some(if failed { 500 } else { 204 }),
            response_body: "no".into(),
            error: failed.then(|| "the endpoint answered 500".into()),
        }),
        rest_until: None,
    }
}

async fn find(db: &Database, ws: WorkspaceId, delivery: DeliveryId) -> Delivery {
    let found = deliveries::find(&mut db.reader(), ws, delivery)
        .await
        .unwrap();
    found.unwrap()
}

async fn next_due(db: &Database, under_way: &[(WebhookId, i64)]) -> Option<Timestamp> {
    let lanes = [Lane::Healthy, Lane::Struggling];
    let under_way: BTreeMap<_, _> = under_way.iter().copied().collect();
    deliveries::next_due(&mut db.reader(), &lanes, 4, &under_way)
        .await
        .unwrap()
}

on_both! {
    // API-8: exactly one delivery per webhook and event.
    async fn a_second_delivery_of_an_event_is_left_out(test: TestDatabase) {
        let (ws, hooks) = set_up(&test, 2).await;
        let first = queue(&test.db, ws, hooks[0].id, 200..203).await;
        let again: Vec<_> = hooks.iter().enumerate().map(|(n, hook)| NewDelivery {
            id: id(300 + n as u64),
            workspace_id: ws,
            webhook_id: hook.id,
            event_id: id(200),
        }).collect();
        let mut tx = test.db.begin().await.unwrap();
        assert_eq!(deliveries::insert(&mut tx, &again, NOW).await.unwrap(), 1);
        assert_eq!(deliveries::insert(&mut tx, &[], NOW).await.unwrap(), 0);
        tx.commit().await.unwrap();
        let mut on = test.db.reader();
        let page = deliveries::list(&mut on, ws, hooks[0].id, None, None, 2).await.unwrap();
        assert_eq!(page.iter().map(|d| d.id).collect::<Vec<_>>(), [first[2], first[1]]);
        let rest = deliveries::list(&mut on, ws, hooks[0].id, None, Some(first[1]), 2).await.unwrap();
        assert_eq!(rest.iter().map(|d| d.id).collect::<Vec<_>>(), [first[0]]);
        // WS-1
        assert_eq!(deliveries::list(&mut on, id(2), hooks[0].id, None, None, 9).await.unwrap(), []);
        assert_eq!(deliveries::find(&mut on, id(2), first[0]).await.unwrap(), None);
    }

    async fn a_claim_brings_all_that_a_request_needs(test: TestDatabase) {
        let (ws, hooks) = set_up(&test, 1).await;
        queue(&test.db, ws, hooks[0].id, 200..201).await;
        let claimed = claim(&test.db, Lane::Healthy, NOW, &[], 9).await;
        assert_eq!(claimed[0].webhook, hooks[0]);
        assert_eq!(claimed[0].event, event(ws, 200));
        assert_eq!(claimed[0].workspace_name, "Example");
        assert_eq!(claimed[0].delivery.state, DeliveryState::Delivering);
        assert_eq!(claim(&test.db, Lane::Healthy, NOW, &[], 9).await, [], "it is claimed once");
    }

    // API-8: one endpoint's queue delays no other's.
    async fn every_endpoint_has_its_turn(test: TestDatabase) {
        let (ws, hooks) = set_up(&test, 3).await;
        queue(&test.db, ws, hooks[0].id, 200..300).await;
        queue(&test.db, ws, hooks[1].id, 300..302).await;
        queue(&test.db, ws, hooks[2].id, 302..303).await;
        let claimed = claim(&test.db, Lane::Healthy, NOW, &[], 3).await;
        assert_eq!(hooks.iter().map(|hook| of(&claimed, hook)).collect::<Vec<_>>(), [1, 1, 1]);
        let claimed = claim(&test.db, Lane::Healthy, NOW, &[(hooks[0].id, 1), (hooks[1].id, 1)], 9).await;
        assert_eq!(hooks.iter().map(|hook| of(&claimed, hook)).collect::<Vec<_>>(), [3, 1, 0]);
        assert_eq!(claim(&test.db, Lane::Healthy, NOW, &[(hooks[0].id, 4)], 9).await, []);
    }

    // API-8
    async fn who_failed_last_gets_one_request_at_a_time(test: TestDatabase) {
        let (ws, hooks) = set_up(&test, 2).await;
        queue(&test.db, ws, hooks[0].id, 200..210).await;
        queue(&test.db, ws, hooks[1].id, 210..220).await;
        let first = claim(&test.db, Lane::Healthy, NOW, &[], 2).await;
        let failed = outcome(&first[0], End::RetryAt(NOW + MINUTE));
        record(&test.db, &[failed, outcome(&first[1], End::Delivered)]).await;
        let (bad, good) = (&first[0].webhook, &first[1].webhook);
        let struggling = claim(&test.db, Lane::Struggling, NOW, &[], 9).await;
        assert_eq!((of(&struggling, bad), of(&struggling, good)), (1, 0));
        let healthy = claim(&test.db, Lane::Healthy, NOW, &[], 9).await;
        assert_eq!((of(&healthy, bad), of(&healthy, good)), (0, 4));
    }

    // API-10: a switch to pause it; API-8: Retry-After.
    async fn paused_and_resting_endpoints_are_passed_over(test: TestDatabase) {
        let (ws, mut hooks) = set_up(&test, 2).await;
        queue(&test.db, ws, hooks[0].id, 200..201).await;
        queue(&test.db, ws, hooks[1].id, 201..202).await;
        hooks[0].active = false;
        hooks[1].rest_until = Some(NOW + MINUTE);
        let mut tx = test.db.begin().await.unwrap();
        for hook in &hooks {
            webhooks::update(&mut tx, hook).await.unwrap();
        }
        tx.commit().await.unwrap();
        assert_eq!(claim(&test.db, Lane::Healthy, NOW, &[], 9).await, []);
        assert_eq!(next_due(&test.db, &[]).await, Some(NOW + MINUTE));
        let claimed = claim(&test.db, Lane::Healthy, NOW + MINUTE, &[], 9).await;
        assert_eq!((of(&claimed, &hooks[0]), of(&claimed, &hooks[1])), (0, 1));
        assert_eq!(next_due(&test.db, &[]).await, None);
    }

    async fn what_is_due_next_leaves_out_endpoints_without_room(test: TestDatabase) {
        let (ws, hooks) = set_up(&test, 1).await;
        assert_eq!(next_due(&test.db, &[]).await, None);
        queue(&test.db, ws, hooks[0].id, 200..202).await;
        assert_eq!(next_due(&test.db, &[(hooks[0].id, 3)]).await, Some(NOW));
        assert_eq!(next_due(&test.db, &[(hooks[0].id, 4)]).await, None);
        let none = deliveries::next_due(&mut test.db.reader(), &[Lane::Struggling], 4, &BTreeMap::new()).await.unwrap();
        assert_eq!(none, None);
    }

    // API-9, API-10
    async fn outcomes_move_deliveries_and_the_health_of_endpoints(test: TestDatabase) {
        let (ws, hooks) = set_up(&test, 1).await;
        queue(&test.db, ws, hooks[0].id, 200..204).await;
        let claimed = claim(&test.db, Lane::Healthy, NOW, &[], 9).await;
        let held = End::Held { until: NOW + MINUTE, reason: "no such plugin".into() };
        let mut retry = outcome(&claimed[1], End::RetryAt(NOW + 2 * MINUTE));
        retry.rest_until = Some(NOW + MINUTE);
        record(&test.db, &[
            outcome(&claimed[0], End::Delivered),
            retry,
            outcome(&claimed[2], End::Dead),
            outcome(&claimed[3], held),
        ]).await;
        let mut seen = Vec::new();
        for parcel in &claimed {
            let d = find(&test.db, ws, parcel.delivery.id).await;
            seen.push((d.state, d.tries, d.next_try_at, d.held_reason, d.finished_at));
        }
        assert_eq!(seen, [
            (DeliveryState::Delivered, 1, NOW, None, Some(NOW)),
            (DeliveryState::Pending, 1, NOW + 2 * MINUTE, None, None),
            (DeliveryState::Dead, 1, NOW, None, Some(NOW)),
            (DeliveryState::Pending, 0, NOW + MINUTE, Some("no such plugin".into()), None),
        ]);
        let mut on = test.db.reader();
        let hook = webhooks::find(&mut on, ws, hooks[0].id).await.unwrap().unwrap();
        assert_eq!((hook.last_success_at, hook.last_failure_at, hook.failures_in_a_row), (Some(NOW), Some(NOW), 2));
        assert_eq!(hook.rest_until, Some(NOW + MINUTE));
        let tries = deliveries::list_tries(&mut on, ws, claimed[0].delivery.id).await.unwrap();
        assert_eq!(tries, [outcome(&claimed[0], End::Delivered).request.unwrap()]);
        let failed = deliveries::list_tries(&mut on, ws, claimed[1].delivery.id).await.unwrap();
        assert_eq!(failed[0].error.as_deref(), Some("the endpoint answered 500"));
        assert_eq!(deliveries::list_tries(&mut on, ws, claimed[3].delivery.id).await.unwrap(), []);
        let dead = deliveries::list(&mut on, ws, hooks[0].id, Some(DeliveryState::Dead), None, 9).await.unwrap();
        assert_eq!(dead.len(), 1);
    }

    // SCH-5
    async fn a_lease_that_was_taken_away_records_nothing(test: TestDatabase) {
        let (ws, hooks) = set_up(&test, 1).await;
        queue(&test.db, ws, hooks[0].id, 200..201).await;
        let lost = claim(&test.db, Lane::Healthy, NOW, &[], 9).await;
        let mut tx = test.db.begin().await.unwrap();
        // Both hosts' heartbeats are of 1970.
        assert_eq!(hosts::release_dead(&mut tx, host(1), NOW).await.unwrap(), 0, "not one's own");
        assert_eq!(hosts::release_dead(&mut tx, host(2), NOW).await.unwrap(), 1);
        tx.commit().await.unwrap();
        record(&test.db, &[outcome(&lost[0], End::Delivered)]).await;
        assert_eq!(find(&test.db, ws, lost[0].delivery.id).await.state, DeliveryState::Pending);
        assert_eq!(claim(&test.db, Lane::Healthy, NOW, &[], 9).await.len(), 1);
    }

    // API-8
    async fn a_replay_begins_the_ladder_anew(test: TestDatabase) {
        let (ws, hooks) = set_up(&test, 1).await;
        let queued = queue(&test.db, ws, hooks[0].id, 200..204).await;
        let claimed = claim(&test.db, Lane::Healthy, NOW, &[], 9).await;
        record(&test.db, &[
            outcome(&claimed[0], End::Dead),
            outcome(&claimed[1], End::Dead),
            outcome(&claimed[2], End::RetryAt(NOW + MINUTE)),
        ]).await;
        let replay = async |ids: Option<&[DeliveryId]>| {
            let mut tx = test.db.begin().await.unwrap();
            let n = deliveries::replay(&mut tx, ws, hooks[0].id, ids, NOW).await.unwrap();
            tx.commit().await.unwrap();
            n
        };
        assert_eq!(replay(Some(&[claimed[0].delivery.id])).await, 1);
        assert_eq!(replay(None).await, 1, "the other dead letter");
        assert_eq!(replay(Some(&queued)).await, 3, "what is under way is left alone");
        let ended = find(&test.db, ws, claimed[0].delivery.id).await;
        assert_eq!((ended.state, ended.tries, ended.tries_before), (DeliveryState::Pending, 1, 1));
        let waiting = find(&test.db, ws, claimed[2].delivery.id).await;
        assert_eq!((waiting.tries, waiting.tries_before, waiting.next_try_at), (1, 0, NOW));
        let mut tx = test.db.begin().await.unwrap();
        // WS-1
        assert_eq!(deliveries::replay(&mut tx, id(2), hooks[0].id, Some(&queued), NOW).await.unwrap(), 0);
    }

    // SAFE-2
    async fn what_was_held_is_due_again_when_asked(test: TestDatabase) {
        let (ws, hooks) = set_up(&test, 1).await;
        queue(&test.db, ws, hooks[0].id, 200..202).await;
        let claimed = claim(&test.db, Lane::Healthy, NOW, &[], 9).await;
        let held = End::Held { until: NOW + 9 * MINUTE, reason: "a bad setting".into() };
        record(&test.db, &[outcome(&claimed[0], held), outcome(&claimed[1], End::RetryAt(NOW + 9 * MINUTE))]).await;
        let mut tx = test.db.begin().await.unwrap();
        assert_eq!(deliveries::retry_held(&mut tx, ws, hooks[0].id, NOW).await.unwrap(), 1);
        tx.commit().await.unwrap();
        assert_eq!(find(&test.db, ws, claimed[0].delivery.id).await.next_try_at, NOW);
    }

    // API-9: the log is kept for 30 days.
    async fn the_log_is_cleared_after_its_time(test: TestDatabase) {
        let (ws, hooks) = set_up(&test, 1).await;
        let queued = queue(&test.db, ws, hooks[0].id, 200..203).await;
        let claimed = claim(&test.db, Lane::Healthy, NOW, &[], 2).await;
        record(&test.db, &[outcome(&claimed[0], End::Delivered), outcome(&claimed[1], End::Dead)]).await;
        let clear = async |before| {
            let mut tx = test.db.begin().await.unwrap();
            let n = deliveries::clear(&mut tx, before, NOW + LOG_KEPT, 1).await.unwrap();
            tx.commit().await.unwrap();
            n
        };
        assert_eq!(clear(NOW).await, 0);
        let after = NOW + Duration::from_micros(1);
        assert_eq!(clear(after).await, 2, "one cleared, one given up");
        assert_eq!(clear(after).await, 1);
        assert_eq!(clear(after).await, 0);
        let left = find(&test.db, ws, queued[2]).await;
        assert_eq!((left.state, left.finished_at), (DeliveryState::Dead, Some(NOW + LOG_KEPT)));
    }
}

/// Two hosts claim at the same time: neither waits, and nothing is claimed twice.
#[tokio::test]
async fn hosts_pass_over_what_another_claims() {
    let test = TestDatabase::new(overture_store::dialect::Dialect::Postgres).await;
    let (ws, hooks) = set_up(&test, 1).await;
    queue(&test.db, ws, hooks[0].id, 200..206).await;
    let empty = BTreeMap::new();
    let by = |n| Claim {
        host: host(n),
        now: NOW,
        leased_at: NOW,
        lane: Lane::Healthy,
        per_webhook: 4,
        under_way: &empty,
        limit: 9,
    };
    let (mut a, mut b) = (
        test.db.begin().await.unwrap(),
        test.db.begin().await.unwrap(),
    );
    let first = deliveries::claim(&mut a, &by(1)).await.unwrap();
    let second = deliveries::claim(&mut b, &by(2)).await.unwrap();
    assert_eq!((first.len(), second.len()), (4, 2));
    assert!(
        first
            .iter()
            .all(|p| second.iter().all(|q| q.delivery.id != p.delivery.id))
    );
}
