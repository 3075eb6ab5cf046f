//! `overture simulate`: no rule is broken under faults, and a seed gives the same events again
//! (OPS-5).

use overture_testkit::app::{Installation, driven_binary};
use serde_json::Value;

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
