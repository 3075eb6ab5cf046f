//! SAFE-4: no status without its audit row, whoever changes it: a person, the engine, or somebody
//! with a database shell.

use overture_testkit::{MONDAY, TestDatabase, on_both};
use serde_json::json;

use super::house::{DAY, HOUR, House, silent};

/// The changes of one campaign or mailbox: from, to, and who.
async fn changes(test: &TestDatabase, subject: &str) -> Vec<(Option<String>, String, String)> {
    let rows = test.audit(subject).await;
    rows.into_iter()
        .map(|row| (row.from_status, row.to_status, row.actor))
        .collect()
}

on_both! {
    // SAFE-4
    async fn every_change_of_status_has_its_row(test: TestDatabase) {
        let house = House::open(&test).await;
        let people = silent(2);
        let campaign = house.campaign(&people, &["Hi"]).await;
        house.run_until(MONDAY + HOUR / 60).await;
        house.post(&format!("/campaigns/{campaign}/pause"), &json!({})).await;
        let paused = house.app.api.get(&format!("/campaigns/{campaign}")).await;
        assert!(!paused["pausedAt"].is_null() && !paused["pausedReason"].is_null(), "{paused}");
        house.post(&format!("/campaigns/{campaign}/resume"), &json!({})).await;
        house.post(&format!("/mailboxes/{}/pause", house.mailbox), &json!({})).await;
        house.post(&format!("/mailboxes/{}/resume", house.mailbox), &json!({})).await;
        let status = async || house.app.api.get(&format!("/campaigns/{campaign}")).await["status"].clone();
        house.app.settle_until("the campaign completes", DAY, async || status().await == "completed").await;

        // Several may stand at one moment of the clock.
        let mut of_campaign = changes(&test, &campaign).await;
        of_campaign.sort();
        let steps: Vec<_> = of_campaign.iter().map(|(from, to, _)| (from.as_deref(), to.as_str())).collect();
        assert_eq!(steps, [
            (None, "draft"), (Some("draft"), "running"), (Some("paused"), "running"),
            (Some("running"), "completed"), (Some("running"), "paused"),
        ]);
        let person = of_campaign[0].2.clone();
        for (_, to, actor) in &of_campaign {
            assert_eq!(*actor == person, to != "completed", "{of_campaign:?}");
        }
        let of_mailbox = changes(&test, &house.mailbox).await;
        let count = |from, to| of_mailbox.iter().filter(|(was, is, _)| (was.as_deref(), is.as_str()) == (Some(from), to)).count();
        assert_eq!((count("connected", "paused"), count("paused", "connected")), (1, 1), "{of_mailbox:?}");

        // The database itself refuses what has no row of its own.
        for statement in [
            "UPDATE campaigns SET status = 'archived'",
            "UPDATE sending_accounts SET status = 'error'",
            "UPDATE campaigns SET status = 'paused', status_audit_id = (SELECT MAX(id) FROM audit)",
        ] {
            let refused = test.execute_raw(statement).await;
            assert!(refused.is_err(), "{statement}");
        }
        assert_eq!(status().await, "completed");
        house.app.stop().await;
    }
}
