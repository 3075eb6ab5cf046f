//! What a transaction tells others.

use overture_domain::{WorkspaceId, caps::Cap, rng::SeededRng};
use overture_store::{
    Concerns, Database, Read, Tx,
    caps::{self, Use, heal},
    dialect::Dialect,
    events, on_both, people,
    testing::TestDatabase,
};

use super::{
    prospects::workspace,
    webhooks::{event, id},
};

async fn commit(test: &TestDatabase, concerns: Option<Concerns>) {
    let mut tx = test.db.begin().await.unwrap();
    if let Some(concerns) = concerns {
        tx.concerns(concerns);
    }
    tx.commit().await.unwrap();
}

on_both! {
    // CAP-2: what was decided before a transaction holds in it only where nobody has written since.
    async fn a_revision_tells_of_commits_that_concern_a_workspace(test: TestDatabase) {
        let (one, other): (WorkspaceId, WorkspaceId) = (id(1), id(2));
        let revisions = || (test.db.revision(one), test.db.revision(other));
        // The first one learns where SQLite's own count stands.
        commit(&test, Some(Concerns::Nobody)).await;
        let before = revisions();
        if test.db.dialect() == Dialect::Postgres {
            // Other processes write as well.
            assert_eq!(before, (None, None));
            return;
        }
        commit(&test, Some(Concerns::Nobody)).await;
        drop(test.db.begin().await.unwrap());
        assert_eq!(revisions(), before);
        commit(&test, Some(Concerns::Workspace(one))).await;
        let after = revisions();
        assert_ne!(after.0, before.0);
        assert_eq!(after.1, before.1);
        commit(&test, None).await;
        let last = revisions();
        assert!(last.0 != after.0 && last.1 != after.1, "{last:?}");
    }
}

async fn count(tx: &mut Tx, ws: WorkspaceId) {
    let one = Use {
        cap: Cap::MailboxDaily,
        subject: "m".to_owned(),
        bucket: 1,
        n: 1,
    };
    caps::add(tx, ws, &[one]).await.unwrap();
}

async fn counted(on: &mut impl Read, ws: WorkspaceId) -> i64 {
    let found = heal::find(on, ws, &[(Cap::MailboxDaily, "m", 1)]).await;
    found.unwrap().first().map_or(0, |counter| counter.used)
}

async fn lock(db: &Database, ws: WorkspaceId) -> Tx {
    let mut tx = db.begin().await.unwrap();
    assert!(people::lock_workspace(&mut tx, ws).await.unwrap());
    tx
}

on_both! {
    // SAFE-3: a write that nobody waits for is done before the next statement, with the commit, or not
    // at all.
    async fn what_is_left_for_later_belongs_to_its_transaction(test: TestDatabase) {
        let ws = workspace(&test.db, &SeededRng::new(1)).await;
        let mut tx = lock(&test.db, ws).await;
        count(&mut tx, ws).await;
        count(&mut tx, ws).await;
        assert_eq!(counted(&mut tx, ws).await, 2);
        count(&mut tx, ws).await;
        tx.commit().await.unwrap();
        assert_eq!(counted(&mut test.db.reader(), ws).await, 3);

        let mut dropped = lock(&test.db, ws).await;
        count(&mut dropped, ws).await;
        drop(dropped);

        // The second of the three is refused: there is no such workspace.
        let mut refused = lock(&test.db, ws).await;
        count(&mut refused, ws).await;
        events::insert(&mut refused, &[event(id(99), 1)]).await.unwrap();
        count(&mut refused, ws).await;
        assert!(refused.commit().await.unwrap_err().is_refusal());
        assert_eq!(counted(&mut test.db.reader(), ws).await, 3);
    }
}

on_both! {
    // Decision 24: what a statement may have to undo can be larger than what SQLite writes at once.
    async fn a_statement_may_change_many_pages(test: TestDatabase) {
        let ws = workspace(&test.db, &SeededRng::new(1)).await;
        let numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
             INSERT INTO cap_usage (workspace_id, kind, subject, bucket, used) SELECT w.id, 'mailbox_daily', 'm', n.i, 0 FROM workspaces w CROSS JOIN n";
        assert_eq!(test.execute_raw(numbers).await.unwrap(), 40_000);
        assert_eq!(test.execute_raw("UPDATE cap_usage SET used = bucket").await.unwrap(), 40_000);
        assert_eq!(counted(&mut test.db.reader(), ws).await, 1);
    }
}

on_both! {
    // CAP-2: what is decided together is decided on one moment.
    async fn a_snapshot_sees_one_moment(test: TestDatabase) {
        let rng = SeededRng::new(1);
        let first = workspace(&test.db, &rng).await;
        let mut snapshot = test.db.snapshot().await.unwrap();
        assert!(people::find_workspace(&mut snapshot, first).await.unwrap().is_some());
        let second = workspace(&test.db, &rng).await;
        assert_eq!(people::find_workspace(&mut snapshot, second).await.unwrap(), None);
        drop(snapshot);
        let mut snapshot = test.db.snapshot().await.unwrap();
        assert!(people::find_workspace(&mut snapshot, second).await.unwrap().is_some());
    }
}
