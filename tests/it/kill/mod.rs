//! SAFE-3 under SIGKILL: a real process sends over real mail servers and is killed again and again,
//! at every phase of a send. Truth is what lies in the mailboxes of those who were written to.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `phases` | where the process is killed, and how often it was |
//! | `campaigns` | who writes to whom |
//! | `truth` | what arrived |
//! | `hooks` | the same for webhooks |
//!
//! `OVERTURE_KILLS` sets how often; `cargo xtask kill-test --kills N` says it.

#![expect(
    clippy::print_stdout,
    reason = "a run says which processes it killed, and how often in each phase"
)]

mod campaigns;
mod hooks;
mod phases;
mod truth;

use std::{collections::BTreeMap, env, time::Duration};

use overture_testkit::{
    App, Dialect, MONDAY,
    app::{Installation, Status, driven_binary},
    eventually, on_both,
    servers::{MailOptions, MailServers, start_mail},
};

use campaigns::{Campaigns, Senders};
use phases::{Histogram, Phase};
use truth::Truth;

/// Mails of a run, at least.
const MAILS: usize = 500;

/// Real servers take this long at most to deliver what they took.
const DELIVERY: Duration = Duration::from_secs(60);

/// Time goes on in steps of at least this, so that several mailboxes are due at once.
const STEP: Duration = Duration::from_secs(90);
const LONGEST_STEP: Duration = Duration::from_secs(1_800);

/// How often a run kills.
fn kills() -> usize {
    let wanted = env::var("OVERTURE_KILLS").ok();
    wanted.map_or(24, |text| text.parse().expect("OVERTURE_KILLS is a number"))
}

on_both! {
    // SAFE-3, SCH-5, MB-9
    async fn mails(test: TestDatabase) {
        let servers = start_mail(&MailOptions { prospects: 0, ..MailOptions::default() }).expect("mail servers");
        let app = App::start(Installation::new(driven_binary(), &config(&servers), &test.url), MONDAY).await;
        let senders = Senders::connect(&app, &servers).await;
        let mut run = Run { app, servers: &servers, campaigns: Campaigns::new(senders), killed: Histogram::default(), step: STEP, sent: 0, steps: 0 };
        run.kill_often(test.db.dialect()).await;
        run.check().await;
        run.app.stop().await;
    }
}

/// The configuration of an instance beside these servers. On PostgreSQL nobody waits half a minute
/// until a host counts as dead.
fn config(servers: &MailServers) -> String {
    let ports = servers.ports;
    format!(
        "[engine]\nhost_dead_after_seconds = 1\n\
         [mail]\nallowed_networks = [\"127.0.0.0/8\"]\nallowed_ports = [{}, {}]\nextra_ca_file = \"{}\"\n",
        ports.submission,
        ports.imaps,
        servers.ca_file.display()
    )
}

struct Run<'a> {
    app: App,
    servers: &'a MailServers,
    campaigns: Campaigns,
    killed: Histogram,
    /// How far time went on last, and how many mails had gone out by then.
    step: Duration,
    sent: i64,
    /// How often time went on.
    steps: usize,
}

impl Run<'_> {
    /// Kills in every phase in turn, until it was often enough and enough mails are on their way.
    async fn kill_often(&mut self, dialect: Dialect) {
        let mut phases = Phase::ALL.iter().cycle();
        while self.killed.total() < kills() {
            let phase = *phases.next().expect("there are phases");
            let held = match phase.failpoint() {
                None => Vec::new(),
                Some(failpoint) => {
                    self.app.clock.hold(failpoint).await;
                    self.advance_until_held().await
                }
            };
            let pid = self.app.kill().await;
            println!(
                "{dialect:?}: killed {pid} in {phase}, {} under way there",
                held.len()
            );
            self.killed.note(phase, held);
            // Some go through between two kills.
            self.advance().await;
        }
        self.killed.check();
        while self.campaigns.mails() < MAILS || self.campaigns.are_open(&self.app).await {
            self.advance().await;
        }
    }

    async fn advance_until_held(&mut self) -> Vec<String> {
        loop {
            let status = self.advance().await;
            if !status.held.is_empty() {
                return status.held;
            }
        }
    }

    /// Lets everything settle, then jumps to the next moment; stops early where work is held.
    async fn advance(&mut self) -> Status {
        let status = self.app.idle_or_held().await;
        if !status.held.is_empty() {
            return status;
        }
        self.servers_settle().await;
        self.steps += 1;
        let numbers = self.campaigns.numbers(&self.app).await;
        assert!(
            // Counters are held against events every half an hour, so a quiet week has 336 steps.
            self.steps < 5_000 + 50 * kills(),
            "this never ends: {numbers:?}"
        );
        let more_kills = self.killed.total() < kills();
        if self.campaigns.want_more(&numbers, more_kills) {
            self.campaigns.add(&self.app, self.servers).await;
        }
        // Where nothing goes out, as in a night, time goes faster.
        self.step = match numbers.sent == self.sent {
            true => (self.step * 2).min(LONGEST_STEP),
            false => STEP,
        };
        self.sent = numbers.sent;
        let status = self.app.idle_or_held().await;
        let next = status.next.unwrap_or(status.now);
        let next = next.max(status.now + self.step);
        self.app.clock.set(next).await;
        self.app.idle_or_held().await
    }

    async fn servers_settle(&self) {
        eventually("Postfix delivers what it took", DELIVERY, async || {
            (!self.servers.has_queued_mail().ok()?).then_some(())
        })
        .await;
    }

    /// What must hold after all that.
    async fn check(&mut self) {
        self.servers_settle().await;
        let truth = Truth::read(self.servers, self.campaigns.people());
        truth.check_nothing_came_twice();
        let numbers = self.campaigns.numbers(&self.app).await;
        let mut ambiguous: BTreeMap<String, i64> = BTreeMap::new();
        for send in self.app.api.all("/sends/ambiguous").await {
            let sender = send["mailboxEmail"]
                .as_str()
                .expect("an address")
                .to_owned();
            *ambiguous.entry(sender).or_default() += 1;
        }
        let parked: i64 = ambiguous.values().sum();
        let ended = numbers.in_state("completed");
        assert_eq!(numbers.in_state("ambiguous_send"), parked, "{numbers:?}");
        assert_eq!(
            ended + parked,
            self.campaigns.people().len() as i64,
            "{numbers:?}"
        );
        for (sender, n) in &ambiguous {
            let stood = self.killed.after_the_attempt(sender);
            assert!(
                !self.campaigns.senders.file_copies(sender),
                "evidence was there for {sender}: {n} stay ambiguous"
            );
            assert!(
                *n <= stood,
                "{sender}: {n} are ambiguous, but only {stood} stood after the attempt"
            );
        }
        self.resolve_by(&truth).await;
        while self.campaigns.are_open(&self.app).await {
            self.advance().await;
        }
        self.servers_settle().await;
        let truth = Truth::read(self.servers, self.campaigns.people());
        truth.check_nothing_came_twice();
        truth.check_every_step_came_once();
        println!(
            "{}; {} mails, {parked} decided by hand",
            self.killed,
            truth.mails()
        );
    }

    /// What a person does who has looked into the mailboxes.
    async fn resolve_by(&self, truth: &Truth) {
        let sends = self.app.api.all("/sends/ambiguous").await;
        let (mut sent, mut not_sent) = (
            vec!["send", "resolve", "--sent"],
            vec!["send", "resolve", "--not-sent"],
        );
        for send in &sends {
            let message_id = send["messageId"].as_str().expect("a Message-ID");
            let list = if truth.has(message_id) {
                &mut sent
            } else {
                &mut not_sent
            };
            list.push(send["id"].as_str().expect("an id"));
        }
        for arguments in [sent, not_sent] {
            if arguments.len() > 3 {
                self.app.cli(&arguments).await.success();
            }
        }
        assert_eq!(self.app.api.all("/sends/ambiguous").await.len(), 0);
    }
}
