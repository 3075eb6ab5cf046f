//! `overture` as a process of its own: in a folder of its own, with its own database, on a clock
//! that the test drives.
//!
//! ```ignore
//! let app = App::start(Installation::new(driven_binary(), config, &test.url), MONDAY).await;
//! app.cli(&["import", "people.csv"]).await.success();
//! app.settle_until("everybody got a mail", DAY, async || app.api.get("/…").await["sent"] == 20).await;
//! ```

mod api;
mod driver;
mod installation;
mod log;

use std::{process::Stdio, time::Duration};

use overture_domain::Timestamp;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
};

use crate::{eventually, servers::MailServers};
use log::Log;

pub use api::{Api, Refusal};
pub use driver::{Driver, Status};
pub use installation::{Installation, Ran, binary, driven_binary};

/// How long side effects of one moment may take, in real time.
const SETTLES_WITHIN: Duration = Duration::from_secs(30);

/// A running `overture serve` and everything needed to talk to it. The process is killed when
/// this is dropped.
pub struct App {
    pub installation: Installation,
    /// Where it listens: `http://127.0.0.1:PORT`.
    pub url: String,
    /// Of the workspace's only key.
    pub key: String,
    pub api: Api,
    pub clock: Driver,
    process: Child,
    log: Log,
}

impl App {
    /// Makes a user and a key through the command line, and serves from `now` on.
    ///
    /// # Panics
    /// When it does not come up; the message has its log.
    pub async fn start(installation: Installation, now: Timestamp) -> Self {
        installation
            .run(&["user", "create", "admin@example.com", "--name", "Admin"])
            .await
            .success();
        let key = installation.run(&["key", "create", "--quiet"]).await;
        let key = key.success().trim().to_owned();
        Self::serve(installation, key, now).await
    }

    /// Connects a mailbox of the mail servers whose password is `secret`; `more` are the fields that
    /// it has beside. Its id.
    ///
    /// # Panics
    /// When the connection is refused.
    pub async fn connect_mailbox(
        &self,
        servers: &MailServers,
        address: &str,
        more: Value,
    ) -> String {
        let server = |port, tls| json!({ "host": "localhost", "port": port, "tls": tls });
        let mut mailbox = json!({
            "emailAddress": address, "password": "secret",
            "smtp": server(servers.ports.submission, "starttls"),
            "imap": server(servers.ports.imaps, "implicit"),
        });
        for (field, value) in more.as_object().into_iter().flatten() {
            mailbox[field] = value.clone();
        }
        let made = self.api.post("/mailboxes", &mailbox).await;
        made["id"].as_str().expect("an id").to_owned()
    }

    /// Serves a database that has its people already, from `now` on.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub async fn serve(installation: Installation, key: String, now: Timestamp) -> Self {
        let socket = installation.path("clock.sock");
        // Left over where the last process was killed.
        let _ = std::fs::remove_file(&socket);
        let mut process = installation
            .command(&[
                "serve",
                "--clock",
                &format!("unix:{}", socket.display()),
                "--now",
                &now.to_string(),
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("overture can't be run: {error}"));
        let log = Log::collect(process.stderr.take().expect("stderr is a pipe"));
        let stdout = process.stdout.take().expect("stdout is a pipe");
        let url = listening(stdout, &log).await;
        let clock = eventually("the clock's socket", SETTLES_WITHIN, async || {
            Driver::connect(&socket).await.ok()
        })
        .await;
        Self {
            api: Api::new(&url, &key),
            installation,
            url,
            key,
            clock,
            process,
            log,
        }
    }

    /// Kills the process where it stands (SIGKILL) and serves again from the moment that its clock
    /// showed; the id of the one that was killed. The address is another one then.
    ///
    /// # Panics
    /// When it has ended by itself, or does not come up again.
    pub async fn kill(&mut self) -> u32 {
        let now = self.status().await.now;
        self.kill_until(now).await
    }

    /// The same, and it serves again from a later moment: nothing was done meanwhile.
    ///
    /// # Panics
    /// As [`kill`](Self::kill).
    pub async fn kill_until(&mut self, now: Timestamp) -> u32 {
        let id = self.process.id();
        let id = id.unwrap_or_else(|| panic!("it had ended; its log:\n{}", self.log.tail()));
        self.process.kill().await.expect("it was ours");
        let installation = self.installation.clone();
        *self = Self::serve(installation, self.key.clone(), now).await;
        id
    }

    /// Runs a command that talks to this server.
    pub async fn cli(&self, arguments: &[&str]) -> Ran {
        let mut command = self.installation.command(arguments);
        command
            .env("OVERTURE_URL", &self.url)
            .env("OVERTURE_API_KEY", &self.key);
        Ran::of(command, arguments).await
    }

    /// Lets time pass until `condition` holds: waits until nothing is under way, looks, and jumps
    /// to the next moment at which the server wants to act.
    ///
    /// # Panics
    /// When the condition does not hold within `limit` of the server's time, or work does not end;
    /// the message has the log's tail.
    pub async fn settle_until(
        &self,
        what: &str,
        limit: Duration,
        mut condition: impl AsyncFnMut() -> bool,
    ) {
        let end = self.status().await.now + limit;
        loop {
            let status = self.idle().await;
            if condition().await {
                return;
            }
            match status.next {
                Some(next) if next <= end => {
                    self.clock.set(next.max(status.now)).await;
                }
                next => panic!(
                    "{what}: not by {end}; it is {}, next is {next:?}; the log's tail:\n{}",
                    status.now,
                    self.log.tail()
                ),
            }
        }
    }

    /// Waits until nothing is under way.
    ///
    /// # Panics
    /// When work does not end.
    pub async fn idle(&self) -> Status {
        self.wait_for(|status| status.under_way == 0).await
    }

    async fn wait_for(&self, is_so: impl Fn(&Status) -> bool) -> Status {
        let mut last = None;
        let idle = tokio::time::timeout(SETTLES_WITHIN, async {
            let mut turns = tokio::time::interval(Duration::from_millis(2));
            loop {
                turns.tick().await;
                let status = self.status().await;
                if is_so(&status) {
                    return status;
                }
                last = Some(status);
            }
        })
        .await;
        idle.unwrap_or_else(|_| {
            panic!(
                "work does not end ({last:?}); the log's tail:\n{}",
                self.log.tail()
            )
        })
    }

    async fn status(&self) -> Status {
        self.clock.ask().await
    }

    /// Waits until nothing is under way but what is held at a failpoint.
    ///
    /// # Panics
    /// When work does not end.
    pub async fn idle_or_held(&self) -> Status {
        self.wait_for(|status| status.under_way == status.held.len())
            .await
    }

    /// Everything that the server logged so far.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Tells the server to stop as a service manager does, and waits for it.
    ///
    /// # Panics
    /// When it does not end well.
    pub async fn stop(mut self) {
        let id = self.process.id().expect("it runs").to_string();
        let told = std::process::Command::new("kill")
            .args(["-TERM", &id])
            .status();
        assert!(told.is_ok_and(|status| status.success()), "kill works");
        let ended = tokio::time::timeout(SETTLES_WITHIN, self.process.wait()).await;
        let status = ended
            .unwrap_or_else(|_| panic!("it does not stop; its log:\n{}", self.log.tail()))
            .expect("it was ours");
        assert!(status.success(), "{status}; its log:\n{}", self.log.tail());
    }
}

/// The address that `serve` says on its first line.
async fn listening(stdout: tokio::process::ChildStdout, log: &Log) -> String {
    let mut lines = BufReader::new(stdout).lines();
    let first = tokio::time::timeout(Duration::from_secs(120), lines.next_line()).await;
    let Ok(Ok(Some(line))) = first else {
        log.ended(Duration::from_secs(2)).await;
        panic!("overture serve did not come up; its log:\n{}", log.tail());
    };
    let url = line.strip_prefix("listening on ");
    url.unwrap_or_else(|| panic!("overture serve says {line}"))
        .to_owned()
}
