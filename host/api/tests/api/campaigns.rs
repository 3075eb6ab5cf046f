//! `/campaigns`

use std::time::Duration;

use overture_testkit::on_both;
use serde_json::{Value, json};

use crate::kit::{Answer, Api};

async fn mailbox(api: &Api) -> String {
    api.outreach.mailbox("ada@example.com").await.id.to_string()
}

fn steps() -> Value {
    json!([
        {"stepIndex": 0, "subject": "A question, {{ firstName }}", "bodyHtml": "<p>Hello {{ firstName }},</p>"},
        {"stepIndex": 1, "bodyHtml": "<p>Did you see it?</p>", "delayDays": 2, "delayHours": 6},
    ])
}

/// A draft with a mailbox and the people of `p0@d0.test` and so on.
async fn draft(api: &Api, people: usize) -> Answer {
    let prospects = api.outreach.prospects(people).await;
    let new = json!({"name": "Spring", "steps": steps(), "mailboxIds": [mailbox(api).await], "prospectIds": prospects});
    api.post("/campaigns", new).await
}

on_both! {
    // API-4
    async fn a_draft_has_its_defaults(test: TestDatabase) {
        let api = Api::new(test).await;
        let made = draft(&api, 1).await;
        shows!(made, r#"
            201 {
              "data": {
                "id": "cmp_1",
                "name": "Spring",
                "kind": "email",
                "status": "draft",
                "pausedAt": null,
                "pausedReason": null,
                "pauses": [],
                "timezone": "UTC",
                "windows": [
                  {
                    "days": [
                      1,
                      2,
                      3,
                      4,
                      5
                    ],
                    "start": "09:00",
                    "end": "17:00"
                  }
                ],
                "dailySendLimit": 100,
                "maxSendsPerMailboxPerDay": 50,
                "minutesBetweenSends": 5,
                "stopOnReply": true,
                "stopOnBounce": true,
                "stopOnCompanyReply": false,
                "newProspectsPerDay": null,
                "followUpsFirst": true,
                "rotation": "round_robin",
                "trackOpens": false,
                "trackClicks": false,
                "safety": {
                  "bouncePercent": 5,
                  "complaints": 3,
                  "replyPercent": null
                },
                "startDate": null,
                "endDate": null,
                "startedAt": null,
                "finishedAt": null,
                "createdAt": "2026-03-02T09:00:00Z",
                "updatedAt": "2026-03-02T09:00:00Z",
                "steps": [
                  {
                    "id": "stp_1",
                    "stepIndex": 0,
                    "subject": "A question, {{ firstName }}",
                    "bodyHtml": "<p>Hello {{ firstName }},</p>",
                    "bodyText": null,
                    "delayDays": 0,
                    "delayHours": 0,
                    "variants": []
                  },
                  {
                    "id": "stp_2",
                    "stepIndex": 1,
                    "subject": "",
                    "bodyHtml": "<p>Did you see it?</p>",
                    "bodyText": null,
                    "delayDays": 2,
                    "delayHours": 6,
                    "variants": []
                  }
                ],
                "mailboxIds": [
                  "acc_1"
                ],
                "mailboxSettings": [
                  {
                    "id": "acc_1",
                    "weight": 1,
                    "active": true
                  }
                ]
              }
            }
            "#);
        let path = format!("/campaigns/{}", made.id());
        assert_eq!(api.get(&path).await.data(), made.data());
        let enrolled = api.get(&format!("{path}/enrollments")).await;
        assert_eq!(enrolled.data()[0]["prospectEmail"], "p0@d0.test");
    }

    // SCH-1, CAP-1
    async fn everything_can_be_said(test: TestDatabase) {
        let api = Api::new(test).await;
        let new = json!({
            "name": "Spring", "steps": steps(), "mailboxIds": [mailbox(&api).await],
            "dailySendLimit": 20, "maxSendsPerMailboxPerDay": 10, "minutesBetweenSends": 15,
            "timezone": "Europe/Berlin", "sendingWindowStart": "08:30", "sendingWindowEnd": "12:00", "scheduleDays": [2, 4],
            "stopOnReply": false, "stopOnBounce": false,
 "stopOnCompanyReply": false,
 "newProspectsPerDay": null,
 "followUpsFirst": true,
 "rotation": "round_robin",
            "startDate": "2026-03-10T08:00:00Z", "endDate": "2026-04-01T00:00:00+02:00",
        });
        shows!(api.post("/campaigns", new.clone()).await, r#"
            201 {
              "data": {
                "id": "cmp_1",
                "name": "Spring",
                "kind": "email",
                "status": "draft",
                "pausedAt": null,
                "pausedReason": null,
                "pauses": [],
                "timezone": "Europe/Berlin",
                "windows": [
                  {
                    "days": [
                      2,
                      4
                    ],
                    "start": "08:30",
                    "end": "12:00"
                  }
                ],
                "dailySendLimit": 20,
                "maxSendsPerMailboxPerDay": 10,
                "minutesBetweenSends": 15,
                "stopOnReply": false,
                "stopOnBounce": false,
                "stopOnCompanyReply": false,
                "newProspectsPerDay": null,
                "followUpsFirst": true,
                "rotation": "round_robin",
                "trackOpens": false,
                "trackClicks": false,
                "safety": {
                  "bouncePercent": 5,
                  "complaints": 3,
                  "replyPercent": null
                },
                "startDate": "2026-03-10T08:00:00Z",
                "endDate": "2026-03-31T22:00:00Z",
                "startedAt": null,
                "finishedAt": null,
                "createdAt": "2026-03-02T09:00:00Z",
                "updatedAt": "2026-03-02T09:00:00Z",
                "steps": [
                  {
                    "id": "stp_1",
                    "stepIndex": 0,
                    "subject": "A question, {{ firstName }}",
                    "bodyHtml": "<p>Hello {{ firstName }},</p>",
                    "bodyText": null,
                    "delayDays": 0,
                    "delayHours": 0,
                    "variants": []
                  },
                  {
                    "id": "stp_2",
                    "stepIndex": 1,
                    "subject": "",
                    "bodyHtml": "<p>Did you see it?</p>",
                    "bodyText": null,
                    "delayDays": 2,
                    "delayHours": 6,
                    "variants": []
                  }
                ],
                "mailboxIds": [
                  "acc_1"
                ],
                "mailboxSettings": [
                  {
                    "id": "acc_1",
                    "weight": 1,
                    "active": true
                  }
                ]
              }
            }
            "#);
        let mut several = new;
        let fields = several.as_object_mut().unwrap();
        for name in ["sendingWindowStart", "sendingWindowEnd", "scheduleDays"] {
            fields.remove(name);
        }
        let windows = json!([{"days": [1], "start": "22:00", "end": "02:00"}, {"days": [0, 6], "start": "00:00", "end": "00:00"}]);
        fields.insert("windows".to_owned(), windows.clone());
        assert_eq!(api.post("/campaigns", several).await.data()["windows"], windows);
    }

    // API-2, TPL-3
    async fn what_is_wrong_is_named(test: TestDatabase) {
        let api = Api::new(test).await;
        let mailbox = mailbox(&api).await;
        let check = async |change: Value, fields: &[&str]| {
            let mut body = json!({"name": "Spring", "steps": steps(), "mailboxIds": [mailbox]});
            for (name, value) in change.as_object().unwrap() {
                body[name] = value.clone();
            }
            let answer = api.post("/campaigns", body).await;
            assert_eq!(answer.refusal(), (400, "validation_error", fields.to_vec()), "{change}");
        };
        check(json!({"color": "red"}), &["color"]).await;
        check(json!({"name": " ", "dailySendLimit": 0, "timezone": "Mars"}), &["name", "timezone", "dailySendLimit"]).await;
        check(json!({"steps": []}), &["steps"]).await;
        check(json!({"steps": [{"subject": "Hi", "bodyHtml": "x"}]}), &["steps[0].stepIndex"]).await;
        check(json!({"steps": [{"stepIndex": 0, "subject": "Hi"}]}), &["steps[0].bodyHtml"]).await;
        check(json!({"steps": [{"stepIndex": 1, "subject": "Hi", "bodyHtml": "x"}]}), &["steps[0].stepIndex"]).await;
        check(json!({"steps": [{"stepIndex": 0, "subject": "", "bodyHtml": " "}]}), &["steps[0].subject", "steps[0].bodyHtml"]).await;
        check(json!({"steps": [{"stepIndex": 0, "subject": "Hi", "bodyHtml": "{{ firstName | shout }}"}]}), &["steps[0].bodyHtml"]).await;
        check(json!({"steps": [{"stepIndex": 0, "id": "one", "subject": "Hi", "bodyHtml": "x"}]}), &["steps[0].id"]).await;
        check(json!({"steps": [{"stepIndex": 0, "subject": "Hi", "bodyHtml": "x", "delayDays": 900}]}), &["steps[0].delayDays"]).await;
        let variants = |variants: Value| json!({"steps": [{"stepIndex": 0, "variants": variants}]});
        let one = json!({"subject": "Hi", "bodyHtml": "x"});
        check(json!({"steps": [{"stepIndex": 0, "subject": "Hi", "variants": [one]}]}), &["steps[0].subject"]).await;
        check(variants(json!([one, {"bodyHtml": ""}])), &["steps[0].variants[1].subject", "steps[0].variants[1].bodyHtml"]).await;
        check(variants(json!([{"subject": "{{ oops", "bodyHtml": "x"}])), &["steps[0].variants[0].subject"]).await;
        check(variants(json!([{"subject": "Hi", "bodyHtml": "x", "weight": -1}])), &["steps[0].variants[0].weight"]).await;
        check(variants(json!([{"subject": "Hi", "bodyHtml": "x", "weight": 0}])), &["steps[0].variants"]).await;
        check(variants(json!(vec![one.clone(); 27])), &["steps[0].variants"]).await;
        check(variants(json!([{"subject": "Hi", "bodyHtml": "x", "id": "me"}])), &["steps[0].variants[0].id"]).await;
        check(json!({"mailboxIds": []}), &["mailboxIds"]).await;
        check(json!({"mailboxIds": ["me"]}), &["mailboxIds[0]"]).await;
        check(json!({"sendingWindowStart": "9"}), &["sendingWindowStart"]).await;
        check(json!({"sendingWindowStart": "09:00", "windows": []}), &["windows"]).await;
        check(json!({"windows": [{"days": [7], "start": "09:00", "end": "17:00"}]}), &["windows[0].days"]).await;
        check(json!({"windows": [{"days": [1], "start": "09:00", "end": "24:00"}]}), &["windows[0].end"]).await;
        check(json!({"endDate": "2026-01-01T00:00:00Z"}), &["endDate"]).await;
        check(json!({"endDate": "soon"}), &["endDate"]).await;
        check(json!({"prospectIds": ["me"]}), &["prospectIds[0]"]).await;
        assert_eq!(api.get("/campaigns").await.data(), &json!([]));
        let typo = json!({"name": "Spring", "steps": [{"stepIndex": 0, "subject": "Hi", "bodyHtml": "<p>{{ firstName | shout }}</p>"}], "mailboxIds": [mailbox]});
        shows!(api.post("/campaigns", typo).await, r#"
            400 {
              "error": {
                "code": "validation_error",
                "message": "steps[0].bodyHtml: 1:19: error[filter.unknown]: there is no filter `shout`\n<p>{{ firstName | shout }}</p>\n                  ^^^^^",
                "details": [
                  {
                    "field": "steps[0].bodyHtml",
                    "code": "filter.unknown",
                    "message": "1:19: error[filter.unknown]: there is no filter `shout`\n<p>{{ firstName | shout }}</p>\n                  ^^^^^"
                  }
                ]
              }
            }
            "#);
    }

    // SEQ-6
    async fn a_start_says_every_cause(test: TestDatabase) {
        let api = Api::new(test).await;
        let made = draft(&api, 0).await;
        let path = format!("/campaigns/{}", made.id());
        let mailbox = made.data()["mailboxIds"][0].as_str().unwrap();
        api.post(&format!("/mailboxes/{mailbox}/pause"), json!({})).await;
        shows!(api.post(&format!("{path}/start"), json!({})).await, r#"
            400 {
              "error": {
                "code": "validation_error",
                "message": "2 fields are invalid",
                "details": [
                  {
                    "field": "mailboxIds",
                    "code": "unusable_mailboxes",
                    "message": "no mailbox of the campaign can send: ada@example.com is paused (paused by hand)"
                  },
                  {
                    "field": "enrollments",
                    "code": "no_prospects",
                    "message": "nobody is in the campaign: enroll prospects"
                  }
                ]
              }
            }
            "#);
        let ids = api.outreach.prospects(1).await;
        api.post(&format!("{path}/enrollments"), json!({"prospectIds": ids})).await;
        let refused = api.post(&format!("{path}/start"), json!({})).await;
        assert_eq!(refused.refusal(), (400, "unusable_mailboxes", vec!["mailboxIds"]));
        api.post(&format!("/mailboxes/{mailbox}/resume"), json!({})).await;
        api.patch(&path, json!({"endDate": "2026-03-02T10:00:00Z"})).await.data();
        api.outreach.kit.clock.advance(Duration::from_hours(2));
        let refused = api.post(&format!("{path}/start"), json!({})).await;
        assert_eq!(refused.refusal(), (400, "end_date_expired", vec![]));
        api.patch(&path, json!({"endDate": null})).await.data();
        assert_eq!(api.post(&format!("{path}/start"), json!({})).await.data()["status"], "running");
    }

    // SEQ-11, SAFE-4
    async fn it_starts_pauses_and_resumes(test: TestDatabase) {
        let api = Api::new(test).await;
        let path = format!("/campaigns/{}", draft(&api, 1).await.id());
        let turn = async |verb: &str| api.post(&format!("{path}/{verb}"), json!({})).await;
        shows!(turn("pause").await, r#"
            400 {
              "error": {
                "code": "invalid_status",
                "message": "the campaign is draft, so it can't become paused"
              }
            }
            "#);
        assert_eq!(turn("resume").await.refusal().1, "invalid_status");
        let started = turn("start").await;
        assert_eq!((&started.data()["status"], started.data()["startedAt"].is_string()), (&json!("running"), true));
        assert_eq!(turn("start").await.refusal().1, "invalid_status");
        let paused = turn("pause").await;
        assert_eq!(paused.data()["status"], "paused");
        let pauses = json!([{"reason": "api", "detail": "", "since": paused.data()["pausedAt"], "outlook": "Needs you"}]);
        assert_eq!((&paused.data()["pausedReason"], &paused.data()["pauses"]), (&json!("api"), &pauses));
        let resumed = turn("resume").await;
        assert_eq!((&resumed.data()["status"], &resumed.data()["pausedAt"]), (&json!("running"), &Value::Null));
    }

    // SEQ-6
    async fn a_start_date_ahead_schedules_it(test: TestDatabase) {
        let api = Api::new(test).await;
        let path = format!("/campaigns/{}", draft(&api, 1).await.id());
        api.patch(&path, json!({"startDate": "2026-03-09T08:00:00Z"})).await.data();
        assert_eq!(api.post(&format!("{path}/start"), json!({})).await.data()["status"], "scheduled");
    }

    // SEQ-8, API-4
    async fn it_changes_what_may_change(test: TestDatabase) {
        let api = Api::new(test).await;
        let made = draft(&api, 1).await;
        let path = format!("/campaigns/{}", made.id());
        let changed = api.patch(&path, json!({"name": "Summer", "sendingWindowEnd": "12:00"})).await;
        assert_eq!(changed.data()["name"], "Summer");
        assert_eq!(changed.data()["windows"], json!([{"days": [1, 2, 3, 4, 5], "start": "09:00", "end": "12:00"}]));
        assert_eq!(changed.data()["steps"], made.data()["steps"], "what is left out stays");
        api.post(&format!("{path}/start"), json!({})).await.data();
        let mut texts = changed.data()["steps"].clone();
        texts[0]["subject"] = json!("Another question");
        let texts = api.patch(&path, json!({"steps": texts, "dailySendLimit": 7})).await;
        assert_eq!(texts.data()["steps"][0]["subject"], "Another question");
        assert_eq!(texts.data()["dailySendLimit"], 7);
        let refused = api.patch(&path, json!({"dailySendLimit": 9, "timezone": "Europe/Berlin", "steps": [steps()[0]]})).await;
        shows!(refused, r#"
            400 {
              "error": {
                "code": "invalid_status",
                "message": "the campaign is running: pause it to change steps, timezone",
                "details": [
                  {
                    "field": "steps",
                    "code": "not_live_editable",
                    "message": "can't change while the campaign is running"
                  },
                  {
                    "field": "timezone",
                    "code": "not_live_editable",
                    "message": "can't change while the campaign is running"
                  }
                ]
              }
            }
            "#);
        assert_eq!(api.get(&path).await.data()["dailySendLimit"], 7, "nothing was applied");
    }

    // SEQ-7
    async fn people_come_and_go(test: TestDatabase) {
        let api = Api::new(test).await;
        let path = format!("/campaigns/{}/enrollments", draft(&api, 0).await.id());
        let ids = api.outreach.prospects(4).await;
        let list = api.post("/lists", json!({"name": "Fair"})).await;
        api.post(&format!("/lists/{}/prospects", list.id()), json!({"prospectIds": [ids[2], ids[3]]})).await;
        api.post("/prospects/suppress", json!({"emails": ["p3@d1.test"]})).await;
        let who = json!({"prospectIds": [ids[0]], "emails": ["P1@d1.test", "nobody@d1.test"], "listIds": [list.id()]});
        shows!(api.post(&path, who).await, r#"
            200 {
              "data": {
                "enrolled": 3,
                "suppressed": 1,
                "alreadyEnrolled": 0,
                "activeElsewhere": 0,
                "notFound": 1
              }
            }
            "#);
        shows!(api.post(&path, json!({"prospectIds": [ids[0]]})).await, r#"
            409 {
              "error": {
                "code": "conflict",
                "message": "the prospect is in this campaign already"
              }
            }
            "#);
        shows!(api.post(&path, json!({})).await, r#"
            400 {
              "error": {
                "code": "validation_error",
                "message": "prospectIds: name at least one of prospectIds, listIds and emails",
                "details": [
                  {
                    "field": "prospectIds",
                    "code": "required",
                    "message": "name at least one of prospectIds, listIds and emails"
                  }
                ]
              }
            }
            "#);
        let gone = json!({"prospectIds": [ids[0]], "emails": ["p1@d1.test", "nobody@d1.test"]});
        let gone = api.call("DELETE", &path, Some(gone)).await;
        shows!(gone, r#"
            200 {
              "data": {
                "unenrolledCount": 2,
                "totalProcessed": 3
              }
            }
            "#);
        let unknown = api.post(&path, json!({"listIds": [list.id().replace("lst_", "lst_0")]})).await;
        assert_eq!(unknown.refusal(), (400, "validation_error", vec!["listIds[0]"]));
    }

    // API-2, API-4
    async fn enrollments_come_by_pages(test: TestDatabase) {
        let api = Api::new(test).await;
        let path = format!("/campaigns/{}/enrollments", draft(&api, 0).await.id());
        for id in api.outreach.prospects(7).await {
            api.outreach.kit.clock.advance(Duration::from_millis(1));
            api.post(&path, json!({"prospectIds": [id]})).await.data();
        }
        api.post("/prospects/suppress", json!({"emails": ["p0@d0.test"]})).await;
        let (rows, sizes) = api.pages(&path, 3).await;
        assert_eq!(sizes, [3, 3, 1]);
        let found: Vec<_> = rows.iter().map(|row| row["prospectEmail"].as_str().unwrap()).collect();
        assert_eq!(found, ["p0@d0.test", "p1@d1.test", "p2@d0.test", "p3@d1.test", "p4@d0.test", "p5@d1.test", "p6@d0.test"]);
        shows!(api.get(&format!("{path}?state=stopped")).await, r#"
            200 {
              "data": [
                {
                  "id": "enr_1",
                  "prospectId": "pro_1",
                  "prospectEmail": "p0@d0.test",
                  "mailboxId": null,
                  "state": "stopped",
                  "reason": "the address is suppressed",
                  "stepIndex": 0,
                  "nextActionAt": null,
                  "label": null,
                  "sentiment": null,
                  "finishedAt": "2026-03-02T09:00:00.007Z"
                }
              ],
              "pagination": {
                "has_more": false,
                "next_cursor": null
              }
            }
            "#);
        let wrong = api.get(&format!("{path}?state=happy")).await;
        assert_eq!(wrong.refusal(), (400, "validation_error", vec!["state"]));
    }

    // SAFE-5
    async fn it_is_counted(test: TestDatabase) {
        let api = Api::new(test).await;
        let path = format!("/campaigns/{}", draft(&api, 4).await.id());
        api.post("/prospects/suppress", json!({"emails": ["p3@d1.test"]})).await;
        api.post(&format!("{path}/start"), json!({})).await.data();
        api.outreach.run_for(Duration::from_hours(4)).await;
        shows!(api.get(&format!("{path}/stats")).await, r#"
            200 {
              "data": {
                "prospects": 4,
                "byState": {
                  "active": 3,
                  "stopped": 1
                },
                "sent": 3,
                "contacted": 3,
                "opened": 0,
                "clicked": 0,
                "replied": 0,
                "bounced": 0,
                "unsubscribed": 0,
                "outOfOffice": 0
              }
            }
            "#);
        let waiting = api.get(&format!("{path}/enrollments?limit=1")).await;
        assert_eq!(waiting.data()[0]["stepIndex"], 1);
        assert!(waiting.data()[0]["mailboxId"].is_string() && waiting.data()[0]["nextActionAt"].is_string());
    }

    // PR-4: shown wherever a prospect is.
    async fn people_show_when_they_were_contacted(test: TestDatabase) {
        let api = Api::new(test).await;
        let path = format!("/campaigns/{}", draft(&api, 3).await.id());
        api.post("/prospects/suppress", json!({"emails": ["p2@d0.test"]})).await;
        api.post(&format!("{path}/start"), json!({})).await.data();
        api.outreach.run_for(Duration::from_hours(4)).await;
        let sent = api.get("/events?type=email.sent").await;
        let people = api.get("/prospects?sort=email").await;
        for person in &people.data().as_array().unwrap()[..2] {
            let of = |event: &&Value| event["data"]["prospectEmail"] == person["email"];
            let event = sent.data().as_array().unwrap().iter().find(of).unwrap();
            assert_eq!(person["lastContactedAt"], event["data"]["sentAt"]);
            let path = format!("/prospects/{}", person["id"].as_str().unwrap());
            let again = [
                api.get(&path).await,
                api.patch(&path, json!({})).await,
                api.post("/prospects", json!({"email": person["email"]})).await,
            ];
            assert!(again.iter().all(|one| one.data()["lastContactedAt"] == person["lastContactedAt"]));
        }
        assert_eq!(people.data()[2]["lastContactedAt"], Value::Null);
    }

    // API-2
    async fn they_come_by_pages(test: TestDatabase) {
        let api = Api::new(test).await;
        let mailbox = mailbox(&api).await;
        for n in 0..5 {
            api.outreach.kit.clock.advance(Duration::from_millis(1));
            api.post("/campaigns", json!({"name": format!("C{n}"), "steps": steps(), "mailboxIds": [mailbox]})).await.data();
        }
        let (rows, sizes) = api.pages("/campaigns", 2).await;
        let names: Vec<_> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
        assert_eq!((names, sizes), (vec!["C0", "C1", "C2", "C3", "C4"], vec![2, 2, 1]));
        assert_eq!(api.pages("/campaigns?status=draft", 5).await.1, [5]);
        assert_eq!(api.pages("/campaigns?status=running", 5).await.1, [0]);
        let wrong = api.get("/campaigns?status=happy").await;
        assert_eq!(wrong.refusal(), (400, "validation_error", vec!["status"]));
    }
}
