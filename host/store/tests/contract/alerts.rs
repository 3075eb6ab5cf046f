//! Alerts: one open a code and subject, closed when its cause is gone (OPS-7).

use std::time::Duration;

use overture_domain::{
    Timestamp, WorkspaceId,
    alerts::{Alert, AlertCode},
    id::kinds,
};
use overture_store::{
    Slice,
    alerts::{self, Filter, Seen, Who},
    on_both,
    testing::TestDatabase,
};

use super::webhooks::{NOW, host, id, queue, set_up};

const MINUTE: Duration = Duration::from_secs(60);
const CODE: AlertCode = AlertCode::MailboxDisconnected;

fn seen(ws: Option<WorkspaceId>, n: u64, subject: &str, count: i64) -> Seen {
    Seen {
        id: id(n),
        workspace_id: ws,
        subject: subject.into(),
        message: format!("{subject} is gone, {count} times"),
        count,
    }
}

async fn tell(test: &TestDatabase, seen: &[Seen], who: Who, at: Timestamp) -> u64 {
    let mut tx = test.db.begin().await.unwrap();
    let opened = alerts::tell(&mut tx, CODE, seen, who, at).await.unwrap();
    tx.commit().await.unwrap();
    opened
}

async fn list(test: &TestDatabase, ws: WorkspaceId, open: Option<bool>) -> Vec<Alert> {
    let filter = Filter {
        open,
        of_instance: false,
    };
    alerts::list(&mut test.db.reader(), ws, filter, &Slice::first(9))
        .await
        .unwrap()
}

on_both! {
    // OPS-7
    async fn an_alert_lives_as_long_as_its_cause(test: TestDatabase) {
        let (ws, _) = set_up(&test, 0).await;
        let at = |n| NOW + MINUTE * n;
        assert_eq!(tell(&test, &[seen(Some(ws), 11, "a", 1), seen(Some(ws), 12, "b", 1)], Who::Any, at(0)).await, 2);
        assert_eq!(tell(&test, &[seen(Some(ws), 13, "a", 4), seen(Some(ws), 14, "b", 1), seen(Some(ws), 15, "c", 1)], Who::Any, at(1)).await, 1);
        let open = list(&test, ws, Some(true)).await;
        let short: Vec<_> = open.iter().map(|one| (one.id, one.subject.as_str(), one.count, one.first_seen_at, one.last_seen_at)).collect();
        assert_eq!(short, [(id(11), "a", 4, at(0), at(1)), (id(12), "b", 1, at(0), at(1)), (id(15), "c", 1, at(1), at(1))]);
        assert_eq!(open[0].message, "a is gone, 4 times");
        assert_eq!((open[0].severity, open[0].fix.as_str()), (CODE.severity(), CODE.fix()));
        // Another code's causes say nothing of this one's.
        let mut tx = test.db.begin().await.unwrap();
        alerts::tell(&mut tx, AlertCode::CounterDrift, &[], Who::Any, at(2)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(list(&test, ws, Some(true)).await.len(), 3);

        assert_eq!(tell(&test, &[seen(Some(ws), 16, "b", 1)], Who::Any, at(3)).await, 0);
        let closed = list(&test, ws, Some(false)).await;
        assert_eq!(closed.iter().map(|one| (one.subject.as_str(), one.closed_at)).collect::<Vec<_>>(), [("a", Some(at(3))), ("c", Some(at(3)))]);
        // It comes again: another alert.
        assert_eq!(tell(&test, &[seen(Some(ws), 17, "a", 1)], Who::Any, at(4)).await, 1);
        assert_eq!(list(&test, ws, None).await.len(), 4);
        assert_eq!(alerts::list_open(&mut test.db.reader()).await.unwrap(), list(&test, ws, Some(true)).await);
    }

    // OPS-7, WS-1
    async fn the_first_who_sees_to_it_is_kept(test: TestDatabase) {
        let (ws, _) = set_up(&test, 0).await;
        tell(&test, &[seen(Some(ws), 11, "a", 1), seen(None, 12, "b", 1)], Who::Any, NOW).await;
        let ack = async |ws, of_instance, n, by: &str| {
            let mut tx = test.db.begin().await.unwrap();
            let found = alerts::acknowledge(&mut tx, ws, of_instance, id(n), by, NOW + MINUTE).await.unwrap();
            tx.commit().await.unwrap();
            found.and_then(|alert| alert.acknowledged_by)
        };
        assert_eq!(ack(id(9), true, 11, "stranger").await, None);
        assert_eq!(ack(ws, false, 12, "member").await, None);
        assert_eq!(ack(ws, false, 11, "ada").await.as_deref(), Some("ada"));
        assert_eq!(ack(ws, false, 11, "bob").await.as_deref(), Some("ada"));
        assert_eq!(ack(ws, true, 12, "admin").await.as_deref(), Some("admin"));
        let all = Filter { open: Some(true), of_instance: true };
        assert_eq!(alerts::list(&mut test.db.reader(), ws, all, &Slice::after(id::<kinds::Alert>(11), 9)).await.unwrap().len(), 1);
        assert_eq!(list(&test, id(9), None).await, []);
        tell(&test, &[], Who::Any, NOW + MINUTE).await;
        assert_eq!(ack(ws, false, 11, "late").await, None, "it is closed");
    }

    // OPS-7: what one process alone knows, another doesn't close, unless that one is dead.
    async fn a_process_speaks_for_itself(test: TestDatabase) {
        let (ws, _) = set_up(&test, 0).await;
        test.execute_raw("UPDATE hosts SET heartbeat_at = 1000").await.unwrap();
        let alive = |n, since| Who::Host(host(n), Timestamp::from_micros(since));
        tell(&test, &[seen(Some(ws), 11, "a", 1)], alive(1, 0), NOW).await;
        tell(&test, &[], alive(2, 1_000), NOW).await;
        assert_eq!(list(&test, ws, Some(true)).await.len(), 1);
        tell(&test, &[], alive(2, 1_001), NOW).await;
        assert_eq!(list(&test, ws, Some(true)).await, []);
    }

    // API-8, MB-3
    async fn what_is_wrong_is_found(test: TestDatabase) {
        let (ws, hooks) = set_up(&test, 2).await;
        queue(&test.db, ws, hooks[0].id, 0..3).await;
        let mut on = test.db.reader();
        assert_eq!(alerts::dead_letters(&mut on).await.unwrap(), []);
        test.execute_raw("UPDATE deliveries SET state = 'dead', finished_at = 1").await.unwrap();
        let found = alerts::dead_letters(&mut on).await.unwrap();
        let short: Vec<_> = found.iter().map(|one| (one.subject.clone(), one.name.as_str(), one.count)).collect();
        assert_eq!(short, [(hooks[0].id.to_string(), "hooks.example.com", 3)]);
        assert_eq!(alerts::disconnected(&mut on).await.unwrap(), []);
    }
}
