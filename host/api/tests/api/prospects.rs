//! `/prospects`

use std::time::Duration;

use overture_testkit::on_both;
use serde_json::{Value, json};

use crate::kit::Api;

on_both! {
    // PR-1, PR-7, API-2: a new one is 201, a known address in any spelling 200 and unchanged.
    async fn one_is_created_once(test: TestDatabase) {
        let api = Api::new(test).await;
        let new = json!({
            "email": "Ada@Example.com", "firstName": "Ada", "company": "Example & Sons",
            "timezone": "Europe/Berlin", "tags": ["fair"], "customFields": {"plan": "team"},
        });
        let first = api.post("/prospects", new).await;
        shows!(first, r#"
            201 {
              "data": {
                "id": "pro_1",
                "email": "Ada@Example.com",
                "firstName": "Ada",
                "lastName": "",
                "company": "Example & Sons",
                "role": "",
                "phone": "",
                "linkedinUrl": "",
                "website": "",
                "country": "",
                "city": "",
                "industry": "",
                "timezone": "Europe/Berlin",
                "tags": [
                  "fair"
                ],
                "customFields": {
                  "plan": "team"
                },
                "source": "api",
                "status": "active",
                "statusReason": null,
                "statusMessage": null,
                "lastContactedAt": null,
                "lastRepliedAt": null,
                "createdAt": "2026-03-02T09:00:00Z",
                "updatedAt": "2026-03-02T09:00:00Z"
              }
            }
            "#);
        api.outreach.kit.clock.advance(Duration::from_secs(60));
        let other = json!({"firstName": "Somebody else", "linkedinUrl": "linkedin.com/in/other", "tags": [], "customFields": {}});
        for email in ["ada@example.COM", " ADA@example.com "] {
            let mut again = other.clone();
            again["email"] = json!(email);
            let again = api.post("/prospects", again).await;
            assert_eq!((again.status, again.data()), (200, first.data()), "unchanged");
        }
        let found = api.get(&format!("/prospects/{}", first.id())).await;
        assert_eq!((found.status, found.data()), (200, first.data()));
        assert_eq!(api.get("/prospects").await.data().as_array().map(Vec::len), Some(1));
    }

    // PR-7
    async fn a_profile_has_one_spelling(test: TestDatabase) {
        let api = Api::new(test).await;
        let new = json!({"email": "ada@example.com", "linkedinUrl": " https://de.linkedin.com/in/Ada-L/?trk=x#y"});
        let ada = api.post("/prospects", new).await;
        assert_eq!((ada.status, &ada.data()["linkedinUrl"]), (201, &json!("https://www.linkedin.com/in/ada-l")));
        let path = format!("/prospects/{}", ada.id());
        let patch = |url: &str| json!({"linkedinUrl": url});
        assert_eq!(api.patch(&path, patch("linkedin.com/in/ADA-B/")).await.data()["linkedinUrl"], "https://www.linkedin.com/in/ada-b");
        for refused in [
            api.patch(&path, patch("https://www.linkedin.com/company/example")).await,
            api.post("/prospects", json!({"email": "b@example.com", "linkedinUrl": "https://example.com/in/b"})).await,
        ] {
            assert_eq!(refused.refusal(), (400, "validation_error", vec!["linkedinUrl"]));
            let message = refused.body["error"]["message"].as_str().unwrap();
            assert!(message.contains("give the address of the person's profile"), "{message}");
        }
        assert_eq!(api.get(&path).await.data()["linkedinUrl"], "https://www.linkedin.com/in/ada-b");
        assert_eq!(api.patch(&path, patch(" ")).await.data()["linkedinUrl"], "");
    }

    // PR-1, PR-7: where nobody knows an address, the profile says who somebody is.
    async fn a_profile_stands_in_for_the_address(test: TestDatabase) {
        let api = Api::new(test).await;
        let placeholder = "li.ada-l@noemail.invalid";
        let ada = api.post("/prospects", json!({"linkedinUrl": "linkedin.com/in/Ada-L/?x=y", "firstName": "Ada"})).await;
        assert_eq!((ada.status, &ada.data()["email"]), (201, &json!(placeholder)));
        for again in [
            json!({"linkedinUrl": "https://de.linkedin.com/in/ada-l"}),
            json!({"linkedinUrl": "linkedin.com/in/ada-l", "email": placeholder}),
            json!({"linkedinUrl": "linkedin.com/in/ada-l", "email": " "}),
        ] {
            let found = api.post("/prospects", again).await;
            assert_eq!((found.status, found.data()), (200, ada.data()));
        }
        for (refused, field) in [
            (json!({}), "email"),
            (json!({"linkedinUrl": " "}), "email"),
            (json!({"linkedinUrl": "nonsense"}), "linkedinUrl"),
            (json!({"email": placeholder}), "email"),
            (json!({"email": "x@noemail.invalid", "linkedinUrl": "linkedin.com/in/ada-l"}), "email"),
        ] {
            let answer = api.post("/prospects", refused.clone()).await;
            assert_eq!(answer.refusal(), (400, "validation_error", vec![field]), "{refused}");
        }
        let bob = api.post("/prospects", json!({"email": "bob@example.com"})).await;
        let own = json!({"email": "ada@example.com", "linkedinUrl": "linkedin.com/in/ada-l"});
        let known = api.post("/prospects", own).await;
        assert_eq!(known.refusal(), (409, "conflict", vec![]));
        assert!(known.body["error"]["message"].as_str().unwrap().contains(ada.id()), "{}", known.shown());

        let path = format!("/prospects/{}", ada.id());
        assert_eq!(api.patch(&path, json!({"linkedinUrl": ""})).await.refusal(), (400, "validation_error", vec!["email"]));
        assert_eq!(api.patch(&path, json!({"email": "ada"})).await.refusal(), (400, "validation_error", vec!["email"]));
        assert_eq!(api.patch(&path, json!({"email": "x@noemail.invalid"})).await.refusal(), (400, "validation_error", vec!["email"]));
        assert_eq!(api.patch(&path, json!({"email": "BOB@example.com"})).await.refusal(), (409, "conflict", vec![]));
        assert_eq!(api.patch(&path, json!({"linkedinUrl": "linkedin.com/in/ada-b"})).await.data()["email"], "li.ada-b@noemail.invalid");
        let other = api.post("/prospects", json!({"linkedinUrl": "linkedin.com/in/ada-l"})).await;
        assert_eq!(other.status, 201, "the profile is free again");
        assert_eq!(api.patch(&path, json!({"linkedinUrl": "linkedin.com/in/ada-l"})).await.refusal(), (409, "conflict", vec![]));

        let given = api.patch(&path, json!({"email": " Ada@example.com "})).await;
        assert_eq!((&given.data()["email"], &given.data()["linkedinUrl"]), (&json!("Ada@example.com"), &json!("https://www.linkedin.com/in/ada-b")));
        assert_eq!(api.get("/prospects?search=ada@example").await.data()[0]["id"], ada.id());
        let found = api.post("/prospects", json!({"linkedinUrl": "linkedin.com/in/ada-b"})).await;
        assert_eq!((found.status, found.id()), (200, ada.id()), "the profile still says who it is");
        assert_eq!(api.get("/prospects?domain=noemail.invalid").await.data()[0]["id"], other.id());
        assert_eq!(api.patch(&format!("/prospects/{}", bob.id()), json!({"email": ""})).await.refusal(), (409, "conflict", vec![]));
        // SUP-1: they are suppressed like anybody.
        api.post("/prospects/suppress", json!({"emails": [" LI.ada-l@noemail.invalid"]})).await;
        assert_eq!(api.get(&format!("/prospects/{}", other.id())).await.data()["status"], "suppressed");
    }

    // PR-1
    async fn it_comes_to_a_list(test: TestDatabase) {
        let api = Api::new(test).await;
        let list = api.post("/lists", json!({"name": "Fair"})).await;
        let new = json!({"email": "ada@example.com", "listId": list.id()});
        let prospect = api.post("/prospects", new).await;
        let on_list = api.get(&format!("/prospects?listId={}", list.id())).await;
        assert_eq!(on_list.data()[0]["id"], prospect.id());
        let wrong = api.post("/prospects", json!({"email": "b@example.com", "listId": "fair"})).await;
        assert_eq!(wrong.refusal(), (400, "validation_error", vec!["listId"]));
    }

    // PR-3
    async fn a_list_is_renamed_emptied_and_deleted(test: TestDatabase) {
        let api = Api::new(test).await;
        let (fair, gala) = (api.post("/lists", json!({"name": "Fair"})).await, api.post("/lists", json!({"name": "Gala"})).await);
        let path = format!("/lists/{}", fair.id());
        let ada = api.post("/prospects", json!({"email": "ada@example.com", "listId": fair.id()})).await;

        let renamed = api.patch(&path, json!({"name": " Trade fair ", "color": "teal"})).await;
        assert_eq!((&renamed.data()["name"], &renamed.data()["color"], &renamed.data()["prospectCount"]), (&json!("Trade fair"), &json!("teal"), &json!(1)));
        assert_eq!(api.get(&path).await.data(), renamed.data());
        assert_eq!(api.patch(&path, json!({"name": "Gala"})).await.refusal(), (409, "conflict", vec![]));
        assert_eq!(api.patch(&path, json!({"name": " ", "color": "x".repeat(41)})).await.refusal(), (400, "validation_error", vec!["name", "color"]));
        let by_name = api.get("/lists?sort=-name&limit=1").await;
        assert_eq!(by_name.data()[0]["name"], "Trade fair");

        let members = format!("{path}/prospects");
        let off = api.call("DELETE", &members, Some(json!({"prospectIds": [ada.id()]}))).await;
        assert_eq!((off.status, &off.data()["removedCount"]), (200, &json!(1)));
        assert_eq!(api.get(&format!("/prospects?listId={}", fair.id())).await.data(), &json!([]));
        assert_eq!(api.delete(&path).await.data(), &json!({"id": fair.id()}));
        assert_eq!(api.get(&path).await.status, 404);
        assert_eq!(api.get("/lists").await.data()[0]["id"], gala.id());
        assert_eq!(api.get(&format!("/prospects/{}", ada.id())).await.status, 200, "they stay");
    }

    // API-2: every field that is wrong is named.
    async fn what_is_wrong_is_named(test: TestDatabase) {
        let api = Api::new(test).await;
        let check = async |body: Value, fields: &[&str]| {
            let answer = api.post("/prospects", body.clone()).await;
            assert_eq!(answer.refusal(), (400, "validation_error", fields.to_vec()), "{body}");
        };
        check(json!({"email": "ada"}), &["email"]).await;
        check(json!({}), &["email"]).await;
        check(json!({"email": 7}), &["email"]).await;
        check(json!({"email": "ada@example.com", "name": "Ada"}), &["name"]).await;
        check(json!({"email": "ada@example.com", "first_name": "Ada"}), &["first_name"]).await;
        check(json!({"email": "ada@example.com", "tags": ["a", 7]}), &["tags[1]"]).await;
        check(json!({"email": "ada@example.com", "customFields": {"plan": 7}}), &["customFields.plan"]).await;
        let long = "x".repeat(501);
        check(
            json!({"email": "ada", "firstName": long, "timezone": "Berlin", "customFields": {" ": "x"}}),
            &["email", "firstName", "timezone", "customFields. "],
        ).await;
        assert_eq!(api.get("/prospects").await.data(), &json!([]), "nothing of it was written");
        shows!(api.post("/prospects", json!({"email": "ada@example.com", "timezone": "Berlin"})).await, r#"
            400 {
              "error": {
                "code": "validation_error",
                "message": "timezone: `Berlin` is no IANA time zone such as `Europe/Berlin`",
                "details": [
                  {
                    "field": "timezone",
                    "code": "unknown_time_zone",
                    "message": "`Berlin` is no IANA time zone such as `Europe/Berlin`"
                  }
                ]
              }
            }
            "#);
    }

    // PR-1
    async fn the_given_fields_change(test: TestDatabase) {
        let api = Api::new(test).await;
        let new = json!({"email": "ada@example.com", "firstName": "Ada", "company": "Example", "customFields": {"plan": "team", "seats": "5"}});
        let path = format!("/prospects/{}", api.post("/prospects", new).await.id());
        api.outreach.kit.clock.advance(Duration::from_secs(60));
        let changed = api.patch(&path, json!({"company": "", "customFields": {"plan": "solo"}})).await;
        shows!(changed, r#"
            200 {
              "data": {
                "id": "pro_1",
                "email": "ada@example.com",
                "firstName": "Ada",
                "lastName": "",
                "company": "",
                "role": "",
                "phone": "",
                "linkedinUrl": "",
                "website": "",
                "country": "",
                "city": "",
                "industry": "",
                "timezone": "",
                "tags": [],
                "customFields": {
                  "plan": "solo"
                },
                "source": "api",
                "status": "active",
                "statusReason": null,
                "statusMessage": null,
                "lastContactedAt": null,
                "lastRepliedAt": null,
                "createdAt": "2026-03-02T09:00:00Z",
                "updatedAt": "2026-03-02T09:01:00Z"
              }
            }
            "#);
        assert_eq!(api.get(&path).await.data(), changed.data());
        let refused = api.patch(&path, json!({"email": "other@example.com"})).await;
        assert_eq!(refused.refusal(), (409, "conflict", vec![]), "the address is who it is");
        assert_eq!(api.patch(&path, json!({"email": " ADA@example.com"})).await.data()["email"], "ada@example.com");
        assert_eq!(api.get(&path).await.data(), changed.data());
    }

    // API-2
    async fn they_come_by_pages(test: TestDatabase) {
        let api = Api::new(test).await;
        let mut ids = Vec::new();
        for n in 0..7 {
            api.outreach.kit.clock.advance(Duration::from_millis(1));
            let answer = api.post("/prospects", json!({"email": format!("p{n}@example.com")})).await;
            ids.push(answer.id().to_owned());
        }
        let (rows, sizes) = api.pages("/prospects", 3).await;
        assert_eq!(sizes, [3, 3, 1]);
        let found: Vec<_> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
        assert_eq!(found, ids, "each once, oldest first");
        assert_eq!(api.pages("/prospects", 7).await.1, [7], "no empty page at the end");
        assert_eq!(api.get("/prospects").await.data().as_array().map(Vec::len), Some(7));
    }

    // API-4
    async fn filters_choose(test: TestDatabase) {
        let api = Api::new(test).await;
        for (email, company) in [("ada@example.com", "Lovelace & Co"), ("bob@example.com", "Example"), ("cy@other.test", "Example")] {
            api.outreach.kit.clock.advance(Duration::from_millis(1));
            api.post("/prospects", json!({"email": email, "company": company})).await;
        }
        api.post("/prospects/suppress", json!({"emails": ["bob@example.com"]})).await;
        let check = async |query: &str, expected: &[&str]| {
            let answer = api.get(&format!("/prospects?{query}")).await;
            let found = answer.data().as_array().unwrap().iter().map(|row| row["email"].as_str().unwrap());
            assert_eq!(found.collect::<Vec<_>>(), expected, "{query}");
        };
        check("email=ADA@example.com", &["ada@example.com"]).await;
        check("status=suppressed", &["bob@example.com"]).await;
        check("status=active", &["ada@example.com", "cy@other.test"]).await;
        check("search=lovelace", &["ada@example.com"]).await;
        check("search=%25%25%25", &[]).await;
        check("search=Example&status=active&limit=1", &["ada@example.com"]).await;
        for (query, field) in [("status=happy", "status"), ("search=ab", "search"), ("listId=7", "listId"), ("mail=a", "mail")] {
            let answer = api.get(&format!("/prospects?{query}")).await;
            assert_eq!(answer.refusal(), (400, "validation_error", vec![field]), "{query}");
        }
    }
}
