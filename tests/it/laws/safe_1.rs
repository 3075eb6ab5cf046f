//! SAFE-1: where intent and a cap disagree, the cap wins; nothing catches up in a burst.

use std::collections::BTreeMap;

use overture_domain::Timestamp;
use overture_testkit::{MONDAY, on_both};
use serde_json::json;

use super::house::{DAY, HOUR, House, STEP, silent};

/// SCH-4
const PACE: u64 = 300;

/// The mailbox's limit (MB-4), at first and later.
const A_DAY: usize = 10;
const RAISED: usize = 30;

on_both! {
    // SAFE-1, MB-4, SCH-1, SCH-4
    async fn nothing_ever_comes_in_a_burst(test: TestDatabase) {
        let mut house = House::open(&test).await;
        let mailbox = format!("/mailboxes/{}", house.mailbox);
        house.app.api.patch(&mailbox, &json!({ "dailyLimit": A_DAY })).await;
        let people = silent(50);
        let campaign = house.campaign(&people, &["Hi"]).await;

        // The machine is off over what would have been two days of work.
        house.run_until(MONDAY + HOUR).await;
        let before = house.sent().await.len();
        house.be_off_until(MONDAY + DAY * 2 + HOUR).await;
        check_at_most_one(&house, before, "after an outage").await;
        house.run_until(MONDAY + DAY * 2 + HOUR * 2).await;

        // A person pauses it for a day.
        house.post(&format!("/campaigns/{campaign}/pause"), &json!({})).await;
        house.app.idle().await;
        let before = house.sent().await.len();
        house.run_until(MONDAY + DAY * 3 + HOUR).await;
        assert_eq!(house.sent().await.len(), before, "nothing goes out of a paused campaign");
        house.post(&format!("/campaigns/{campaign}/resume"), &json!({})).await;
        house.app.idle().await;
        check_at_most_one(&house, before, "after a pause").await;

        // The limit is reached, and then raised: the rest of the day is used at the pace.
        house.run_until(MONDAY + DAY * 3 + HOUR * 5).await;
        let of_day = |sent: &[Timestamp]| sent.iter().filter(|at| **at >= MONDAY + DAY * 3).count();
        let sent = house.sent().await;
        assert_eq!(of_day(&sent), A_DAY, "{sent:?}");
        house.app.api.patch(&mailbox, &json!({ "dailyLimit": RAISED })).await;
        house.app.idle().await;
        check_at_most_one(&house, sent.len(), "after a raised limit").await;
        house.run_while(STEP, DAY * 7, async || house.sent().await.len() < people.len()).await;

        let sent = house.sent().await;
        for pair in sent.windows(2) {
            assert!(pair[1].since(pair[0]).as_secs() >= PACE, "{pair:?}");
        }
        let mut days: BTreeMap<i64, usize> = BTreeMap::new();
        for at in &sent {
            let hour = at.as_secs() % 86_400 / 3_600;
            assert!((9..17).contains(&hour), "{at} is outside of the window");
            *days.entry(at.as_secs() / 86_400).or_default() += 1;
        }
        let raised = (MONDAY + DAY * 3).as_secs() / 86_400;
        for (day, n) in &days {
            assert!(*n <= if *day < raised { A_DAY } else { RAISED }, "{days:?}");
        }
        house.app.stop().await;
    }
}

async fn check_at_most_one(house: &House, before: usize, when: &str) {
    let more = house.sent().await.len() - before;
    assert!(more <= 1, "{more} mails went out at once {when}");
}
