//! What a running server tells about itself: logs without anybody in them, and metrics that are the
//! documented ones and shown to nobody by accident.

use std::{collections::BTreeSet, time::Duration};

use overture_testkit::{
    App, Dialect, MONDAY, TestDatabase,
    app::{Installation, driven_binary},
    eventually, on_both,
    servers::{Account, mail},
};
use serde_json::json;

use crate::story::{mails::header, outside};

const DAY: Duration = Duration::from_secs(24 * 3_600);
const TOKEN: &str = "a token of the test";
const METRICS: &str = include_str!("../../host/docs/METRICS.md");

on_both! {
    // OPS-3, OPS-4
    async fn nobody_stands_in_the_log(test: TestDatabase) {
        let servers = mail().expect("mail servers");
        let domain = servers.own_domain().expect("a domain");
        let [sender, grace] = ["ada", "grace"].map(|name| format!("{name}@{domain}"));
        let gone = format!("nobody-there@{domain}");
        servers.add_accounts(&[Account::new(&sender, "pass-of-ada"), Account::new(&grace, "pw")]).expect("accounts can be added");
        let config = format!("{}[metrics]\ntoken = \"{TOKEN}\"\n", crate::story::on(servers));
        let installation = Installation::new(driven_binary(), &config, &test.url);
        let text = std::fs::read_to_string(installation.path("overture.toml")).expect("it was written");
        // As much as our own crates can say, and which statements run.
        installation.write("overture.toml", text.replace("level = \"info\"", "level = \"info,sqlx=debug,overture=trace,overture_engine=trace,overture_api=trace,overture_store=trace,overture_mail=trace,overture_plugin_host=trace\""));
        let app = App::start(installation, MONDAY).await;
        let server = |port, tls| json!({ "host": "localhost", "port": port, "tls": tls });
        let mailbox = |password: &str| json!({
            "emailAddress": sender, "password": password, "senderName": "Adalberta Quill",
            "smtp": server(servers.ports.submission, "starttls"), "imap": server(servers.ports.imaps, "implicit"),
        });
        app.api.try_post("/mailboxes", &mailbox("wrong-pass-of-ada")).await.expect_err("refused");
        let mailbox = app.api.post("/mailboxes", &mailbox("pass-of-ada")).await["id"].clone();
        for (email, name) in [(&grace, "Gracilda"), (&gone, "Nemesio")] {
            let person = json!({ "email": email, "firstName": name, "lastName": "Hopperidge", "company": "Bombasine Works" });
            app.api.post("/prospects", &person).await;
        }
        let step = json!({ "stepIndex": 0, "subject": "Marmalade for {{ firstName }}", "bodyHtml": "<p>Turquoise umbrellas?</p>" });
        let campaign = json!({ "name": "Quince", "steps": [step], "mailboxIds": [mailbox] });
        let id = app.api.post("/campaigns", &campaign).await["id"].as_str().expect("an id").to_owned();
        let path = format!("/campaigns/{id}");
        app.api.post(&format!("{path}/enrollments"), &json!({ "emails": [grace, gone] })).await;
        app.api.post(&format!("{path}/start"), &json!({})).await;
        app.settle_until("both mails are out", DAY * 3, async || app.api.get(&format!("{path}/stats")).await["sent"] == 2).await;
        let mail = eventually("the mail is there", Duration::from_secs(30), async || servers.mails(&grace, "INBOX").ok()?.pop()).await;
        let answer = format!(
            "From: <{grace}>\r\nTo: <{sender}>\r\nSubject: Re: Marmalade\r\nMessage-ID: <answer@{domain}>\r\n\
             In-Reply-To: {}\r\n\r\nNot a pistachio more, please. Gracilda\r\n",
            header(&mail, "message-id")
        );
        outside::deliver(servers, &grace, &sender, &answer).await;
        app.settle_until("answer and bounce are read", DAY * 3, async || {
            let people = app.api.all(&format!("{path}/enrollments")).await;
            people.iter().all(|one| one["state"] == "replied" || one["state"] == "bounced")
        }).await;
        let metrics = metrics(&app, Some(TOKEN)).await.1;
        let key = app.key.clone();
        let log = app.log();
        app.stop().await;

        assert!(log.lines().count() > 20, "it says something:\n{log}");
        for word in [
            &*domain, "Adalberta", "Gracilda", "Nemesio", "Hopperidge", "Bombasine", "Marmalade", "Turquoise", "Quince",
            "pistachio", "pass-of-ada", &key, "admin@example.com",
        ] {
            for told in [&log, &metrics] {
                let line = told.lines().find(|line| line.contains(word));
                assert!(line.is_none(), "`{word}` is told: {}", line.unwrap_or_default());
            }
        }
        assert!(metrics.contains("overture_sends_total{channel=\"mail\",outcome=\"sent\"} 2"), "{metrics}");
        assert!(metrics.contains("overture_http_requests_total{method=\"GET\",route=\"/api/v1/campaigns/{id}/stats\",status=\"200\"}"), "{metrics}");
        for name in shown(&metrics) {
            assert!(METRICS.contains(&format!("| `{name}` |")), "{name} is not documented: run `cargo xtask codegen`");
        }
    }
}

/// The names of what is shown; of a histogram its own.
fn shown(metrics: &str) -> BTreeSet<&str> {
    let kinds = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "));
    kinds.filter_map(|line| line.split(' ').next()).collect()
}

async fn metrics(app: &App, token: Option<&str>) -> (u16, String) {
    let mut request = reqwest::Client::new().get(format!("{}/metrics", app.url));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await.expect("it answers");
    let status = answer.status().as_u16();
    (status, answer.text().await.expect("text"))
}

// OPS-3
#[tokio::test]
async fn metrics_are_shown_to_nobody_by_accident() {
    let test = TestDatabase::new(Dialect::Sqlite).await;
    let app = App::start(Installation::new(driven_binary(), "", &test.url), MONDAY).await;
    let (status, said) = metrics(&app, None).await;
    assert_eq!(status, 403);
    assert!(said.contains("metrics.token"), "{said}");
    app.stop().await;

    let config = format!("[metrics]\ntoken = \"{TOKEN}\"\n");
    let test = TestDatabase::new(Dialect::Sqlite).await;
    let app = App::start(
        Installation::new(driven_binary(), &config, &test.url),
        MONDAY,
    )
    .await;
    assert_eq!(metrics(&app, None).await.0, 401);
    assert_eq!(metrics(&app, Some("another")).await.0, 401);
    let (status, said) = metrics(&app, Some(TOKEN)).await;
    assert_eq!(status, 200);
    assert!(said.contains("overture_build_info"), "{said}");
    let ready = reqwest::get(format!("{}/readyz", app.url))
        .await
        .expect("it answers");
    assert_eq!(ready.status().as_u16(), 200);
    app.stop().await;
}
