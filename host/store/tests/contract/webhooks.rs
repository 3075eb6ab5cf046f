//! Webhooks: settings, secrets, what disables them.

use std::time::Duration;

use overture_domain::{
    DeliveryId, EventId, HostId, Id, Timestamp, WebhookId, WorkspaceId,
    events::{Event, EventKind},
    id::Kind,
    people::Workspace,
    rng::SeededRng,
    webhooks::{DISABLE_AFTER, Webhook},
};
use overture_store::{
    Database,
    deliveries::{self, NewDelivery},
    events, on_both, people,
    testing::TestDatabase,
    webhooks,
};
use serde_json::json;

pub(super) const NOW: Timestamp = Timestamp::from_secs(1_772_442_000);

pub(super) fn id<K: Kind>(n: u64) -> Id<K> {
    // The number also moves the time, so that ids sort by it.
    Id::new(NOW + Duration::from_millis(n), &SeededRng::new(n))
}

pub(super) fn webhook(ws: WorkspaceId, n: u64) -> Webhook {
    Webhook {
        id: id(n),
        workspace_id: ws,
        url: format!("sealed url {n}"),
        url_host: "hooks.example.com".into(),
        formatter: "format-generic".into(),
        settings: json!({"mention": "here"}),
        events: vec!["reply.received".into(), "email.bounced".into()],
        secret: format!("sealed secret {n}"),
        old_secret: None,
        old_secret_until: None,
        active: true,
        disabled_reason: None,
        last_success_at: None,
        last_failure_at: None,
        failures_in_a_row: 0,
        last_good_at: NOW,
        rest_until: None,
        created_at: NOW,
        updated_at: NOW,
    }
}

pub(super) fn event(ws: WorkspaceId, n: u64) -> Event {
    Event {
        id: id(n),
        workspace_id: ws,
        kind: EventKind::ReplyReceived,
        channel: None,
        campaign_id: None,
        enrollment_id: None,
        prospect_id: None,
        account_id: None,
        occurred_at: NOW,
        dedup_key: None,
        data: json!({"n": n}),
    }
}

/// A workspace with these webhooks, and a host that may hold leases.
pub(super) async fn set_up(test: &TestDatabase, webhooks: u64) -> (WorkspaceId, Vec<Webhook>) {
    let ws = id(1);
    let mut tx = test.db.begin().await.unwrap();
    people::insert_workspace(
        &mut tx,
        &Workspace {
            id: ws,
            name: "Example".into(),
            postal_address: String::new(),
            time_zone: "UTC".into(),
            created_at: NOW,
        },
    )
    .await
    .unwrap();
    let hooks: Vec<_> = (0..webhooks).map(|n| webhook(ws, 100 + n)).collect();
    for hook in &hooks {
        webhooks::insert(&mut tx, hook).await.unwrap();
    }
    tx.commit().await.unwrap();
    test.execute_raw(HOSTS).await.unwrap();
    (ws, hooks)
}

/// The ids are those of `host(1)` and `host(2)`.
const HOSTS: &str = "INSERT INTO hosts (id, name, started_at, heartbeat_at) VALUES ('hst_00000000000000000000000001', 'a', 0, 0), ('hst_00000000000000000000000002', 'b', 0, 0)";

pub(super) fn host(n: u8) -> HostId {
    format!("hst_0000000000000000000000000{n}").parse().unwrap()
}

/// One event a number, each a delivery of the webhook.
pub(super) async fn queue(
    db: &Database,
    ws: WorkspaceId,
    webhook: WebhookId,
    numbers: std::ops::Range<u64>,
) -> Vec<DeliveryId> {
    let mut tx = db.begin().await.unwrap();
    let happened: Vec<_> = numbers.clone().map(|n| event(ws, n)).collect();
    events::insert(&mut tx, &happened).await.unwrap();
    let new: Vec<_> = numbers
        .map(|n| NewDelivery {
            id: id(n),
            workspace_id: ws,
            webhook_id: webhook,
            event_id: id::<overture_domain::id::kinds::Event>(n) as EventId,
        })
        .collect();
    deliveries::insert(&mut tx, &new, NOW).await.unwrap();
    tx.commit().await.unwrap();
    new.iter().map(|new| new.id).collect()
}

on_both! {
    async fn what_is_written_is_read_back(test: TestDatabase) {
        let (ws, hooks) = set_up(&test, 3).await;
        let mut on = test.db.reader();
        assert_eq!(webhooks::find(&mut on, ws, hooks[0].id).await.unwrap().as_ref(), Some(&hooks[0]));
        // WS-1
        assert_eq!(webhooks::find(&mut on, id(2), hooks[0].id).await.unwrap(), None);
        let page = webhooks::list(&mut on, ws, None, 2).await.unwrap();
        assert_eq!(page, hooks[..2]);
        assert_eq!(webhooks::list(&mut on, ws, Some(page[1].id), 2).await.unwrap(), hooks[2..]);
        assert_eq!(webhooks::list_of(&mut on, &[id(2), ws]).await.unwrap(), hooks);
        assert_eq!(webhooks::list_of(&mut on, &[id(2)]).await.unwrap(), []);
    }

    async fn a_person_may_change_all_but_the_secret(test: TestDatabase) {
        let (ws, hooks) = set_up(&test, 1).await;
        let mut tx = test.db.begin().await.unwrap();
        let mut changed = webhooks::lock(&mut tx, ws, hooks[0].id).await.unwrap().unwrap();
        changed.url = "sealed anew".into();
        changed.url_host = "hooks.example.test".into();
        changed.formatter = "format-slack".into();
        changed.settings = json!({});
        changed.events = vec!["*".into()];
        changed.active = false;
        changed.disabled_reason = Some("gone".into());
        changed.last_good_at = NOW + Duration::from_secs(1);
        changed.rest_until = Some(NOW);
        changed.updated_at = NOW + Duration::from_secs(1);
        assert!(webhooks::update(&mut tx, &changed).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(webhooks::find(&mut test.db.reader(), ws, changed.id).await.unwrap(), Some(changed));
    }

    // API-7
    async fn a_rotation_keeps_the_secret_before(test: TestDatabase) {
        let (ws, hooks) = set_up(&test, 1).await;
        let mut tx = test.db.begin().await.unwrap();
        let until = NOW + Duration::from_secs(86_400);
        assert!(webhooks::rotate_secret(&mut tx, ws, hooks[0].id, "newer", until, NOW).await.unwrap());
        assert!(!webhooks::rotate_secret(&mut tx, id(2), hooks[0].id, "newer", until, NOW).await.unwrap());
        tx.commit().await.unwrap();
        let found = webhooks::find(&mut test.db.reader(), ws, hooks[0].id).await.unwrap().unwrap();
        assert_eq!(found.secret, "newer");
        assert_eq!(found.old_secret.as_deref(), Some("sealed secret 100"));
        assert_eq!(found.old_secret_until, Some(until));
    }

    async fn a_deleted_webhook_leaves_no_secrets_and_waits_for_nothing(test: TestDatabase) {
        let (ws, hooks) = set_up(&test, 1).await;
        let queued = queue(&test.db, ws, hooks[0].id, 200..201).await;
        let mut tx = test.db.begin().await.unwrap();
        assert!(webhooks::delete(&mut tx, ws, hooks[0].id, NOW).await.unwrap());
        assert!(!webhooks::delete(&mut tx, ws, hooks[0].id, NOW).await.unwrap());
        tx.commit().await.unwrap();
        let mut on = test.db.reader();
        assert_eq!(webhooks::find(&mut on, ws, hooks[0].id).await.unwrap(), None);
        let left = test.execute_raw("DELETE FROM webhooks WHERE url <> '' OR secret <> ''").await.unwrap();
        assert_eq!(left, 0);
        let delivery = deliveries::find(&mut on, ws, queued[0]).await.unwrap().unwrap();
        assert_eq!(delivery.state.name(), "dead");
        assert_eq!(delivery.held_reason.as_deref(), Some("the webhook was deleted"));
    }

    // API-8
    async fn hopeless_is_eight_days_without_success_and_a_dead_letter_since(test: TestDatabase) {
        let (ws, hooks) = set_up(&test, 2).await;
        queue(&test.db, ws, hooks[0].id, 200..201).await;
        let mut on = test.db.reader();
        let hopeless = async |on: &mut _, good_before| {
            let found = webhooks::list_hopeless(on, good_before).await.unwrap();
            found.into_iter().map(|hook| hook.id).collect::<Vec<_>>()
        };
        let limit = (NOW + DISABLE_AFTER) - DISABLE_AFTER;
        assert_eq!(hopeless(&mut on, limit).await, []);
        test.execute_raw("UPDATE deliveries SET state = 'dead', finished_at = 1772442000000001").await.unwrap();
        assert_eq!(hopeless(&mut on, limit).await, [hooks[0].id]);
        assert_eq!(hopeless(&mut on, limit - Duration::from_micros(1)).await, [], "not yet eight days");
        test.execute_raw("UPDATE deliveries SET finished_at = 1772442000000000").await.unwrap();
        assert_eq!(hopeless(&mut on, limit).await, [], "it was good after its dead letter");
        let mut tx = test.db.begin().await.unwrap();
        assert!(webhooks::disable(&mut tx, ws, hooks[0].id, "no success", NOW).await.unwrap());
        assert!(!webhooks::disable(&mut tx, ws, hooks[0].id, "no success", NOW).await.unwrap());
        tx.commit().await.unwrap();
        let found = webhooks::find(&mut on, ws, hooks[0].id).await.unwrap().unwrap();
        assert_eq!((found.active, found.disabled_reason.as_deref()), (false, Some("no success")));
    }
}
