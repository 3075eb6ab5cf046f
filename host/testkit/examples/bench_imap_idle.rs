//! `cargo xtask bench imap-idle`: 2,000 mailboxes that are watched by IDLE (DESIGN §6).
//!
//! The released program is a process of its own, on SQLite; the mailboxes lie in a real Dovecot and
//! are connected through the API. Five rounds on the same connections: how much memory the whole
//! process has, and how long it takes from Dovecot's word that a mail is delivered until it is
//! fetched, judged and its place in the mailbox is saved. Each line is the median with the lowest and
//! the highest round.

#![expect(clippy::print_stdout, reason = "a bench prints its numbers")]
#![expect(clippy::print_stderr, reason = "a bench says how far it is")]
#![expect(
    clippy::unwrap_used,
    reason = "a bench stops where something is missing"
)]
#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]

use std::{
    env, fs,
    process::Stdio,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use overture_domain::{AccountId, WorkspaceId};
use overture_store::{Database, accounts};
use overture_testkit::{
    app::{Api, Installation, binary},
    eventually,
    servers::{self, Account, MailOptions, MailServers},
};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    process::Child,
};

const MAILBOXES: usize = 2_000;
const ROUNDS: usize = 5;
/// Mails of a round, each to another mailbox.
const MAILS: usize = 200;
/// Between two of them.
const PAUSE: Duration = Duration::from_millis(50);

#[tokio::main]
async fn main() {
    let json = env::args().any(|arg| arg == "--json");
    // Asked for as `OVERTURE_BENCH_MAILBOXES=200` to try the bench itself.
    let mailboxes = env::var("OVERTURE_BENCH_MAILBOXES").map_or(MAILBOXES, |n| n.parse().unwrap());
    let options = MailOptions {
        prospects: 0,
        accounts: (0..mailboxes)
            .map(|n| Account::new(&address(n), "pw"))
            .collect(),
        ..MailOptions::default()
    };
    let servers = servers::start_mail(&options).unwrap_or_else(|error| panic!("{error}"));
    let program = Program::start(&servers).await;
    let took = Instant::now();
    program.connect(&servers, mailboxes).await;
    eprintln!("{mailboxes} mailboxes connected in {:?}", took.elapsed());
    eventually(
        "all connections are held",
        Duration::from_secs(900),
        async || (servers.logins().unwrap() >= mailboxes).then_some(()),
    )
    .await;
    eprintln!("all are watched after {:?}", took.elapsed());

    let (mut memory, mut p50, mut p99) = (Vec::new(), Vec::new(), Vec::new());
    let watched = accounts::list_watched(&mut program.database.reader())
        .await
        .unwrap();
    assert_eq!(watched.len(), mailboxes);
    for round in 0..ROUNDS {
        let mut seen = program.round(&servers, &watched, round).await;
        seen.sort_unstable();
        let at = |percent: usize| seen[(seen.len() * percent / 100).min(seen.len() - 1)];
        p50.push(at(50).as_secs_f64() * 1_000.0);
        p99.push(at(99).as_secs_f64() * 1_000.0);
        memory.push(program.rss_mb());
    }
    print(json, "imap_idle.rss_mb", "MB", memory);
    print(json, "imap_idle.seen_p50_ms", "ms", p50);
    print(json, "imap_idle.seen_p99_ms", "ms", p99);
}

fn address(n: usize) -> String {
    format!("m{n}@idle.test")
}

/// A running `overture serve`.
struct Program {
    api: Api,
    database: Database,
    process: Child,
    _installation: Installation,
}

impl Program {
    async fn start(servers: &MailServers) -> Self {
        let ports = &servers.ports;
        let config = format!(
            "[mail]\nallowed_networks = [\"127.0.0.0/8\"]\nallowed_ports = [{}, {}]\nextra_ca_file = \"{}\"",
            ports.submissions,
            ports.imaps,
            servers.ca_file.display()
        );
        let installation = Installation::new(binary(), &config, "sqlite:data/overture.db");
        let user = ["user", "create", "admin@example.com", "--name", "Admin"];
        installation.run(&user).await.success();
        let key = installation.run(&["key", "create", "--quiet"]).await;
        let key = key.success().trim().to_owned();
        let log = fs::File::create(installation.path("log")).unwrap();
        let mut process = installation
            .command(&["serve"])
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = lines.next_line().await.unwrap().expect("it comes up");
        let url = line.strip_prefix("listening on ").unwrap();
        let path = installation.path("data/overture.db");
        Self {
            api: Api::new(url, &key),
            database: Database::open(&format!("sqlite:{}", path.display()))
                .await
                .unwrap(),
            process,
            _installation: installation,
        }
    }

    /// Connects the mailboxes, as a program would.
    async fn connect(&self, servers: &MailServers, mailboxes: usize) {
        let server = |port| json!({"host": "127.0.0.1", "port": port, "tls": "implicit"});
        let (smtp, imap) = (
            server(servers.ports.submissions),
            server(servers.ports.imaps),
        );
        let connecting = stream::iter(0..mailboxes).for_each_concurrent(16, async |n| {
            let mailbox = json!({
                "emailAddress": address(n), "preset": "custom", "password": "pw",
                "smtp": smtp, "imap": imap,
            });
            self.api.post("/mailboxes", &mailbox).await;
        });
        connecting.await;
    }

    /// Delivers mails to some of the mailboxes; how long each took to be seen.
    async fn round(
        &self,
        servers: &MailServers,
        watched: &[accounts::Watched],
        round: usize,
    ) -> Vec<Duration> {
        let step = watched.len() / MAILS.min(watched.len());
        let deliveries = (0..MAILS.min(watched.len())).map(async |n| {
            tokio::time::sleep(PAUSE * u32::try_from(n).unwrap()).await;
            let mailbox = &watched[n * step];
            let (ws, id) = (mailbox.workspace_id, mailbox.id);
            let (before, to) = self.place(ws, id).await;
            deliver(servers.ports.lmtp, &to, &format!("{round}-{n}")).await;
            let delivered = Instant::now();
            eventually("the mail is seen", Duration::from_secs(60), async || {
                (self.place(ws, id).await.0 != before).then_some(())
            })
            .await;
            delivered.elapsed()
        });
        futures::future::join_all(deliveries).await
    }

    /// Up to where a mailbox is read, and its address.
    async fn place(&self, ws: WorkspaceId, id: AccountId) -> (Option<String>, String) {
        let found = accounts::find(&mut self.database.reader(), ws, id).await;
        let account = found.unwrap().unwrap();
        (account.sync_cursor, account.address)
    }

    /// Memory of the whole process that is in use.
    fn rss_mb(&self) -> f64 {
        let status = format!("/proc/{}/status", self.process.id().unwrap());
        let status = fs::read_to_string(status).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib / 1_024.0
    }
}

/// Gives Dovecot a mail, and returns when it says that it has it (LMTP, RFC 2033).
async fn deliver(port: u16, to: &str, id: &str) {
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    let mail = format!(
        "From: grace@example.com\r\nTo: {to}\r\nSubject: hello\r\nMessage-ID: <{id}@example.com>\r\n\r\nhi\r\n."
    );
    let lines = [
        "LHLO bench.test".to_owned(),
        "MAIL FROM:<grace@example.com>".to_owned(),
        format!("RCPT TO:<{to}>"),
        "DATA".to_owned(),
        mail,
    ];
    reply(&mut stream).await;
    for line in lines {
        stream
            .write_all(format!("{line}\r\n").as_bytes())
            .await
            .unwrap();
        reply(&mut stream).await;
    }
}

/// Reads a reply, which must be a yes.
async fn reply(stream: &mut BufReader<TcpStream>) {
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        assert!(line.starts_with(['2', '3']), "{line}");
        if line.as_bytes().get(3) != Some(&b'-') {
            return;
        }
    }
}

fn print(json: bool, name: &str, unit: &str, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let (value, min, max) = (values[ROUNDS / 2], values[0], values[ROUNDS - 1]);
    if json {
        println!(
            r#"{{"name":"{name}","value":{value:.2},"unit":"{unit}","min":{min:.2},"max":{max:.2}}}"#
        );
    } else {
        println!("{name:32} {value:>12.1} {unit:4} ({min:.1} to {max:.1})");
    }
}
