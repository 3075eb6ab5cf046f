//! `/sends`

use std::time::Duration;

use overture_plugin_host::CallError;
use overture_testkit::{on_both, outreach::Fate};
use serde_json::{Value, json};

use crate::kit::Api;

/// An API whose campaign has so many mails of which nobody knows.
async fn with_ambiguous(test: overture_testkit::TestDatabase, n: usize) -> (Api, Vec<String>) {
    let api = Api::new(test).await;
    let mailbox = api.outreach.mailbox("ada@sender.test").await;
    let people = api.outreach.prospects(n).await;
    for n in 0..n {
        let lost = Fate::Crash(CallError::Panicked {
            message: "oops".into(),
        });
        api.outreach
            .post
            .next(&format!("p{n}@d{}.test", n % 2), [lost]);
    }
    api.outreach.running(&[&mailbox], &people).await;
    api.outreach.run_for(Duration::from_secs(3 * 3_600)).await;
    let list = api.get("/sends/ambiguous").await;
    let id = |send: &Value| send["id"].as_str().unwrap().to_owned();
    let ids: Vec<_> = list.data().as_array().unwrap().iter().map(id).collect();
    assert_eq!(ids.len(), n);
    (api, ids)
}

on_both! {
    // SAFE-3, API-2
    async fn what_nobody_knows_is_listed_and_decided(test: TestDatabase) {
        let (api, ids) = with_ambiguous(test, 3).await;
        let first = &api.get("/sends/ambiguous?limit=1").await.data()[0].clone();
        assert_eq!(first["mailboxEmail"], "ada@sender.test");
        assert_eq!(first["reason"], "the plugin panicked: oops");
        assert_eq!(first["nextLookAt"], Value::Null);
        assert!(first["messageId"].as_str().unwrap().ends_with("@sender.test"), "{first}");
        let (rows, sizes) = api.pages("/sends/ambiguous", 2).await;
        assert_eq!((rows.len(), sizes), (3, vec![2, 1]));

        let sent = api.post("/sends/resolve", json!({"ids": [ids[0], ids[1]], "outcome": "sent"})).await;
        assert_eq!(*sent.data(), json!({"resolved": 2, "notAmbiguous": []}));
        let not_sent = api.post("/sends/resolve", json!({"ids": [ids[0], ids[2]], "outcome": "not_sent"})).await;
        assert_eq!(*not_sent.data(), json!({"resolved": 1, "notAmbiguous": [ids[0]]}));
        assert_eq!(*api.get("/sends/ambiguous").await.data(), json!([]));
        api.outreach.run_for(Duration::from_secs(2 * 3_600)).await;
        assert_eq!(api.outreach.post.asked().len(), 4, "the third goes again");
    }

    // API-2, WS-1
    async fn others_and_nonsense_are_refused(test: TestDatabase) {
        let (api, ids) = with_ambiguous(test, 1).await;
        let stranger = api.stranger().await;
        assert_eq!(*stranger.get("/sends/ambiguous").await.data(), json!([]));
        let resolved = stranger.post("/sends/resolve", json!({"ids": ids, "outcome": "not_sent"})).await;
        assert_eq!(*resolved.data(), json!({"resolved": 0, "notAmbiguous": ids}));
        for body in [
            json!({"ids": [], "outcome": "sent"}),
            json!({"ids": ids, "outcome": "perhaps"}),
            json!({"ids": ["cmp_1"], "outcome": "sent"}),
            json!({"ids": ids}),
        ] {
            assert_eq!(api.post("/sends/resolve", body.clone()).await.status, 400, "{body}");
        }
        assert_eq!(api.get("/sends/ambiguous").await.data().as_array().map(Vec::len), Some(1));
    }
}
