//! SAFE-2: nobody is lost to what is temporary or can be mended. They wait in a state with a name
//! and a reason, and go on by themselves.

use overture_testkit::{App, MONDAY, on_both};
use serde_json::{Value, json};

use super::house::{DAY, HOUR, House, STEP, silent};

/// Where somebody stands, and why.
async fn stands(house: &House, campaign: &str, email: &str) -> (String, String) {
    let all = house.enrollments(campaign).await;
    let row = all
        .iter()
        .find(|row| row["prospectEmail"] == email)
        .expect("they are in it");
    let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
    (text("state"), text("reason"))
}

async fn prospect_id(app: &App, email: &str) -> String {
    let all = app.api.all("/prospects").await;
    let found = all
        .iter()
        .find(|row| row["email"] == email)
        .expect("a prospect");
    found["id"].as_str().expect("an id").to_owned()
}

async fn count(house: &House, campaign: &str, state: &str) -> usize {
    house
        .enrollments(campaign)
        .await
        .iter()
        .filter(|row| row["state"] == state)
        .count()
}

on_both! {
    // SAFE-2, TPL-4: a value that is missing.
    async fn a_missing_value_is_waited_for(test: TestDatabase) {
        let house = House::open(&test).await;
        let people = silent(3);
        let campaign = house.campaign(&people[1..], &["Hi"]).await;
        let needs = house.campaign(&people[..1], &["How is {{ company }}?"]).await;
        house.run_until(MONDAY + HOUR).await;
        let (state, reason) = stands(&house, &needs, &people[0]).await;
        assert_eq!(state, "pending_template_variable_resolution");
        assert!(reason.contains("`company`"), "{reason}");
        let prospect = prospect_id(&house.app, &people[0]).await;
        house.app.api.patch(&format!("/prospects/{prospect}"), &json!({ "company": "Example & Sons" })).await;
        house.app.settle_until("the mail goes out", HOUR * 2, async || count(&house, &needs, "completed").await == 1).await;
        assert_eq!(count(&house, &campaign, "completed").await, 2, "the others did not wait for it");
        house.app.stop().await;
    }

    // SAFE-2, MB-3, MB-5: a mailbox that is out of service, before and amid a sequence.
    async fn a_mailbox_s_return_is_waited_for(test: TestDatabase) {
        let house = House::open(&test).await;
        let people = silent(4);
        let campaign = house.campaign(&people, &["Hi", "Hi again"]).await;
        house.app.settle_until("two got a mail", HOUR, async || house.sent().await.len() == 2).await;
        house.post(&format!("/mailboxes/{}/pause", house.mailbox), &json!({})).await;
        house.run_until(MONDAY + HOUR * 4).await;
        assert_eq!(house.sent().await.len(), 2);
        // Who has heard of it waits for it; to the others any mailbox would do.
        assert_eq!(count(&house, &campaign, "paused_account").await, 2);
        let all = house.enrollments(&campaign).await;
        for row in &all {
            let reason = row["reason"].as_str().expect("a reason");
            let named = reason.contains("ada@example.com is paused") || reason.contains("no_usable_mailbox");
            assert!(named, "{row}");
        }
        house.post(&format!("/mailboxes/{}/resume", house.mailbox), &json!({})).await;
        house.app.settle_until("all is through", DAY * 2, async || count(&house, &campaign, "completed").await == people.len()).await;
        assert_eq!(house.sent().await.len(), people.len() * 2);
        house.app.stop().await;
    }

    // SAFE-2, SCH-1, CAP-1: a cap and a window.
    async fn room_is_waited_for(test: TestDatabase) {
        let house = House::open(&test).await;
        house.app.api.patch(&format!("/mailboxes/{}", house.mailbox), &json!({ "dailyLimit": 2 })).await;
        let people = silent(5);
        let campaign = house.campaign(&people, &["Hi"]).await;
        house.run_until(MONDAY + HOUR * 2).await;
        let waiting = |all: &[Value]| all.iter().filter(|row| row["state"] != "completed").cloned().collect::<Vec<_>>();
        let waits = waiting(&house.enrollments(&campaign).await);
        assert_eq!(waits.len(), 3);
        for row in &waits {
            assert_eq!(row["reason"], "the mailbox's daily limit is reached (2 of 2)");
            assert!(!row["nextActionAt"].is_null(), "{row}");
        }
        // Raised in the evening: then the window is what they wait for.
        house.run_until(MONDAY + HOUR * 10).await;
        house.app.api.patch(&format!("/mailboxes/{}", house.mailbox), &json!({ "dailyLimit": 30 })).await;
        house.run_until(MONDAY + HOUR * 11).await;
        let waits = waiting(&house.enrollments(&campaign).await);
        assert!(waits.iter().all(|row| row["reason"] == "outside the sending window"), "{waits:?}");
        house.app.settle_until("all is through", DAY, async || count(&house, &campaign, "completed").await == people.len()).await;
        house.app.stop().await;
    }

    // SAFE-2, SAF-4: a full mailbox is tried again, three times in 72 hours, and only then given up.
    async fn a_full_mailbox_is_waited_for(test: TestDatabase) {
        let house = House::open(&test).await;
        let email = "soft1@example.org".to_owned();
        let campaign = house.campaign(std::slice::from_ref(&email), &["Hi", "Hi again"]).await;
        for tries in 1..4 {
            house.run_while(STEP, DAY * 4, async || {
                let told = house.app.api.all("/events?type=email.soft_bounced").await;
                told.len() < tries
            }).await;
            let (state, reason) = stands(&house, &campaign, &email).await;
            assert!(["queued", "active", "waiting"].contains(&&*state), "{state}: {reason}");
            assert!(reason.contains("tried again"), "{reason}");
        }
        house.run_while(STEP * 10, DAY * 4, async || count(&house, &campaign, "failed").await == 0).await;
        let (_, reason) = stands(&house, &campaign, &email).await;
        assert!(reason.contains("4 times"), "{reason}");
        house.app.stop().await;
    }
}
