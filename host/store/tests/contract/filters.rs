//! Saved filters of prospects.

use overture_domain::{
    Id, Timestamp,
    filters::{Filter, SavedFilter},
    prospects::ProspectStatus,
    rng::SeededRng,
};
use overture_store::{Error, Slice, filters, on_both};

use super::prospects::workspace;

const NOW: Timestamp = Timestamp::from_secs(1_772_442_000);

on_both! {
    // PR-3, WS-1
    async fn filters_are_kept_by_name(test: TestDatabase) {
        let rng = SeededRng::new(32);
        let (ws, other) = (workspace(&test.db, &rng).await, workspace(&test.db, &rng).await);
        let filter = Filter {
            email: Some("ada@example.com".into()),
            status: Some(ProspectStatus::Active),
            list_id: Some(Id::new(NOW, &rng)),
            campaign_id: Some(Id::new(NOW, &rng)),
            tag: Some("100%".into()),
            domain: Some("example.com".into()),
            search: Some("Žofie".into()),
        };
        let saved = |name: &str, filter: &Filter| SavedFilter {
            id: Id::new(NOW, &rng), workspace_id: ws, name: name.into(), filter: filter.clone(), created_at: NOW, updated_at: NOW,
        };
        let mut full = saved("Full", &filter);
        let fair = saved("Fair", &Filter { tag: Some("fair".into()), ..Filter::default() });
        let mut tx = test.db.begin().await.unwrap();
        filters::insert(&mut tx, &full).await.unwrap();
        filters::insert(&mut tx, &fair).await.unwrap();
        filters::insert(&mut tx, &SavedFilter { id: Id::new(NOW, &rng), workspace_id: other, ..fair.clone() }).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = test.db.begin().await.unwrap();
        assert!(matches!(filters::insert(&mut tx, &saved("Fair", &filter)).await, Err(Error::Unique)));
        drop(tx);

        let on = &mut test.db.reader();
        assert_eq!(filters::find(on, ws, full.id).await.unwrap().as_ref(), Some(&full));
        assert_eq!(filters::find(on, other, full.id).await.unwrap(), None);
        let by_name = Slice { by: filters::Sort::Name, ..Slice::first(10) };
        assert_eq!(filters::list(on, ws, &by_name).await.unwrap(), [fair.clone(), full.clone()]);

        let mut tx = test.db.begin().await.unwrap();
        assert!(!filters::update(&mut tx, &SavedFilter { workspace_id: other, ..full.clone() }).await.unwrap());
        (full.name, full.filter, full.updated_at) = ("Empty".into(), Filter::default(), NOW + std::time::Duration::from_secs(1));
        assert!(filters::update(&mut tx, &full).await.unwrap());
        assert!(!filters::delete(&mut tx, other, fair.id).await.unwrap());
        assert!(filters::delete(&mut tx, ws, fair.id).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(filters::list(on, ws, &Slice::first(10)).await.unwrap(), [full]);
    }
}
