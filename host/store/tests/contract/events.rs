//! Events: written once, read in order by cursors, never behind a reader's back (SAFE-5).

use overture_domain::events::{Event, EventKind, EventPosition};
use overture_store::{Error, dialect::Dialect, events, on_both, testing::TestDatabase};

use super::webhooks::{NOW, event, id, set_up};

const START: EventPosition = EventPosition { tx: 0, seq: 0 };

async fn write(test: &TestDatabase, happened: &[Event]) {
    let mut tx = test.db.begin().await.unwrap();
    events::insert(&mut tx, happened).await.unwrap();
    tx.commit().await.unwrap();
}

/// What readers see after `from`, once every transaction of other tests has ended.
async fn seen(test: &TestDatabase, from: EventPosition, count: usize) -> Vec<events::Placed> {
    let read = async {
        loop {
            let page = events::list_all(&mut test.db.reader(), from, 99)
                .await
                .unwrap();
            if page.len() >= count {
                return page;
            }
            tokio::task::yield_now().await;
        }
    };
    let limit = std::time::Duration::from_secs(20);
    tokio::time::timeout(limit, read)
        .await
        .expect("readers see what is committed")
}

on_both! {
    // API-6: a key that the workspace has seen gives no second event.
    async fn a_dedup_key_counts_once_in_its_workspace(test: TestDatabase) {
        let (ws, _) = set_up(&test, 0).await;
        let keyed = |n| Event { dedup_key: Some("reply:1".into()), ..event(ws, n) };
        write(&test, &[keyed(1), keyed(2), event(ws, 3), event(ws, 4)]).await;
        write(&test, &[keyed(5), event(ws, 3)]).await;
        let all = seen(&test, START, 3).await;
        assert_eq!(all.into_iter().map(|placed| placed.event).collect::<Vec<_>>(), [keyed(1), event(ws, 3), event(ws, 4)]);
        let mut tx = test.db.begin().await.unwrap();
        assert!(!events::insert_new(&mut tx, &keyed(6)).await.unwrap());
        assert!(events::insert_new(&mut tx, &event(ws, 7)).await.unwrap());
        tx.commit().await.unwrap();
        let mut on = test.db.reader();
        assert_eq!(events::find_by_dedup_key(&mut on, ws, "reply:1").await.unwrap(), Some(NOW));
        assert_eq!(events::find_by_dedup_key(&mut on, ws, "reply:2").await.unwrap(), None);
        assert_eq!(events::find(&mut on, ws, id(1)).await.unwrap(), Some(keyed(1)));
        // WS-1
        assert_eq!(events::find(&mut on, id(9), id(1)).await.unwrap(), None);
    }

    async fn readers_go_on_where_they_were(test: TestDatabase) {
        let (ws, _) = set_up(&test, 0).await;
        let happened: Vec<_> = (1..=3).map(|n| event(ws, n)).collect();
        write(&test, &happened).await;
        let all = seen(&test, START, 3).await;
        assert_eq!(all.iter().map(|placed| placed.event.clone()).collect::<Vec<_>>(), happened);
        let rest = seen(&test, all[0].position, 2).await;
        assert_eq!(rest, all[1..]);
        let mut on = test.db.reader();
        assert_eq!(events::newest(&mut on).await.unwrap(), all[2].position);
        let filter = events::Filter { kind: Some(EventKind::EmailSent), ..Default::default() };
        assert_eq!(events::list(&mut on, ws, &filter, START, 9).await.unwrap(), []);
        let filter = events::Filter { kind: Some(EventKind::ReplyReceived), ..Default::default() };
        assert_eq!(events::list(&mut on, ws, &filter, START, 2).await.unwrap(), all[..2]);
    }

    async fn a_cursor_moves_for_one_reader_at_a_time(test: TestDatabase) {
        let (ws, _) = set_up(&test, 0).await;
        write(&test, &[event(ws, 1), event(ws, 2)]).await;
        let all = seen(&test, START, 2).await;
        let mut tx = test.db.begin().await.unwrap();
        assert_eq!(events::cursor(&mut tx, "a").await.unwrap(), START);
        assert!(events::move_cursor(&mut tx, "a", START, all[0].position).await.unwrap());
        assert!(!events::move_cursor(&mut tx, "a", START, all[1].position).await.unwrap());
        tx.commit().await.unwrap();
        let mut on = test.db.reader();
        assert_eq!(events::cursor(&mut on, "a").await.unwrap(), all[0].position);
        assert_eq!(events::cursor(&mut on, "b").await.unwrap(), START);
        assert!(events::has_after(&mut on, all[0].position).await.unwrap());
        assert!(!events::has_after(&mut on, all[1].position).await.unwrap());
    }

    // SAFE-5: append-only.
    async fn events_never_change(test: TestDatabase) {
        let (ws, _) = set_up(&test, 0).await;
        write(&test, &[event(ws, 1)]).await;
        for forbidden in ["UPDATE events SET kind = 'email.sent'", "DELETE FROM events"] {
            let error = test.execute_raw(forbidden).await.unwrap_err();
            assert!(matches!(&error, Error::Refused(text) if text.starts_with("SAFE-5")), "{error}");
        }
    }
}

/// DESIGN §4: readers stop below the oldest transaction that is still open, and can ask whether
/// there is more behind it.
#[tokio::test]
async fn readers_wait_for_open_transactions() {
    let test = TestDatabase::new(Dialect::Postgres).await;
    let (ws, _) = set_up(&test, 0).await;
    let mut early = test.db.begin().await.unwrap();
    events::insert_new(&mut early, &event(ws, 1)).await.unwrap();
    write(&test, &[event(ws, 2)]).await;
    let mut on = test.db.reader();
    assert_eq!(events::list_all(&mut on, START, 9).await.unwrap(), []);
    assert!(events::has_after(&mut on, START).await.unwrap());
    early.commit().await.unwrap();
    let ids: Vec<_> = seen(&test, START, 2)
        .await
        .iter()
        .map(|placed| placed.event.id)
        .collect();
    assert_eq!(ids, [id(1), id(2)]);
}
