//! SAFE-3: one step is sent at most once to one enrollment. `kill` breaks it at every phase; here a
//! person stands before one step of which nobody knows.

use std::time::Duration;

use overture_engine::Failpoint;
use overture_testkit::{
    App, MONDAY,
    app::{Installation, driven_binary},
    eventually, on_both,
    servers::{Account, mail},
};
use serde_json::json;

use super::house::DAY;

on_both! {
    // SAFE-3, SEQ-5, SEQ-7
    async fn what_nobody_knows_is_not_sent_again(test: TestDatabase) {
        let servers = mail().expect("mail servers");
        // This server files no copies: there is no evidence.
        let domain = servers.own_domain().expect("a domain");
        let [sender, grace] = ["ada", "grace"].map(|name| format!("{name}@{domain}"));
        servers.add_accounts(&[Account::new(&sender, "secret"), Account::new(&grace, "pw")]).expect("accounts can be added");
        let installation = Installation::new(driven_binary(), &crate::story::on(servers), &test.url);
        let mut app = App::start(installation, MONDAY).await;
        let mailbox = app.connect_mailbox(servers, &sender, json!({ "filesSent": true })).await;
        app.api.post("/prospects", &json!({ "email": grace })).await;
        let step = |n: usize| json!({ "stepIndex": n, "subject": format!("Mail {n}"), "bodyHtml": "<p>Hi</p>" });
        let campaign = json!({ "name": "Spring", "steps": [step(0), step(1)], "mailboxIds": [mailbox] });
        let campaign = app.api.post("/campaigns", &campaign).await["id"].as_str().expect("an id").to_owned();
        let people = json!({ "emails": [grace] });
        app.api.post(&format!("/campaigns/{campaign}/enrollments"), &people).await;

        // The process dies when the server has the body and has not answered.
        app.clock.hold(Failpoint::BodySent).await;
        app.api.post(&format!("/campaigns/{campaign}/start"), &json!({})).await;
        eventually("the body is out", Duration::from_secs(30), async || {
            let status = app.idle_or_held().await;
            if status.held.is_empty() {
                app.clock.set(status.next.unwrap_or(status.now).max(status.now)).await;
            }
            (!status.held.is_empty()).then_some(())
        }).await;
        app.kill().await;
        let state = async |app: &App| {
            let all = app.api.all(&format!("/campaigns/{campaign}/enrollments")).await;
            all[0]["state"].as_str().expect("a state").to_owned()
        };
        // The lease of the dead process ends in real time: the clock stands until then.
        eventually("it is seen", Duration::from_secs(120), async || {
            app.idle().await;
            (state(&app).await == "ambiguous_send").then_some(())
        }).await;

        // Whatever a person does meanwhile, it isn't sent again.
        app.api.post(&format!("/campaigns/{campaign}/pause"), &json!({})).await;
        app.api.post(&format!("/campaigns/{campaign}/resume"), &json!({})).await;
        let again = app.api.try_post(&format!("/campaigns/{campaign}/enrollments"), &people).await;
        assert_eq!(again.expect_err("she is in it").status, 409);
        let now = app.idle().await.now;
        let end = now + DAY * 3;
        loop {
            let status = app.idle().await;
            if status.now >= end {
                break;
            }
            app.clock.set(status.next.unwrap_or(end).clamp(status.now, end)).await;
        }
        assert_eq!(state(&app).await, "ambiguous_send");
        let mails = |n: usize| {
            let arrived = servers.mails(&grace, "INBOX").expect("readable");
            (arrived.len() == n).then_some(())
        };
        eventually("one mail is there", Duration::from_secs(30), async || mails(1)).await;

        // She has it: the sequence goes on behind it.
        let sends = app.api.all("/sends/ambiguous").await;
        let send = sends[0]["id"].as_str().expect("an id");
        app.cli(&["send", "resolve", "--sent", send]).await.success();
        app.settle_until("the second step is through", DAY * 4, async || state(&app).await == "completed").await;
        eventually("two mails are there", Duration::from_secs(30), async || mails(2)).await;
        app.stop().await;
    }
}
