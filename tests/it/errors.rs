//! Bad input gets a clear error and loses nothing: each row of the snapshot is a case and the text
//! that a user sees.

mod operator;
mod table;
mod world;

use std::{net::TcpListener, path::PathBuf, time::Duration};

use overture_testkit::{app::Ran, eventually, servers::mail, sink::Sink};
use serde_json::json;

use table::Table;
use world::World;

const GUESTS: [&str; 3] = ["loops", "eats-memory", "panics"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_gets_a_clear_error_and_loses_nothing() {
    let mut world = World::start().await;
    let mut table = Table::default();
    files(&mut table, &world).await;
    mailboxes(&mut table, &mut world).await;
    templates(&mut table, &world).await;
    campaigns(&mut table, &world).await;
    plugins(&mut table, &world).await;
    requests(&mut table, &world).await;
    operator::before_serving(&mut table, &mut world).await;
    operator::machine(&mut table, &mut world).await;
    operator::keys(&mut table).await;
    operator::backups(&mut table, &mut world).await;
    insta::assert_snapshot!("bad_input", world.redacted(table.0));
}

/// PR-2
async fn files(table: &mut Table, world: &World) {
    let app = &world.app;
    let import = async |name: &str, content: &[u8]| {
        let file = app.installation.write(name, content);
        app.cli(&["import", &file.display().to_string()]).await
    };
    let broken = "email,first name,company\n\
                  grace@example.com,Grace,One\n\
                  not an address,Nobody,Two\n\
                  ,Empty,Three\n\
                  alan@example.com,Alan\n\
                  joan@example.com,Joan,Four,more,and more\n\
                  grace@example.com,Again,Five\n";
    table.add(
        "CSV with broken rows",
        &import("broken.csv", broken.as_bytes()).await,
    );
    let latin = b"E-Mail;Vorname;Nachname\r\njuergen@example.com;J\xfcrgen;M\xfc\xdfig\r\n";
    table.add(
        "CSV in another encoding (Windows-1252)",
        &import("latin.csv", latin).await,
    );
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0";
    table.add("CSV that is a picture", &import("picture.csv", png).await);
    table.add("CSV of 0 bytes", &import("empty.csv", b"").await);
    let nameless = b"first name,company\nGrace,One\n";
    table.add(
        "CSV without an e-mail column",
        &import("nobody.csv", nameless).await,
    );
    table.add(
        "CSV that is not there",
        &app.cli(&["import", "nowhere.csv"]).await,
    );

    let prospects = app.api.all("/prospects").await;
    let mut people: Vec<_> = prospects
        .iter()
        .map(|row| format!("{} {}", row["email"], row["firstName"]))
        .collect();
    people.sort();
    table.add_text("who is there after these files", &people.join("\n"));
}

/// MB-2, MB-11
async fn mailboxes(table: &mut Table, world: &mut World) {
    let ports = mail().expect("mail servers").ports;
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let closed = closed.expect("a port").port();
    world.hide(&closed.to_string(), "[closed port]");
    let (submission, imaps) = (ports.submission, ports.imaps);
    let at = |port: u16| format!("127.0.0.1:{port}");
    let add = async |smtp: &str, mode: &str, password: &str| {
        let imap = at(imaps);
        let arguments = [
            "mailbox",
            "add",
            &world.sender,
            "--password",
            password,
            "--smtp",
            smtp,
            "--smtp-tls",
            mode,
            "--imap",
            &imap,
            "--imap-tls",
            "implicit",
        ];
        world.app.cli(&arguments).await
    };
    let smtp = at(submission);
    table.add(
        "a wrong SMTP password",
        &add(&smtp, "starttls", "guess").await,
    );
    table.add(
        "implicit TLS where STARTTLS is spoken",
        &add(&smtp, "implicit", "secret").await,
    );
    let smtps = at(ports.submissions);
    table.add(
        "STARTTLS where TLS is implicit",
        &add(&smtps, "starttls", "secret").await,
    );
    let nowhere = format!("mail.nowhere.example.com:{submission}");
    table.add(
        "an SMTP host that does not exist",
        &add(&nowhere, "starttls", "secret").await,
    );
    table.add(
        "an SMTP port where nothing listens",
        &add("127.0.0.1:2525", "starttls", "secret").await,
    );
    table.add(
        "an SMTP port that is not allowed",
        &add(&at(closed), "starttls", "secret").await,
    );
    let other = format!("other.test:{submission}");
    table.add(
        "an SMTP host whose certificate is another's",
        &add(&other, "starttls", "secret").await,
    );
    assert!(
        world.app.api.all("/mailboxes").await.is_empty(),
        "nothing was saved"
    );
    add(&smtp, "starttls", "secret").await.success();
}

/// TPL-3, SEQ-6
async fn templates(table: &mut Table, world: &World) {
    let app = &world.app;
    let mailbox = app.api.all("/mailboxes").await;
    let mailbox = mailbox[0]["id"].as_str().expect("an id").to_owned();
    let create = async |name: &str, subject: &str, body: &str| {
        let file = app.installation.write("body.html", body);
        let file = file.display().to_string();
        app.cli(&[
            "campaign",
            "create",
            name,
            "--mailbox",
            &mailbox,
            "--subject",
            subject,
            "--body-file",
            &file,
        ])
        .await
    };
    let typo = "<p>Hello {{ firstName | defualt: 'you' }},</p>\n<p>{% if company %}how is {{ company }}?</p>\n";
    table.add(
        "a template with typos",
        &create("Typos", "About {{ company }", typo).await,
    );
    let made = create(
        "Unknown field",
        "About {{ compnay }}",
        "<p>Hello {{ firstName }}</p>",
    )
    .await;
    let id = made
        .success()
        .split_whitespace()
        .next()
        .expect("an id")
        .to_owned();
    app.api
        .post(
            &format!("/campaigns/{id}/enrollments"),
            &json!({ "emails": ["grace@example.com"] }),
        )
        .await;
    table.add(
        "a template with a field that nobody has",
        &app.cli(&["campaign", "start", &id]).await,
    );
    assert_eq!(
        app.api.get(&format!("/campaigns/{id}")).await["status"],
        "draft"
    );
}

/// SEQ-2, SEQ-6, SCH-1, CAP-1: nothing of a campaign that is refused is kept.
async fn campaigns(table: &mut Table, world: &World) {
    let step = |index: usize, delay: i64| json!({ "stepIndex": index, "subject": "Hello", "bodyHtml": "<p>Hello</p>", "delayDays": delay });
    let many: Vec<_> = (0..51).map(|index| step(index, 0)).collect();
    let window = |days: &[u8], start: &str, end: &str| json!({ "windows": [{ "days": days, "start": start, "end": end }] });
    let cases = [
        ("a campaign without a step", json!({ "steps": [] })),
        ("a campaign of 51 steps", json!({ "steps": many })),
        (
            "a delay of 10,000 days",
            json!({ "steps": [step(0, 0), step(1, 10_000)] }),
        ),
        ("a daily limit of 0", json!({ "dailySendLimit": 0 })),
        (
            "an end date in the past",
            json!({ "endDate": "2020-01-01T00:00:00Z" }),
        ),
        ("a window on no day", window(&[], "09:00", "17:00")),
        (
            "a window on a day that no week has",
            window(&[7], "09:00", "17:00"),
        ),
        (
            "a window that is no time of day",
            window(&[1], "9am", "25:00"),
        ),
        (
            "a zone that is no zone",
            json!({ "timezone": "Europe/Atlantis" }),
        ),
    ];
    let mailboxes = world.app.api.all("/mailboxes").await;
    let mailbox = &mailboxes.first().expect("one was connected before")["id"];
    let before = world.app.api.all("/campaigns").await.len();
    for (case, wrong) in cases {
        let mut campaign = json!({ "name": case, "steps": [step(0, 0)], "mailboxIds": [mailbox] });
        for (name, value) in wrong.as_object().expect("an object") {
            campaign[name] = value.clone();
        }
        let refused = world.app.api.try_post("/campaigns", &campaign).await;
        let body = refused.expect_err(case).body;
        let error = &body["error"];
        let details = error["details"].as_array().into_iter().flatten();
        let details = details.map(|wrong| {
            format!(
                "  {}: {} ({})\n",
                wrong["field"], wrong["message"], wrong["code"]
            )
        });
        let text = format!(
            "{}: {}\n{}",
            error["code"],
            error["message"],
            details.collect::<String>()
        );
        table.add_text(case, &text.replace('"', ""));
    }
    assert_eq!(world.app.api.all("/campaigns").await.len(), before);
}

/// PLG-1, PLG-2: what a plugin does wrong is told where it was needed, and the event waits.
async fn plugins(table: &mut Table, world: &World) {
    let app = &world.app;
    let check = async |file: PathBuf| {
        app.installation
            .run(&["plugin", "check", &file.display().to_string()])
            .await
    };
    let text = app.installation.write("notes.wasm", "no plugin at all\n");
    table.add("a plugin file that is no component", &check(text).await);
    table.add(
        "a plugin that imports what its kind is not given",
        &check(guest("reaches-out")).await,
    );

    let sink = Sink::start().await;
    for name in GUESTS {
        let webhook = json!({ "url": sink.url(name), "events": ["webhook.test"], "formatter": format!("guest-{name}") });
        let webhook = app.api.post("/webhooks", &webhook).await;
        let path = format!("/webhooks/{}", webhook["id"].as_str().expect("an id"));
        app.api.post(&format!("{path}/test"), &json!({})).await;
        let held = eventually(
            "the delivery is held",
            Duration::from_secs(60),
            async || {
                let deliveries = app.api.all(&format!("{path}/deliveries")).await;
                deliveries
                    .into_iter()
                    .find(|delivery| delivery["heldReason"].is_string())
            },
        )
        .await;
        assert_eq!(
            (&held["state"], &held["tries"]),
            (&json!("pending"), &json!(0))
        );
        let reason = held["heldReason"].as_str().expect("a reason");
        table.add_text(&format!("a formatter that {}", does(name)), reason);
        assert!(sink.received(name).is_empty());
    }
}

fn does(guest: &str) -> &'static str {
    match guest {
        "loops" => "loops for ever",
        "eats-memory" => "eats memory",
        _ => "panics on each call",
    }
}

/// API-2
async fn requests(table: &mut Table, world: &World) {
    let app = &world.app;
    let mut command = app.installation.command(&["mailbox", "list"]);
    command
        .env("OVERTURE_URL", &app.url)
        .env("OVERTURE_API_KEY", "ws_live_not_a_key");
    table.add(
        "a wrong API key",
        &Ran::of(command, &["mailbox", "list"]).await,
    );
    table.add(
        "no API key",
        &app.installation.run(&["mailbox", "list"]).await,
    );
    let body = json!({ "email": "new@example.com", "fristName": "New" });
    let refusal = app
        .api
        .try_post("/prospects", &body)
        .await
        .expect_err("an unknown field");
    assert_eq!(refusal.status, 400);
    table.add_json("a body with an unknown field", &refusal.body);
}

fn guest(name: &str) -> PathBuf {
    let file = PathBuf::from(format!(
        "{}/../target/guests/{name}.wasm",
        env!("CARGO_MANIFEST_DIR")
    ));
    assert!(
        file.exists(),
        "{} is missing: run `cargo xtask plugins`",
        file.display()
    );
    file
}
