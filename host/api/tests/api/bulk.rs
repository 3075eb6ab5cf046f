//! `/prospects/bulk`

use overture_domain::{enrollments::EnrollmentState, events::EventKind};
use overture_engine::people::SCOPES;
use overture_testkit::on_both;
use serde_json::{Value, json};

use crate::kit::Api;

/// Ada, Bob and Cy, of whom Ada and Bob have the tag `fair`.
async fn people(api: &Api) -> Vec<String> {
    let mut ids = Vec::new();
    for (email, tags) in [
        ("ada@example.com", vec!["fair"]),
        ("bob@example.com", vec!["fair", "old"]),
        ("cy@example.com", vec![]),
    ] {
        let new = json!({"email": email, "tags": tags});
        ids.push(api.post("/prospects", new).await.id().to_owned());
    }
    ids
}

/// Who was chosen, and with whom it made a difference.
async fn bulk(api: &Api, mut who: Value, action: Value) -> [u64; 3] {
    who["action"] = action;
    let done = api.post("/prospects/bulk", who).await;
    ["matchedCount", "changedCount", "notFoundCount"]
        .map(|name| done.data()[name].as_u64().unwrap())
}

on_both! {
    // PR-3
    async fn tags_come_and_go(test: TestDatabase) {
        let api = Api::new(test).await;
        let ids = people(&api).await;
        let tags = async || {
            let found = api.get("/prospects?sort=email").await;
            found.data().as_array().unwrap().iter().map(|row| row["tags"].to_string()).collect::<Vec<_>>()
        };
        let fair = json!({"filter": {"tag": "fair"}});
        assert_eq!(bulk(&api, fair.clone(), json!({"addTags": [" new ", "old", "new"]})).await, [2, 2, 0]);
        assert_eq!(tags().await, [r#"["fair","new","old"]"#, r#"["fair","old","new"]"#, "[]"]);
        assert_eq!(bulk(&api, fair.clone(), json!({"addTags": ["new"]})).await, [2, 0, 0], "again");
        // Whoever leaves the filter by it is not passed over.
        assert_eq!(bulk(&api, fair, json!({"removeTags": ["fair", "old"]})).await, [2, 2, 0]);
        assert_eq!(tags().await, [r#"["new"]"#, r#"["new"]"#, "[]"]);
        let nobody = format!("pro_{}", "0".repeat(26));
        let some = json!({"prospectIds": [ids[0], ids[2], ids[2], nobody]});
        assert_eq!(bulk(&api, some, json!({"addTags": ["vip"]})).await, [2, 2, 1]);
        assert_eq!(api.get("/prospects?search=vip").await.data().as_array().unwrap().len(), 2);
        assert_eq!(bulk(&api, json!({"filter": {}}), json!({"addTags": ["all"]})).await, [3, 3, 0]);
    }

    // PR-3
    async fn people_come_to_lists_and_campaigns(test: TestDatabase) {
        let api = Api::new(test).await;
        let ids = people(&api).await;
        let list = api.post("/lists", json!({"name": "Fair"})).await.id().to_owned();
        let fair = json!({"filter": {"tag": "fair"}});
        assert_eq!(bulk(&api, fair.clone(), json!({"addToList": list})).await, [2, 2, 0]);
        assert_eq!(bulk(&api, json!({"filter": {}}), json!({"addToList": list})).await, [3, 1, 0]);
        assert_eq!(bulk(&api, fair.clone(), json!({"removeFromList": list})).await, [2, 2, 0]);
        assert_eq!(api.get(&format!("/lists/{list}")).await.data()["prospectCount"], 1);

        let mailbox = api.outreach.mailbox("me@sender.test").await;
        let campaign = json!({"name": "Spring", "mailboxIds": [mailbox.id], "steps": [{"stepIndex": 0, "subject": "Hi", "bodyHtml": "x"}]});
        let campaign = api.post("/campaigns", campaign).await.id().to_owned();
        let enroll = json!({"enroll": campaign});
        assert_eq!(bulk(&api, json!({"prospectIds": [ids[0]]}), enroll.clone()).await, [1, 1, 0]);
        assert_eq!(bulk(&api, json!({"prospectIds": [ids[0]]}), enroll.clone()).await, [1, 0, 0], "in it already");
        assert_eq!(bulk(&api, fair, enroll.clone()).await, [2, 1, 0]);
        let scopes: Vec<_> = SCOPES.iter().copied().filter(|scope| *scope != "enrollments:write").collect();
        let (_, key) = api.make_key(api.ws(), &scopes, None).await;
        let refused = api.with_key(&key).post("/prospects/bulk", json!({"filter": {}, "action": enroll})).await;
        assert_eq!(refused.refusal(), (403, "insufficient_scope", vec![]));
    }

    // PR-4: a person's word ends what goes on, and taken back it begins nothing; nobody who unsubscribed
    // is written to again by it.
    async fn a_status_is_set_by_hand(test: TestDatabase) {
        let api = Api::new(test).await;
        let ids = people(&api).await;
        let mailbox = api.outreach.mailbox("me@sender.test").await;
        let people = api.outreach.prospects(2).await;
        let campaign = api.outreach.running(&[&mailbox], &people).await;
        api.post("/prospects/suppress", json!({"emails": ["cy@example.com"]})).await;
        let everybody = json!({"filter": {}});
        assert_eq!(bulk(&api, everybody.clone(), json!({"setStatus": "do_not_contact"})).await, [5, 4, 0]);
        let ended = api.outreach.enrollments(campaign).await;
        assert!(ended.iter().all(|one| one.state == EnrollmentState::Stopped && one.reason == "the prospect is do_not_contact"), "{ended:?}");
        let told = api.outreach.events(EventKind::ProspectStatusChanged).await;
        assert_eq!((told.len(), &told[0].data["status"]), (4, &json!("do_not_contact")));
        assert_eq!(api.outreach.events(EventKind::EnrollmentFinished).await.len(), 2);
        assert_eq!(api.get(&format!("/prospects/{}", ids[2])).await.data()["status"], "suppressed");
        assert_eq!(bulk(&api, everybody.clone(), json!({"setStatus": "active"})).await, [5, 4, 0]);
        assert_eq!(bulk(&api, everybody, json!({"setStatus": "active"})).await, [5, 0, 0]);
        assert_eq!(api.get(&format!("/prospects/{}", ids[2])).await.data()["status"], "suppressed");
        assert!(api.outreach.enrollments(campaign).await.iter().all(|one| one.state == EnrollmentState::Stopped));
    }

    // PR-3: more than one batch.
    async fn a_large_selection_goes_by_batches(test: TestDatabase) {
        let api = Api::new(test).await;
        let people: Vec<_> = (0..2_001).map(|n| api.outreach.prospect(&format!("p{n}@example.com"))).collect();
        api.outreach.write_prospects(&people).await;
        assert_eq!(bulk(&api, json!({"filter": {"status": "active"}}), json!({"setStatus": "do_not_contact"})).await, [2_001, 2_001, 0]);
        assert_eq!(bulk(&api, json!({"filter": {"domain": "example.com"}}), json!({"addTags": ["x"]})).await, [2_001, 2_001, 0]);
        let ids: Vec<_> = people.iter().map(|one| one.id).collect();
        let refused = api.post("/prospects/bulk", json!({"prospectIds": ids[..1_001], "action": {"addTags": ["x"]}})).await;
        assert_eq!(refused.refusal(), (400, "validation_error", vec!["prospectIds"]));
    }

    // API-2
    async fn what_is_wrong_is_named(test: TestDatabase) {
        let api = Api::new(test).await;
        let tags = || json!({"addTags": ["x"]});
        let check = async |body: Value, fields: &[&str]| {
            let answer = api.post("/prospects/bulk", body.clone()).await;
            assert_eq!(answer.refusal(), (400, "validation_error", fields.to_vec()), "{body}");
        };
        check(json!({"action": tags()}), &["prospectIds"]).await;
        check(json!({"prospectIds": [], "filter": {}, "action": tags()}), &["prospectIds"]).await;
        check(json!({"prospectIds": ["ada"], "action": tags()}), &["prospectIds[0]"]).await;
        check(json!({"filter": {"search": "ab"}, "action": tags()}), &["filter.search"]).await;
        check(json!({"filter": {"label": "x"}, "action": tags()}), &["filter.label"]).await;
        check(json!({"filterId": "x", "action": tags()}), &["filterId"]).await;
        check(json!({"filter": {}}), &["action"]).await;
        check(json!({"filter": {}, "action": {"addTags": []}}), &["action.addTags"]).await;
        check(json!({"filter": {}, "action": {"addTags": ["x", " "]}}), &["action.addTags[1]"]).await;
        check(json!({"filter": {}, "action": {"setStatus": "unsubscribed"}}), &["action.setStatus"]).await;
        check(json!({"filter": {}, "action": {"addToList": "fair"}}), &["action.addToList"]).await;
        for action in [json!({}), json!({"dance": 1}), json!({"addTags": ["x"], "removeTags": ["y"]})] {
            let answer = api.post("/prospects/bulk", json!({"filter": {}, "action": action})).await;
            assert_eq!((answer.status, answer.refusal().1), (400, "validation_error"), "{action}");
        }
    }
}
