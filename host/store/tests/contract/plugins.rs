//! Plugins: what is noted of them, their order, and the values they keep.

use overture_domain::plugins::{Plugin, PluginSource};
use overture_store::{on_both, plugins};
use serde_json::json;

use super::webhooks::{NOW, id, set_up};

fn plugin(id: &str, place: i64) -> Plugin {
    Plugin {
        id: id.into(),
        version: "0.1.0".into(),
        digest: "ab".into(),
        source: PluginSource::Embedded,
        manifest: json!({"name": id}),
        grants: json!({}),
        enabled: true,
        place,
        installed_at: NOW,
        updated_at: NOW,
    }
}

on_both! {
    // CLS-4: the admin's order.
    async fn an_upgrade_keeps_what_the_admin_set(test: TestDatabase) {
        let mut tx = test.db.begin().await.unwrap();
        plugins::upsert(&mut tx, &[plugin("a", 0), plugin("b", 1), plugin("c", 2)]).await.unwrap();
        plugins::set_order(&mut tx, &["c", "a", "b"]).await.unwrap();
        assert!(plugins::set_enabled(&mut tx, "a", false, NOW).await.unwrap());
        assert!(!plugins::set_enabled(&mut tx, "none", false, NOW).await.unwrap());
        let newer = Plugin {
            version: "0.2.0".into(),
            digest: "cd".into(),
            source: PluginSource::Folder,
            grants: json!({"store_quota_bytes": 5}),
            ..plugin("a", 9)
        };
        plugins::upsert(&mut tx, std::slice::from_ref(&newer)).await.unwrap();
        tx.commit().await.unwrap();
        let found = plugins::list(&mut test.db.reader()).await.unwrap();
        assert_eq!(found.iter().map(|p| p.id.as_str()).collect::<Vec<_>>(), ["c", "a", "b"]);
        assert_eq!(found[1], Plugin { enabled: false, place: 1, ..newer });
    }

    // PLG-2: a quota per plugin and workspace.
    async fn values_stay_within_their_quota(test: TestDatabase) {
        let (ws, _) = set_up(&test, 0).await;
        let mut tx = test.db.begin().await.unwrap();
        plugins::upsert(&mut tx, &[plugin("a", 0), plugin("b", 1)]).await.unwrap();
        let nul = [0u8, 255];
        assert!(plugins::set_value(&mut tx, ws, "a", "ü", &nul, 10).await.unwrap());
        assert_eq!(plugins::value(&mut tx, ws, "a", "ü").await.unwrap().as_deref(), Some(&nul[..]));
        assert!(plugins::set_value(&mut tx, ws, "a", "k", b"12345", 10).await.unwrap(), "2 + 2 + 1 + 5 is 10");
        assert!(!plugins::set_value(&mut tx, ws, "a", "k", b"123456", 10).await.unwrap());
        assert_eq!(plugins::value(&mut tx, ws, "a", "k").await.unwrap().as_deref(), Some(&b"12345"[..]));
        assert!(plugins::set_value(&mut tx, ws, "a", "k", b"1", 10).await.unwrap(), "a smaller value makes room");
        assert!(plugins::set_value(&mut tx, ws, "b", "k", b"123456789", 10).await.unwrap(), "another plugin's");
        assert_eq!(plugins::value(&mut tx, id(2), "a", "k").await.unwrap(), None);
        plugins::delete_value(&mut tx, ws, "a", "ü").await.unwrap();
        plugins::delete_value(&mut tx, ws, "a", "ü").await.unwrap();
        assert_eq!(plugins::value(&mut tx, ws, "a", "ü").await.unwrap(), None);
    }

    async fn keys_are_found_by_their_beginning(test: TestDatabase) {
        let (ws, _) = set_up(&test, 0).await;
        let mut tx = test.db.begin().await.unwrap();
        plugins::upsert(&mut tx, &[plugin("a", 0)]).await.unwrap();
        for key in ["b%1", "b%2", "bx", "ä1"] {
            plugins::set_value(&mut tx, ws, "a", key, b"", 99).await.unwrap();
        }
        assert_eq!(plugins::list_keys(&mut tx, ws, "a", "b%", 9).await.unwrap(), ["b%1", "b%2"]);
        assert_eq!(plugins::list_keys(&mut tx, ws, "a", "b%", 1).await.unwrap(), ["b%1"]);
        assert_eq!(plugins::list_keys(&mut tx, ws, "a", "ä", 9).await.unwrap(), ["ä1"]);
        assert_eq!(plugins::list_keys(&mut tx, ws, "a", "", 9).await.unwrap().len(), 4);
    }
}
