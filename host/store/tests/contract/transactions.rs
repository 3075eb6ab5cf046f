//! What a transaction tells others.

use overture_domain::{WorkspaceId, rng::SeededRng};
use overture_store::{Concerns, dialect::Dialect, on_both, people, testing::TestDatabase};

use super::{prospects::workspace, webhooks::id};

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
