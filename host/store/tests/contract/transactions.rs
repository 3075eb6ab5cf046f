//! What a transaction tells others.

use overture_domain::WorkspaceId;
use overture_store::{Concerns, dialect::Dialect, on_both, testing::TestDatabase};

use super::webhooks::id;

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
