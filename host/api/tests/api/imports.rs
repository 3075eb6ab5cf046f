//! `/imports`

use overture_engine::Config;
use overture_testkit::on_both;
use serde_json::json;
use std::sync::Arc;

use crate::kit::Api;

const FILE: &str = "E-Mail;First Name;Plan\nada@example.com;Ada;team\nnobody;Bob;team\nADA@example.com;Ada;team\ncy@example.com;Cy\nsue@example.com;Sue;solo\ndee@example.com;Dee;\n";

on_both! {
    // PR-2
    async fn a_file_becomes_prospects(test: TestDatabase) {
        let api = Api::new(test).await;
        api.post("/prospects/suppress", json!({"emails": ["sue@example.com"]})).await;
        let import = api.raw("POST", "/imports?fileName=fair.csv&listName=Fair", FILE).await;
        shows!(import, r#"
            201 {
              "data": {
                "id": "imp_1",
                "fileName": "fair.csv",
                "listId": "lst_1",
                "created": 2,
                "updated": 0,
                "duplicate": 1,
                "suppressed": 1,
                "invalid": 2,
                "createdAt": "2026-03-02T09:00:00Z",
                "finishedAt": "2026-03-02T09:00:00Z"
              }
            }
            "#);
        assert_eq!(api.get(&format!("/imports/{}", import.id())).await.data(), import.data());
        let problems = format!("/imports/{}/problems", import.id());
        shows!(api.get(&problems).await, r#"
            200 {
              "data": [
                {
                  "line": 3,
                  "result": "invalid",
                  "reason": "`nobody`: the address has no @",
                  "record": [
                    "nobody",
                    "Bob",
                    "team"
                  ]
                },
                {
                  "line": 4,
                  "result": "duplicate",
                  "reason": "the address stands further up in this file",
                  "record": [
                    "ADA@example.com",
                    "Ada",
                    "team"
                  ]
                },
                {
                  "line": 5,
                  "result": "invalid",
                  "reason": "the row has 2 fields, the header has 3: is a quote or a delimiter missing?",
                  "record": [
                    "cy@example.com",
                    "Cy"
                  ]
                },
                {
                  "line": 6,
                  "result": "suppressed",
                  "reason": "the address or its domain is suppressed",
                  "record": [
                    "sue@example.com",
                    "Sue",
                    "solo"
                  ]
                }
              ],
              "pagination": {
                "has_more": false,
                "next_cursor": null
              }
            }
            "#);
        let (rows, sizes) = api.pages(&problems, 2).await;
        let lines: Vec<_> = rows.iter().map(|row| row["line"].as_i64().unwrap()).collect();
        assert_eq!((lines, sizes), (vec![3, 4, 5, 6], vec![2, 2]));
        let found = api.get("/prospects?email=ada@example.com").await;
        assert_eq!(found.data()[0]["firstName"], "Ada");
        assert_eq!(found.data()[0]["customFields"], json!({"plan": "team"}));
        assert_eq!(api.get("/lists").await.data()[0]["prospectCount"], 2);
    }

    // PR-2
    async fn a_mapping_and_updates(test: TestDatabase) {
        let api = Api::new(test).await;
        api.post("/prospects", json!({"email": "ada@example.com", "firstName": "Ada", "company": "Old"})).await;
        // {"wer":"email","firma":"company","x":"ignore"}
        let mapping = "%7B%22wer%22%3A%22email%22%2C%22firma%22%3A%22company%22%2C%22x%22%3A%22ignore%22%7D";
        let file = "wer,firma,x\nada@example.com,New,1\n";
        let import = api.raw("POST", &format!("/imports?updateExisting=true&mapping={mapping}"), file).await;
        assert_eq!((&import.data()["updated"], &import.data()["created"]), (&json!(1), &json!(0)));
        let ada = api.get("/prospects?email=ada@example.com").await;
        assert_eq!((&ada.data()[0]["company"], &ada.data()[0]["firstName"]), (&json!("New"), &json!("Ada")));
        assert_eq!(ada.data()[0]["customFields"], json!({}));
    }

    // PR-2: a file that can't be imported is refused whole.
    async fn what_can_not_be_read_is_refused_whole(test: TestDatabase) {
        let api = Api::new(test).await;
        let check = async |query: &str, file: &str, status: u16, field: &str| {
            let answer = api.raw("POST", &format!("/imports{query}"), file.to_owned()).await;
            assert_eq!(answer.refusal(), (status, "validation_error", vec![field]), "{query} {file}");
        };
        check("", "", 400, "file").await;
        check("", "email\n", 400, "file").await;
        check("", "name,plan\nAda,team\n", 400, "file").await;
        check("?mapping=7", FILE, 400, "mapping").await;
        check("?mapping=%7B%22x%22%3A%22email%22%7D", FILE, 400, "mapping").await;
        check("?listId=fair", FILE, 400, "listId").await;
        check("?update=true", FILE, 400, "update").await;
        check("?updateExisting=perhaps", FILE, 400, "updateExisting").await;
        shows!(api.raw("POST", "/imports", "name,plan\nAda,team\n").await, r#"
            400 {
              "error": {
                "code": "validation_error",
                "message": "file: no column holds e-mail addresses; the file has: `name`, `plan`. Name one `email`, or map it",
                "details": [
                  {
                    "field": "file",
                    "code": "no_email_column",
                    "message": "no column holds e-mail addresses; the file has: `name`, `plan`. Name one `email`, or map it"
                  }
                ]
              }
            }
            "#);
        assert_eq!(api.get("/prospects").await.data(), &json!([]));
        assert_eq!(api.get("/lists").await.data(), &json!([]));
    }

    // PR-2, API-2
    async fn there_are_limits(test: TestDatabase) {
        let mut api = Api::new(test).await;
        api.outreach.kit.env.config = Arc::new(Config { import_max_rows: 5, ..Config::default() });
        api.router = overture_api::router(api.env().clone(), crate::kit::MANY);
        shows!(api.raw("POST", "/imports", FILE).await, r#"
            413 {
              "error": {
                "code": "payload_too_large",
                "message": "the file has more than 5 rows: split it, or raise `engine.import_max_rows`"
              }
            }
            "#);
        // Three megabytes are more than other bodies may have, and fine for a file.
        let wide = format!("email,{}\nada@example.com,x\n", "x".repeat(3 << 20));
        let answer = api.raw("POST", "/imports", wide).await;
        assert_ne!(answer.status, 413, "{}", answer.shown());
        let answer = api.raw("POST", "/imports", vec![b'x'; (64 << 20) + 1]).await;
        assert_eq!(answer.refusal(), (413, "payload_too_large", vec![]));
        assert_eq!(api.get("/prospects?email=sue@example.com").await.data(), &json!([]));
    }
}
