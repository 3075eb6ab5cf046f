//! `/mailboxes`

use std::time::Duration;

use overture_testkit::on_both;
use serde_json::{Value, json};

use crate::kit::{Answer, Api};

async fn connect(api: &Api, address: &str) -> Answer {
    let new = json!({"emailAddress": address, "senderName": "Ada Example", "preset": "post", "dailyLimit": 40});
    api.post("/mailboxes", new).await
}

on_both! {
    // MB-1, MB-11
    async fn one_is_connected(test: TestDatabase) {
        let api = Api::new(test).await;
        shows!(api.get("/mailboxes/presets").await, r#"
            200 {
              "data": [
                {
                  "provider": "provider-post",
                  "key": "post",
                  "name": "Post",
                  "passwordHint": "",
                  "domains": [],
                  "smtp": null,
                  "imap": null,
                  "recipientsPerDay": null
                }
              ]
            }
            "#);
        let made = connect(&api, "ada@example.com").await;
        shows!(made, r#"
            201 {
              "data": {
                "id": "acc_1",
                "emailAddress": "ada@example.com",
                "senderName": "Ada Example",
                "provider": "provider-post",
                "preset": "post",
                "status": "connected",
                "statusReason": "",
                "settings": {},
                "dailyLimit": 40,
                "timezone": "UTC",
                "signatureHtml": "",
                "signatureText": "",
                "lastSyncedAt": null,
                "lastSyncError": null,
                "createdAt": "2026-03-02T09:00:00Z",
                "updatedAt": "2026-03-02T09:00:00Z",
                "test": [
                  {
                    "name": "post",
                    "ok": true,
                    "problem": null
                  }
                ],
                "leftCampaigns": []
              }
            }
            "#);
        let path = format!("/mailboxes/{}", made.id());
        let found = api.get(&path).await;
        let mut expected = made.data().clone();
        for of_connecting in ["test", "leftCampaigns"] {
            expected.as_object_mut().unwrap().remove(of_connecting);
        }
        assert_eq!(found.data(), &expected);
        shows!(api.post(&format!("{path}/test"), json!({})).await, r#"
            200 {
              "data": {
                "ok": true,
                "legs": [
                  {
                    "name": "post",
                    "ok": true,
                    "problem": null
                  }
                ]
              }
            }
            "#);
        shows!(connect(&api, "ADA@example.com").await, r#"
            409 {
              "error": {
                "code": "conflict",
                "message": "the workspace has the mailbox ADA@example.com already"
              }
            }
            "#);
    }

    // API-2
    async fn what_is_wrong_is_named(test: TestDatabase) {
        let api = Api::new(test).await;
        let check = async |body: Value, fields: &[&str]| {
            let answer = api.post("/mailboxes", body.clone()).await;
            assert_eq!(answer.refusal(), (400, "validation_error", fields.to_vec()), "{body}");
        };
        check(json!({}), &["emailAddress"]).await;
        check(json!({"emailAddress": "ada", "preset": "post", "dailyLimit": 501, "timezone": "Berlin"}), &["emailAddress", "dailyLimit", "timezone"]).await;
        check(json!({"emailAddress": "ada@example.com", "preset": "carrier-pigeon"}), &["preset"]).await;
        check(json!({"emailAddress": "ada@example.com", "smtp": {"host": "smtp.example.com", "port": 587}}), &["smtp.tls"]).await;
        check(json!({"emailAddress": "ada@example.com", "smtp": {"host": "smtp.example.com", "port": 70_000, "tls": "implicit"}}), &["smtp.port"]).await;
        check(json!({"emailAddress": "ada@example.com", "smtp": {"host": "smtp.example.com", "port": 587, "tls": "none"}}), &["smtp.tls"]).await;
        assert_eq!(api.get("/mailboxes").await.data(), &json!([]));
    }

    // MB-4, MB-11
    async fn it_changes(test: TestDatabase) {
        let api = Api::new(test).await;
        let path = format!("/mailboxes/{}", connect(&api, "ada@example.com").await.id());
        api.outreach.kit.clock.advance(Duration::from_secs(60));
        let patch = json!({"senderName": "Ada E.", "dailyLimit": 10, "timezone": "Europe/Berlin", "signatureHtml": "<p>Ada</p>", "signatureText": "Ada"});
        let changed = api.patch(&path, patch).await;
        shows!(changed, r#"
            200 {
              "data": {
                "id": "acc_1",
                "emailAddress": "ada@example.com",
                "senderName": "Ada E.",
                "provider": "provider-post",
                "preset": "post",
                "status": "connected",
                "statusReason": "",
                "settings": {},
                "dailyLimit": 10,
                "timezone": "Europe/Berlin",
                "signatureHtml": "<p>Ada</p>",
                "signatureText": "Ada",
                "lastSyncedAt": null,
                "lastSyncError": null,
                "createdAt": "2026-03-02T09:00:00Z",
                "updatedAt": "2026-03-02T09:01:00Z"
              }
            }
            "#);
        for (patch, field) in [
            (json!({"dailyLimit": -1}), "dailyLimit"),
            (json!({"timezone": "Mars"}), "timezone"),
            (json!({"smtp": {"host": "smtp.example.com", "port": 587, "tls": "starttls"}}), "smtp"),
            (json!({"emailAddress": "other@example.com"}), "emailAddress"),
        ] {
            let answer = api.patch(&path, patch.clone()).await;
            assert_eq!(answer.refusal(), (400, "validation_error", vec![field]), "{patch}");
        }
        assert_eq!(api.get(&path).await.data(), changed.data());
    }

    // SAFE-4
    async fn it_pauses_and_resumes(test: TestDatabase) {
        let api = Api::new(test).await;
        let path = format!("/mailboxes/{}", connect(&api, "ada@example.com").await.id());
        let paused = api.post(&format!("{path}/pause"), json!({})).await;
        assert_eq!(paused.data()["status"], "paused");
        assert_ne!(paused.data()["statusReason"], "");
        let resumed = api.post(&format!("{path}/resume"), json!({})).await;
        assert_eq!(resumed.data()["status"], "connected");
        shows!(api.post(&format!("{path}/resume"), json!({})).await, r#"
            400 {
              "error": {
                "code": "invalid_status",
                "message": "the mailbox is connected, so it can't become connected"
              }
            }
            "#);
    }

    // API-4
    async fn a_deleted_one_is_gone(test: TestDatabase) {
        let api = Api::new(test).await;
        let path = format!("/mailboxes/{}", connect(&api, "ada@example.com").await.id());
        shows!(api.delete(&path).await, r#"
            200 {
              "data": {
                "id": "acc_1"
              }
            }
            "#);
        shows!(api.get(&path).await, r#"
            404 {
              "error": {
                "code": "not_found",
                "message": "there is no mailbox with this id"
              }
            }
            "#);
        assert_eq!(api.delete(&path).await.status, 404);
        assert_eq!(api.get("/mailboxes").await.data(), &json!([]));
    }

    // API-2
    async fn they_come_by_pages(test: TestDatabase) {
        let api = Api::new(test).await;
        for n in 0..5 {
            api.outreach.kit.clock.advance(Duration::from_millis(1));
            connect(&api, &format!("m{n}@example.com")).await;
        }
        let (rows, sizes) = api.pages("/mailboxes", 2).await;
        assert_eq!(sizes, [2, 2, 1]);
        let found: Vec<_> = rows.iter().map(|row| row["emailAddress"].as_str().unwrap()).collect();
        assert_eq!(found, ["m0@example.com", "m1@example.com", "m2@example.com", "m3@example.com", "m4@example.com"]);
    }
}
