//! `/imports`

use overture_domain::prospects::ImportState;
use overture_engine::{Config, leases};
use overture_store::imports;
use overture_testkit::{eventually, on_both};
use serde_json::json;
use std::{sync::Arc, time::Duration};

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
                "state": "finished",
                "failure": null,
                "total": 6,
                "created": 2,
                "updated": 0,
                "duplicate": 1,
                "suppressed": 1,
                "invalid": 2,
                "incomplete": 0,
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
        let file = api.get(&format!("{problems}.csv")).await.file().to_owned();
        insta::allow_duplicates! { insta::assert_snapshot!(file, @r#"
            E-Mail,First Name,Plan,import line,import result,import reason
            nobody,Bob,team,3,invalid,`nobody`: the address has no @
            ADA@example.com,Ada,team,4,duplicate,the address stands further up in this file
            cy@example.com,Cy,,5,invalid,"the row has 2 fields, the header has 3: is a quote or a delimiter missing?"
            sue@example.com,Sue,solo,6,suppressed,the address or its domain is suppressed
            "#) };
    }

    // PR-2: the file of rejected rows can be mended and imported again.
    async fn rejected_rows_come_again(test: TestDatabase) {
        let api = Api::new(test).await;
        let first = api.raw("POST", "/imports", FILE).await;
        let rejected = api.get(&format!("/imports/{}/problems.csv", first.id())).await;
        let mended = rejected.file().replace("nobody", "bob@example.com");
        let again = api.raw("POST", "/imports", mended).await;
        assert_eq!((&again.data()["created"], &again.data()["duplicate"]), (&json!(2), &json!(1)), "{}", again.shown());
        let bob = api.get("/prospects?email=bob@example.com").await;
        assert_eq!(bob.data()[0]["customFields"], json!({"plan": "team"}), "without what our file added");
    }

    // PR-7: a person comes also without a profile, and the file with the row can be mended.
    async fn a_profile_in_any_spelling(test: TestDatabase) {
        let api = Api::new(test).await;
        let file = "email,linkedin\nada@example.com,linkedin.com/in/Ada-L/?x=y\nbob@example.com,https://www.linkedin.com/company/example\ncy@example.com,\nada@example.com,nonsense\n";
        let import = api.raw("POST", "/imports", file).await;
        let counts = ["created", "duplicate", "invalid", "incomplete"].map(|count| import.data()[count].as_i64().unwrap());
        assert_eq!(counts, [3, 1, 0, 1]);
        let profile = async |email: &str| {
            let found = api.get(&format!("/prospects?email={email}")).await;
            found.data()[0]["linkedinUrl"].as_str().unwrap().to_owned()
        };
        assert_eq!(profile("ada@example.com").await, "https://www.linkedin.com/in/ada-l");
        assert_eq!((profile("bob@example.com").await, profile("cy@example.com").await), Default::default());
        let problems = format!("/imports/{}/problems", import.id());
        let told = api.get(&problems).await;
        assert_eq!((&told.data()[0]["line"], &told.data()[0]["result"]), (&json!(3), &json!("incomplete")));
        let reason = told.data()[0]["reason"].as_str().unwrap();
        assert!(reason.starts_with("linkedinUrl is left out: `https://www.linkedin.com/company/example`: this is the page of a company"), "{reason}");

        let mended = api.get(&format!("{problems}.csv")).await.file().replace("company/example", "in/BOB/");
        let again = api.raw("POST", "/imports?updateExisting=true", mended).await;
        assert_eq!((&again.data()["updated"], &again.data()["incomplete"]), (&json!(2), &json!(1)), "{}", again.shown());
        assert_eq!(profile("bob@example.com").await, "https://www.linkedin.com/in/bob");
        let worse = api.raw("POST", "/imports?updateExisting=true", "email,linkedin,city\nbob@example.com,nonsense,Rome\n").await;
        assert_eq!((&worse.data()["updated"], &worse.data()["incomplete"]), (&json!(1), &json!(1)));
        assert_eq!(profile("bob@example.com").await, "https://www.linkedin.com/in/bob", "it keeps what it had");
    }

    // PR-1: a profile says who somebody is where the row has no address.
    async fn profiles_stand_in_for_addresses(test: TestDatabase) {
        let api = Api::new(test).await;
        let import = async |query: &str, file: &str| {
            let import = api.raw("POST", &format!("/imports?{query}"), file.to_owned()).await;
            let counts = ["created", "updated", "duplicate", "suppressed", "invalid"].map(|count| import.data()[count].as_i64().unwrap());
            let problems = api.get(&format!("/imports/{}/problems", import.id())).await;
            let reasons = problems.data().as_array().unwrap().iter().map(|row| row["reason"].as_str().unwrap().to_owned());
            (counts, reasons.collect::<Vec<_>>())
        };
        let people = async || {
            let found = api.get("/prospects?sort=email").await;
            let row = |row: &serde_json::Value| format!("{} {}", row["email"].as_str().unwrap(), row["firstName"].as_str().unwrap());
            found.data().as_array().unwrap().iter().map(row).collect::<Vec<_>>()
        };
        let alone = "First name,LinkedIn profile\nAda,linkedin.com/in/Ada-L\nAgain,https://de.linkedin.com/in/ada-l/\nBob,linkedin.com/in/bob\nNobody,\nWrong,example.com\n";
        let (counts, reasons) = import("", alone).await;
        assert_eq!(counts, [2, 0, 1, 0, 2], "{reasons:?}");
        assert_eq!(reasons[1], "the row has neither an address nor a LinkedIn profile");
        assert!(reasons[2].starts_with("the row has no address, and linkedinUrl is left out: `example.com`: "), "{reasons:?}");
        assert_eq!(people().await, ["li.ada-l@noemail.invalid Ada", "li.bob@noemail.invalid Bob"]);

        // Addresses found elsewhere: they go to those who are there, where the caller says so.
        let enriched = "email,linkedin,first name\nada@example.com,linkedin.com/in/ada-l,Ada Augusta\nbob@,linkedin.com/in/bob,Bob\ncy@example.com,linkedin.com/in/cy,Cy\nx@noemail.invalid,linkedin.com/in/ada-l,Ada\n,linkedin.com/in/ada-l,Again\n";
        let (counts, reasons) = import("", enriched).await;
        assert_eq!(counts, [1, 0, 2, 0, 2]);
        assert!(reasons.contains(&"a prospect with this LinkedIn profile is there already, without an address".to_owned()), "{reasons:?}");
        let (counts, reasons) = import("updateExisting=true", enriched).await;
        assert_eq!(counts, [0, 2, 1, 0, 2], "{reasons:?}");
        assert_eq!(people().await, ["ada@example.com Ada Augusta", "cy@example.com Cy", "li.bob@noemail.invalid Bob"]);

        // Who has an address is known by the profile all the same, in the workspace and in the file.
        api.post("/prospects/suppress", json!({"emails": ["cy@example.com", "sue@example.com"]})).await;
        let mixed = "email,linkedin\n,linkedin.com/in/ada-l\n,linkedin.com/in/cy\ndee@example.com,linkedin.com/in/dee\n,linkedin.com/in/dee\nsue@example.com,linkedin.com/in/sue\n,linkedin.com/in/sue\nli.bob@noemail.invalid,linkedin.com/in/bob\n";
        let (counts, reasons) = import("", mixed).await;
        assert_eq!(counts, [1, 0, 3, 3, 0], "{reasons:?}");
        assert_eq!(people().await.len(), 4);
    }

    // PR-2: a formula is data, and no file that we write has one.
    async fn formulas_stay_data(test: TestDatabase) {
        let api = Api::new(test).await;
        let file = "email,company,phone\nada@example.com,=cmd|'/c calc'!A1,+49 30 1\n=cmd|x,=HYPERLINK(\"http://x.test\"),-5\n";
        let import = api.raw("POST", "/imports", file).await;
        let ada = api.get("/prospects").await;
        assert_eq!(ada.data()[0]["company"], "=cmd|'/c calc'!A1");
        assert_eq!(ada.data()[0]["phone"], "+49 30 1");
        let rejected = api.get(&format!("/imports/{}/problems.csv", import.id())).await;
        let row = rejected.file().lines().nth(1).unwrap().to_owned();
        assert!(row.starts_with("'=cmd|x,\"'=HYPERLINK(\"\"http://x.test\"\")\",-5,3,invalid,"), "{row}");
    }

    // PR-2, PR-1: other encodings, delimiters and spellings of an address.
    async fn spellings_encodings_and_delimiters(test: TestDatabase) {
        let api = Api::new(test).await;
        let utf16 = |text: &str| -> Vec<u8> {
            [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
        };
        let files: [(Vec<u8>, [i64; 2]); 5] = [
            (b"Mail;Vorname;Firma\njose@example.com;Jos\xe9;Caf\xe9 M\xfcller\n".to_vec(), [1, 0]),
            (utf16("mail\tvorname\nzofie@example.com\t\u{17d}ofie\n"), [1, 0]),
            ("\u{feff}e-mail|first name\r\nada@example.com|\"A|da\"\r\n".into(), [1, 0]),
            (" JOSE@Example.COM ,email2\n".into(), [0, 0]),
            ("email,name\n Jose@EXAMPLE.com ,x\n\"ADA@example.com\",y\nzofie@example.com,\n,\nnew@example.com,z\nNEW@example.com,z\n".into(), [1, 4]),
        ];
        for (file, counts) in files {
            let import = api.raw("POST", "/imports", file.clone()).await;
            if import.status == 400 {
                assert_eq!(import.refusal(), (400, "validation_error", vec!["file"]), "a file without header");
                continue;
            }
            let found = ["created", "duplicate"].map(|count| import.data()[count].as_i64().unwrap());
            assert_eq!(found, counts, "{}", String::from_utf8_lossy(&file));
        }
        for (email, name) in [("jose@example.com", "Jos\u{e9}"), ("zofie@example.com", "\u{17d}ofie"), ("ada@example.com", "A|da")] {
            let found = api.get(&format!("/prospects?email={email}")).await;
            assert_eq!(found.data()[0]["firstName"], name);
        }
    }

    // PR-2: a workbook as a spreadsheet program writes it, with a date, a number and a formula.
    async fn a_workbook_is_imported(test: TestDatabase) {
        let api = Api::new(test).await;
        let import = api.raw("POST", "/imports?fileName=people.xlsx", include_bytes!("people.xlsx").to_vec()).await;
        let counts = ["total", "created", "invalid"].map(|count| import.data()[count].as_i64().unwrap());
        assert_eq!(counts, [3, 2, 1], "{:?}", import.data());
        let zofie = api.get("/prospects?email=zofie@example.com").await;
        let zofie = &zofie.data()[0];
        assert_eq!((&zofie["firstName"], &zofie["phone"]), (&json!("\u{17d}ofie"), &json!("4915112345678")));
        assert_eq!(zofie["customFields"], json!({"since": "2024-05-03", "size": "12.5"}));
        assert_eq!(api.get("/prospects?email=ada@example.com").await.data()[0]["firstName"], "Ada Augusta");
        let problems = api.get(&format!("/imports/{}/problems", import.id())).await;
        assert_eq!((&problems.data()[0]["line"], &problems.data()[0]["result"]), (&json!(5), &json!("invalid")), "the row of the sheet");

        let mut broken = include_bytes!("people.xlsx").to_vec();
        broken.truncate(3_000);
        for (file, says) in [(broken, "save it as CSV"), (b"\xd0\xcf\x11\xe0\xa1\xb1".to_vec(), "the format before .xlsx")] {
            let refused = api.raw("POST", "/imports", file).await;
            assert_eq!(refused.refusal(), (400, "validation_error", vec!["file"]));
            assert!(refused.body["error"]["message"].as_str().unwrap().contains(says), "{:?}", refused.body);
        }
    }

    // PR-2: two columns that mean the address are nobody's guess.
    async fn two_columns_of_addresses_are_refused(test: TestDatabase) {
        let api = Api::new(test).await;
        let file = "email,Work E-Mail,name\nada@example.com,ada@work.test,Ada\n";
        let refused = api.raw("POST", "/imports", file).await;
        shows!(refused, r#"
            400 {
              "error": {
                "code": "validation_error",
                "message": "file: the columns `email`, `Work E-Mail` all mean `email`: map one of them to it and the others to `ignore` or `custom:NAME`",
                "details": [
                  {
                    "field": "file",
                    "code": "ambiguous_columns",
                    "message": "the columns `email`, `Work E-Mail` all mean `email`: map one of them to it and the others to `ignore` or `custom:NAME`"
                  }
                ]
              }
            }
            "#);
        assert_eq!(api.get("/imports").await.data(), &json!([]), "nothing was begun");
        // {"email":"custom:private"}
        let mapped = "/imports?mapping=%7B%22email%22%3A%22custom%3Aprivate%22%7D";
        assert_eq!(api.raw("POST", mapped, file).await.data()["created"], 1);
        assert_eq!(api.get("/prospects?email=ada@work.test").await.data()[0]["customFields"], json!({"private": "ada@example.com", "name": "Ada"}));
    }

    // PR-2: it is seen while it runs.
    async fn an_import_is_followed(test: TestDatabase) {
        let api = Api::new(test).await;
        let mut file = String::from("email\n");
        for n in 0..7_500 {
            file.push_str(&format!("p{n}@example.com\n"));
        }
        let begun = api.raw("POST", "/imports?background=true&listName=All", file).await;
        assert_eq!((begun.status, &begun.data()["state"], &begun.data()["total"]), (201, &json!("running"), &json!(7_500)));
        let path = format!("/imports/{}", begun.id());
        let ended = eventually("the import has ended", Duration::from_secs(30), async || {
            let now = api.get(&path).await;
            let sum: i64 = ["created", "duplicate"].iter().map(|count| now.data()[*count].as_i64().unwrap()).sum();
            assert!(sum % 2_000 == 0 || sum == 7_500, "whole batches: {sum}");
            (now.data()["state"] != "running").then_some(now)
        }).await;
        assert_eq!((&ended.data()["state"], &ended.data()["created"]), (&json!("finished"), &json!(7_500)));
        assert_eq!(api.get("/lists").await.data()[0]["prospectCount"], 7_500);
        api.outreach.kit.clock.advance(Duration::from_secs(1));
        api.raw("POST", "/imports?fileName=second", "email\nnew@example.com\n").await;
        let (rows, sizes) = api.pages("/imports", 1).await;
        let names: Vec<_> = rows.iter().map(|row| row["fileName"].as_str().unwrap()).collect();
        assert_eq!((names, sizes), (vec!["second", ""], vec![1, 1]), "newest first");
    }

    // PR-2: an import whose process died says so, and what to do.
    async fn a_dead_import_says_so(test: TestDatabase) {
        let api = Api::new(test).await;
        let path = format!("/imports/{}", api.raw("POST", "/imports", FILE).await.id());
        let mut import = imports::find(&mut api.env().db.reader(), api.ws(), path["/imports/".len()..].parse().unwrap()).await.unwrap().unwrap();
        import.id = api.env().id();
        import.state = ImportState::Running;
        let mut tx = api.env().db.begin().await.unwrap();
        imports::insert(&mut tx, &import, api.env().id()).await.unwrap();
        tx.commit().await.unwrap();
        leases::tick(api.env()).await.unwrap();
        let dead = api.get(&format!("/imports/{}", import.id)).await;
        assert_eq!(dead.data()["state"], "failed");
        let failure = dead.data()["failure"].as_str().unwrap().to_owned();
        assert!(failure.contains("import the file again"), "{failure}");
        assert_eq!(api.get(&path).await.data()["state"], "finished");
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
                "message": "file: no column holds e-mail addresses; the file has: `name`, `plan`. Name one `email`, or map it; `linkedinUrl` will do for people whose address is not known",
                "details": [
                  {
                    "field": "file",
                    "code": "no_email_column",
                    "message": "no column holds e-mail addresses; the file has: `name`, `plan`. Name one `email`, or map it; `linkedinUrl` will do for people whose address is not known"
                  }
                ]
              }
            }
            "#);
        assert_eq!(api.get("/prospects").await.data(), &json!([]));
        assert_eq!(api.get("/lists").await.data(), &json!([]));
    }

    // PR-2: a large file comes in the order of its addresses; what becomes of its rows is the same.
    async fn a_large_file(test: TestDatabase) {
        let mut api = Api::new(test).await;
        api.outreach.kit.env.config = Arc::new(Config { import_max_rows: 30_000, ..Config::default() });
        api.router = overture_api::router(api.env().clone(), crate::kit::MANY);
        let address = |n: usize| format!("{:05}@example.com", n * 7_919 % 24_000);
        let row = |n: usize| match n {
            0..24_000 => format!("{},{n}\n", address(n)),
            _ => format!("{},{n}\n", address(n).to_uppercase()),
        };
        let rows: String = (0..25_000).map(row).collect();
        // A quote that nobody closes.
        let file = format!("email,first name\n{rows}\"no address\n,");
        let import = api.raw("POST", "/imports", file).await;
        let count = |name: &str| import.data()[name].as_i64();
        assert_eq!((count("created"), count("duplicate"), count("invalid")), (Some(24_000), Some(1_000), Some(1)));
        let problems = api.get(&format!("/imports/{}/problems?limit=1", import.id())).await;
        assert_eq!(problems.data(), &json!([{
            "line": 24_002,
            "result": "duplicate",
            "reason": "the address stands further up in this file",
            "record": [address(0).to_uppercase(), "24000"],
        }]));
        let found = api.get(&format!("/prospects?email={}", address(0))).await;
        assert_eq!(found.data()[0]["firstName"], "0");
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
