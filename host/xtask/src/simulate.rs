//! `cargo xtask simulate`

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use anyhow::{Context, Result, bail};
use overture_server_kit::{Durability, start_postgres};
use serde_json::Value;

use crate::command::{cargo, lines, run as run_command};
use crate::plugins;
use crate::workspace::Workspace;

/// Where it is simulated.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Database {
    /// One process on a file.
    Sqlite,
    /// Two processes on a server that is started for it.
    Postgres,
}

/// Builds the program to simulate with in release, with a feature of it, in a folder of its own; where
/// it is. A build with another feature overwrites it.
pub(crate) fn build(workspace: &Workspace, feature: &str) -> Result<PathBuf> {
    plugins::run(workspace)?;
    let target = workspace.target().join("simulate");
    let features = format!("overture/{feature}");
    let build = "build --release -p overture --bin overture --target-dir";
    let mut build = cargo(&workspace.root, build);
    run_command(build.arg(&target).args(["--features", &features]))?;
    Ok(target.join("release/overture"))
}

/// Seeds that a process takes at a time: it compiles the plugins once for all of them.
const SHARE: u64 = 10;

/// What is simulated.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How many seeds.
    #[arg(long, value_name = "N", default_value_t = 100)]
    seeds: u64,
    /// The first of them.
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    from: u64,
    /// What keeps the data.
    #[arg(long, value_enum, default_value = "sqlite")]
    database: Database,
    /// Times that each seed dies while mails go out, beside its other faults.
    #[arg(long, value_name = "N", default_value_t = 0)]
    crashes: u32,
    /// Processes at a time.
    #[arg(long, value_name = "N", default_value_t = cores())]
    jobs: u64,
}

/// Processes that this machine runs at a time.
pub(crate) fn cores() -> u64 {
    thread::available_parallelism().map_or(1, |n| n.get() as u64)
}

/// Simulates so many seeds in a release build that can die, in `jobs` processes, and prints what
/// was seen how often. Fails where a rule was broken, or something was never seen that a report
/// lists.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let binary = build(workspace, "test-clock")?;
    let server = match options.database {
        Database::Sqlite => None,
        Database::Postgres => Some(start_postgres(Durability::Off)?),
    };
    let server = server.as_ref().map(|running| running.url.as_str());
    let seen = Mutex::new(Seen::default());
    let next = AtomicU64::new(0);
    thread::scope(|scope| {
        let hands: Vec<_> = (0..options.jobs.max(1))
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let first = next.fetch_add(SHARE, Ordering::Relaxed);
                        if first >= options.seeds {
                            return Ok::<_, anyhow::Error>(());
                        }
                        let n = SHARE.min(options.seeds - first);
                        let mut command = Command::new(&binary);
                        command.args(["simulate", "--json"]);
                        let first = options.from + first;
                        for (name, value) in [
                            ("--seed", first),
                            ("--seeds", n),
                            ("--crashes", options.crashes.into()),
                        ] {
                            command.args([name, &value.to_string()]);
                        }
                        command.args(server.iter().flat_map(|url| ["--server", url]));
                        lines(&mut command, |line| {
                            seen.lock().expect("nobody panics").line(line);
                        })?;
                    }
                })
            })
            .collect();
        for hand in hands {
            hand.join().ok().context("a process could not be run")??;
        }
        Ok::<_, anyhow::Error>(())
    })?;
    seen.into_inner()
        .expect("nobody panics")
        .report(options.seeds)
}

#[derive(Default)]
struct Seen {
    seeds: u64,
    people: u64,
    mails: u64,
    counts: BTreeMap<String, BTreeMap<String, u64>>,
    broken: Vec<String>,
}

impl Seen {
    fn line(&mut self, line: &str) {
        let Ok(report) = serde_json::from_str::<Value>(line) else {
            return;
        };
        let seed = &report["seed"];
        self.seeds += 1;
        self.people += report["people"].as_u64().unwrap_or(0);
        self.mails += report["mails"].as_u64().unwrap_or(0);
        let events = ("events", &report["events"]);
        let coverage = report["coverage"].as_object().into_iter().flatten();
        let coverage = coverage.map(|(what, counts)| (what.as_str(), counts));
        for (what, counts) in [events].into_iter().chain(coverage) {
            let sums = self.counts.entry(what.to_owned()).or_default();
            for (name, n) in counts.as_object().into_iter().flatten() {
                *sums.entry(name.clone()).or_default() += n.as_u64().unwrap_or(0);
            }
        }
        for broken in report["broken"].as_array().into_iter().flatten() {
            let text = |key: &str| broken[key].as_str().unwrap_or_default().to_owned();
            let broken = format!("seed {seed}: {}: {}", text("rule"), text("what"));
            println!("{broken}");
            self.broken.push(broken);
        }
    }

    fn report(self, asked: u64) -> Result<()> {
        println!(
            "{} seeds, {} people, {} mails",
            self.seeds, self.people, self.mails
        );
        for (what, counts) in &self.counts {
            let list: Vec<_> = counts
                .iter()
                .map(|(name, n)| format!("{name} {n}"))
                .collect();
            println!("{what}: {}", list.join(", "));
        }
        let deaths = self.counts.get("deaths").into_iter().flatten();
        let of = |parts: &[&str]| -> u64 {
            let deaths = deaths.clone();
            let of = deaths.filter(|(place, _)| parts.iter().any(|part| place.starts_with(part)));
            of.map(|(_, n)| n).sum()
        };
        let (all, sending) = (of(&[""]), of(&["sends ", "evidence "]));
        println!(
            "the process died {all} times, {sending} of them while it sent or looked for what was sent"
        );
        let never: Vec<_> = (self.counts.iter())
            .flat_map(|(what, counts)| counts.iter().map(move |(name, n)| (what, name, *n)))
            .filter(|(.., n)| *n == 0)
            .map(|(what, name, _)| format!("{what}: {name}"))
            .collect();
        match self.broken.len() {
            0 if self.seeds < asked => {
                bail!("only {} of {asked} seeds came to their end", self.seeds)
            }
            0 if !never.is_empty() => bail!(
                "never seen: {}; more seeds, or a wider scenario (overture/src/simulate/by_chance.rs)",
                never.join(", ")
            ),
            0 => Ok(()),
            n => bail!(
                "{n} times a rule was broken; `overture simulate --seed N` shows one seed again"
            ),
        }
    }
}
