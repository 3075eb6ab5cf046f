//! `overture simulate`: no rule is broken under faults, and a seed gives the same events again
//! (OPS-5).

use overture_testkit::{
    App, MONDAY,
    app::{Installation, driven_binary},
    on_both,
};
use serde_json::{Value, json};

async fn simulate(seed: &str) -> Value {
    let ran = Installation::bare(driven_binary())
        .run(&["simulate", "--json", "--seed", seed])
        .await;
    serde_json::from_str(ran.success()).expect("one JSON object")
}

// SAFE-1 to SAFE-5, SCH-2, SCH-4, CAP-2, SEQ-3, SEQ-4, TRK-4
#[tokio::test]
async fn no_rule_is_broken_and_a_seed_comes_again() {
    let (one, again, other) = tokio::join!(simulate("1"), simulate("1"), simulate("2"));
    assert_eq!(one, again);
    assert_ne!(one["digest"], other["digest"]);
    for report in [&one, &other] {
        assert_eq!(report["broken"], Value::Array(Vec::new()));
        let n = |key: &str| report[key].as_u64().expect("a number");
        assert!(
            n("people") >= 200 && n("days") >= 14 && n("mails") > n("people"),
            "{report}"
        );
        let faults = report["coverage"]["faults"].as_object().expect("counts");
        let occurred = faults.values().filter(|n| **n != 0).count();
        assert!(faults["crash"] != 0 && occurred >= 3, "{report}");
    }
}

// The example of host/docs/SIMULATE.md, as it is written.
#[tokio::test]
async fn a_scenario_tells_how_its_campaigns_went() {
    let page = include_str!("../../host/docs/SIMULATE.md");
    let example = page.split("```toml\n").nth(1).expect("an example");
    let (example, _) = example.split_once("```").expect("it ends");
    let given = Installation::bare(driven_binary());
    std::fs::write(given.path("spring.toml"), example).expect("a file can be written");
    let file = given.path("spring.toml");
    let file = file.to_str().expect("UTF-8");
    let ran = given.run(&["simulate", file]).await;
    let said = ran.success();
    assert!(said.contains("w0c0 is running, "), "{said}");
    assert!(
        said.contains("  2026-03-02      40  campaign_limit"),
        "{said}"
    );
    assert!(said.contains("No rule was broken."), "{said}");

    let ran = given.run(&["simulate", "--json", file]).await;
    let report: Value = serde_json::from_str(ran.success()).expect("one JSON object");
    let campaign = &report["campaigns"][0];
    let days = campaign["days"].as_array().expect("days");
    let sends: i64 = days.iter().filter_map(|day| day["sends"].as_i64()).sum();
    assert_eq!(campaign["sends"], sends);
    assert_eq!(campaign["sends"], report["events"]["email.sent"]);
    let people = campaign["people"].as_object().expect("counts").values();
    assert_eq!(people.filter_map(Value::as_i64).sum::<i64>(), 150);
    for day in days {
        assert!(day["sends"].as_i64().is_some_and(|n| n <= 40), "{day}");
    }
}

#[tokio::test]
async fn a_scenario_that_is_none_is_refused() {
    let given = Installation::bare(driven_binary());
    let file = given.path("scenario.toml");
    let check = async |text: &str, words: &str| {
        std::fs::write(&file, text).expect("a file can be written");
        let ran = given
            .run(&["simulate", file.to_str().expect("UTF-8")])
            .await;
        let said = ran.failure();
        assert!(said.contains(words), "{said}");
    };
    check("days = 0\nworkspace = []", "`days` is from 1 to 366").await;
    check(
        "days = 3\nworkspace = []\n[faults]\ncrashs = 2",
        "unknown field `crashs`",
    )
    .await;
    let nobody = "days = 3\n[[workspace]]\n[[workspace.mailbox]]\n[[workspace.campaign]]\npeople = 3\npersonas = { robot = 9 }";
    check(nobody, "there is no persona `robot`; there are: silent").await;
}

on_both! {
    // OPS-5, SCH-9: a campaign of this instance is run through on a copy, beside a server; the original
    // stays as it is.
    async fn a_campaign_is_run_through_on_a_copy(test: TestDatabase) {
        let app = App::start(Installation::new(driven_binary(), "", &test.url), MONDAY).await;
        let mailbox = json!({"emailAddress": "ada@example.com", "provider": "provider-sandbox", "preset": "sandbox"});
        let mailbox = app.api.post("/mailboxes", &mailbox).await["id"].clone();
        let mut people = Vec::new();
        for n in 0..10 {
            let person = json!({"email": format!("reply.p{n}@d{n}.example.com")});
            people.push(app.api.post("/prospects", &person).await["id"].clone());
        }
        let step = |n: usize| json!({"stepIndex": n, "subject": if n == 0 { "Hello" } else { "" }, "bodyHtml": "<p>Hello</p>"});
        let always = json!([{"days": [0, 1, 2, 3, 4, 5, 6], "start": "00:00", "end": "00:00"}]);
        let campaign = json!({
            "name": "Spring", "steps": [step(0), step(1)], "mailboxIds": [mailbox], "prospectIds": people,
            "timezone": "UTC", "windows": always, "dailySendLimit": 4, "minutesBetweenSends": 1,
        });
        let id = app.api.post("/campaigns", &campaign).await["id"].as_str().expect("an id").to_owned();
        let path = format!("/campaigns/{id}");
        let before = app.api.get(&path).await;
        let forecast = app.api.get(&format!("{path}/forecast")).await;

        let ran = app.installation.run(&["simulate", "--campaign", &id, "--json"]).await;
        let found: Value = serde_json::from_str(ran.success()).expect("one JSON object");
        let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&found), keys(&forecast));
        assert_eq!(found["mailsLeft"], 0);
        let days = found["days"].as_array().expect("days");
        let sends: Vec<i64> = days.iter().map(|day| day["sends"].as_i64().expect("a number")).collect();
        assert_eq!(sends.iter().sum::<i64>(), 20, "nobody answers: {found}");
        assert!(sends.iter().all(|n| *n <= 4), "{found}");
        let (last, others) = days.split_last().expect("days");
        assert_eq!((&last["binding"], &last["date"]), (&json!("nothing"), &found["finishesOn"]));
        for day in others.iter().filter(|day| day["sends"] == 4) {
            assert_eq!(day["binding"], "campaign_limit", "{found}");
        }

        assert_eq!(app.api.get(&path).await, before);
        assert_eq!(app.api.get(&format!("{path}/stats")).await["sent"], 0);
        let words = app.installation.run(&["simulate", "--campaign", &id]).await;
        assert!(words.success().contains("Through on "), "{words:?}");
        let other = app.installation.run(&["simulate", "--campaign", "cmp_01kjq5t3k8e9v8z2m4n6p7r8s9"]).await;
        assert!(other.failure().contains("there is no campaign"), "{other:?}");
    }
}
