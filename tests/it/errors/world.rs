//! Where the cases happen, and what of it differs from run to run.

use std::fs;

use overture_testkit::{
    App, Dialect, MONDAY, TestDatabase,
    app::{Installation, driven_binary},
    dns::DnsServer,
    servers::{Account, mail},
};

use super::{GUESTS, guest};

/// An instance with mail servers and misbehaving plugins.
pub(super) struct World {
    pub(super) app: App,
    pub(super) sender: String,
    pub(super) database: TestDatabase,
    hidden: Vec<(String, &'static str)>,
    _dns: DnsServer,
}

impl World {
    pub(super) async fn start() -> Self {
        let servers = mail().expect("mail servers");
        let domain = servers.own_domain().expect("a domain");
        let sender = format!("ada@{domain}");
        servers
            .add_accounts(&[Account::new(&sender, "secret")])
            .expect("accounts can be added");
        let dns = DnsServer::start().await.expect("a free port");
        let (ports, ca) = (servers.ports, servers.ca_file.display());
        let config = format!(
            "[mail]\nallowed_networks = [\"127.0.0.0/8\"]\nallowed_ports = [{}, {}, {}]\nextra_ca_file = \"{ca}\"\n\
             [dns]\nservers = [\"{}\"]\n\
             [egress]\nallowed_networks = [\"127.0.0.0/8\"]\nallow_http = true\n",
            ports.submission,
            ports.submissions,
            ports.imaps,
            dns.address()
        );
        let database = TestDatabase::new(Dialect::Sqlite).await;
        let installation = Installation::new(driven_binary(), &config, &database.url);
        for name in GUESTS {
            let file = fs::read(guest(name)).expect("a packed guest");
            installation.write(&format!("data/plugins/{name}.wasm"), file);
        }
        let app = App::start(installation, MONDAY).await;
        let folder = app.installation.path("").display().to_string();
        let hidden = vec![
            (folder.trim_end_matches('/').to_owned(), "[folder]"),
            (format!("{}/..", env!("CARGO_MANIFEST_DIR")), "[workspace]"),
            (database.url.clone(), "[database]"),
            (app.url.clone(), "[server]"),
            (domain, "[domain]"),
            (ports.submission.to_string(), "[submission]"),
            (ports.submissions.to_string(), "[submissions]"),
            (ports.imaps.to_string(), "[imaps]"),
        ];
        Self {
            app,
            sender,
            database,
            hidden,
            _dns: dns,
        }
    }

    /// What differs from run to run gets a name in the snapshot.
    pub(super) fn hide(&mut self, text: &str, name: &'static str) {
        self.hidden.push((text.to_owned(), name));
    }

    pub(super) fn redacted(&self, mut text: String) -> String {
        for (hidden, name) in &self.hidden {
            text = text.replace(hidden, name);
        }
        let text: Vec<_> = text.lines().map(without_digests).collect();
        without_ids(&text.join("\n"))
    }
}

/// Packed plugins and certificates are made anew on each machine.
fn without_digests(line: &str) -> String {
    for (start, name) in [("digest:  ", "[digest]"), ("size:    ", "[size]")] {
        if line.starts_with(start) {
            return format!("{start}{name}");
        }
    }
    match line.split_once("SHA-256 ") {
        Some((before, after)) => {
            let rest = after.trim_start_matches(|c: char| c.is_ascii_hexdigit() || c == ':');
            format!("{before}SHA-256 [fingerprint]{rest}")
        }
        None => line.to_owned(),
    }
}

/// Ids are `imp_` and the like before 26 digits and letters.
fn without_ids(text: &str) -> String {
    let id = |word: &str| {
        word.split_once('_').is_some_and(|(prefix, rest)| {
            prefix.len() <= 4 && rest.len() == 26 && rest.chars().all(|c| c.is_ascii_alphanumeric())
        })
    };
    let breaks = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(breaks).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        match id(word) {
            true => out.push_str("[id]"),
            false => out.push_str(word),
        }
        let next = after.chars().next().map_or(0, char::len_utf8);
        out.push_str(&after[..next]);
        rest = &after[next..];
    }
    out
}
