//! Counts of events by the hour: written with the events, and made again from them (SAFE-5).

use std::time::Duration;

use overture_domain::{
    WorkspaceId,
    events::{Event, EventKind},
};
use overture_store::{counts, events, on_both, testing::TestDatabase};
use serde_json::json;

use super::webhooks::{NOW, event, id, set_up};

const HOUR: Duration = Duration::from_secs(3_600);

fn of(ws: WorkspaceId, n: u64, kind: EventKind, enrollment: u64, hours: u32) -> Event {
    Event {
        kind,
        campaign_id: Some(id(500)),
        enrollment_id: Some(id(600 + enrollment)),
        account_id: Some(id(700)),
        occurred_at: NOW + HOUR * hours,
        data: json!({"stepIndex": enrollment % 2}),
        ..event(ws, n)
    }
}

async fn write(test: &TestDatabase, happened: &[Event]) {
    let mut tx = test.db.begin().await.unwrap();
    for some in happened.chunks(2) {
        events::insert(&mut tx, some).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn counted(test: &TestDatabase, ws: WorkspaceId) -> Vec<(EventKind, i64, i64)> {
    counts::of_campaign(&mut test.db.reader(), ws, id(500))
        .await
        .unwrap()
}

async fn drifted(test: &TestDatabase, ws: WorkspaceId) -> Vec<i64> {
    let first = counts::hour_of(NOW);
    counts::drifted(&mut test.db.reader(), ws, first, first + 10)
        .await
        .unwrap()
}

/// Ten mails to four people over four hours, of which one is known already; two answers of one.
async fn happened(test: &TestDatabase) -> WorkspaceId {
    let (ws, _) = set_up(test, 0).await;
    let sent = |n: u64| {
        of(
            ws,
            n,
            EventKind::EmailSent,
            n % 4,
            u32::try_from(n / 3).unwrap(),
        )
    };
    let mut all: Vec<_> = (0..10).map(sent).collect();
    all.push(of(ws, 20, EventKind::ReplyReceived, 1, 3));
    all.push(of(ws, 21, EventKind::ReplyReceived, 1, 3));
    all.push(event(ws, 22));
    all[4].dedup_key = Some("sent".into());
    write(test, &all).await;
    write(
        test,
        &[Event {
            dedup_key: Some("sent".into()),
            ..of(ws, 30, EventKind::EmailSent, 9, 0)
        }],
    )
    .await;
    ws
}

const TRUTH: [(EventKind, i64, i64); 2] = [
    (EventKind::EmailSent, 10, 4),
    (EventKind::ReplyReceived, 2, 1),
];

on_both! {
    // SAFE-5: written in the transaction of the events, and not without it.
    async fn counts_come_and_go_with_their_events(test: TestDatabase) {
        let ws = happened(&test).await;
        assert_eq!(counted(&test, ws).await, TRUTH);
        assert_eq!(drifted(&test, ws).await, [] as [i64; 0]);
        let mut dropped = test.db.begin().await.unwrap();
        events::insert(&mut dropped, &[of(ws, 40, EventKind::EmailSent, 1, 0)]).await.unwrap();
        drop(dropped);
        assert_eq!(counted(&test, ws).await, TRUTH);
        // WS-1
        let stranger = counts::of_campaign(&mut test.db.reader(), id(9), id(500)).await.unwrap();
        assert_eq!(stranger, []);
    }

    // SAFE-5: falsified in every way, the rows are found and made again from the events alone.
    async fn falsified_counts_are_found_and_made_again(test: TestDatabase) {
        let ws = happened(&test).await;
        for falsify in [
            "UPDATE event_counts SET n = n + 5",
            "UPDATE event_counts SET n = n - 1 WHERE kind = 'email.sent'",
            "UPDATE event_counts SET people = people + 1",
            "UPDATE event_counts SET step_index = 7 WHERE step_index = 1",
            "DELETE FROM event_counts",
            "INSERT INTO event_counts (workspace_id, hour, campaign_id, account_id, step_index, kind, n, people)
             SELECT workspace_id, hour + 2, campaign_id, account_id, step_index + 8, kind, n, people FROM event_counts WHERE kind = 'email.sent'",
        ] {
            test.execute_raw(falsify).await.unwrap();
            let hours = drifted(&test, ws).await;
            assert!(!hours.is_empty(), "{falsify}");
            let mut tx = test.db.begin().await.unwrap();
            for hour in hours {
                assert!(counts::rebuild(&mut tx, ws, hour).await.unwrap());
                assert!(!counts::rebuild(&mut tx, ws, hour).await.unwrap());
            }
            tx.commit().await.unwrap();
            assert_eq!(drifted(&test, ws).await, [] as [i64; 0], "{falsify}");
            assert_eq!(counted(&test, ws).await, TRUTH, "{falsify}");
        }
    }

    // The reconciler goes back from day to day that has anything.
    async fn the_last_moment_with_anything_is_known(test: TestDatabase) {
        let ws = happened(&test).await;
        let mut on = test.db.reader();
        let last = counts::last_before(&mut on, ws, NOW + HOUR * 99).await.unwrap();
        assert_eq!(last, Some(NOW + HOUR * 3));
        assert_eq!(counts::last_before(&mut on, ws, NOW).await.unwrap(), None);
        test.execute_raw("UPDATE event_counts SET hour = hour - 1000").await.unwrap();
        let old = counts::last_before(&mut on, ws, NOW).await.unwrap().unwrap();
        assert_eq!(counts::hour_of(old), counts::hour_of(NOW) - 1000 + 3);
    }

    // SAFE-5: an hour is rebuilt while others count.
    async fn nothing_is_lost_while_an_hour_is_made_again(test: TestDatabase) {
        let (ws, _) = set_up(&test, 0).await;
        let writers = (0..4_u64).map(|writer| {
            let db = test.db.clone();
            tokio::spawn(async move {
                for n in 0..20 {
                    let mut tx = db.begin().await.unwrap();
                    let number = 1_000 * (writer + 1) + n;
                    events::insert(&mut tx, &[of(ws, number, EventKind::EmailSent, number, 0)]).await.unwrap();
                    tx.commit().await.unwrap();
                }
            })
        });
        let writers: Vec<_> = writers.collect();
        let hour = counts::hour_of(NOW);
        while writers.iter().any(|writer| !writer.is_finished()) {
            let mut tx = test.db.begin().await.unwrap();
            counts::rebuild(&mut tx, ws, hour).await.unwrap();
            tx.commit().await.unwrap();
        }
        for writer in writers {
            writer.await.unwrap();
        }
        assert_eq!(counted(&test, ws).await, [(EventKind::EmailSent, 80, 80)]);
        assert_eq!(drifted(&test, ws).await, [] as [i64; 0]);
    }
}
