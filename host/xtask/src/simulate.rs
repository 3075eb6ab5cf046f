//! `cargo xtask simulate`

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    ops::Range,
    path::PathBuf,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use overture_server_kit::{Durability, Postgres, Running, start_postgres};
use serde_json::Value;

use crate::command::{cargo, lines, run as run_command, succeeds};
use crate::workspace::Workspace;
use crate::{binaries, plugins};

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

/// How long CI simulates.
const IN_CI: Duration = Duration::from_secs(240);

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
    let sweep = Sweep {
        binary: build(workspace, "test-clock")?,
        server: match options.database {
            Database::Sqlite => None,
            Database::Postgres => Some(start_postgres(Durability::Off)?),
        },
        crashes: options.crashes,
        jobs: options.jobs,
    };
    let last = options.from.saturating_add(options.seeds);
    let seen = sweep.run(options.from..last, SHARE, || true)?;
    seen.report()?;
    seen.whole(options.seeds)
}

/// Simulates as many seeds as fit into the minutes of CI, in a build that can die, from the first
/// one on: what fails there fails again.
pub(crate) fn in_ci(workspace: &Workspace) -> Result<()> {
    let sweep = Sweep {
        binary: binaries::build_driven(workspace)?,
        server: None,
        crashes: 0,
        jobs: cores(),
    };
    #[expect(clippy::disallowed_methods, reason = "CI has minutes")]
    let begun = Instant::now();
    let seen = sweep.run(1..u64::MAX, 1, || begun.elapsed() < IN_CI)?;
    seen.report()
}

/// Seeds that are simulated in several processes.
struct Sweep {
    binary: PathBuf,
    /// None is SQLite.
    server: Option<Running<Postgres>>,
    crashes: u32,
    jobs: u64,
}

impl Sweep {
    /// Simulates seeds as long as there are any and `goes_on` says so; each process takes `share` of them.
    fn run(
        &self,
        seeds: Range<u64>,
        share: u64,
        goes_on: impl Fn() -> bool + Sync,
    ) -> Result<Seen> {
        let seen = Mutex::new(Seen::default());
        let next = AtomicU64::new(seeds.start);
        let hand = |core: u64| {
            while goes_on() {
                let first = next.fetch_add(share, Ordering::Relaxed);
                if first >= seeds.end {
                    break;
                }
                let mut command = self.command(core, first, share.min(seeds.end - first));
                lines(&mut command, |line| {
                    seen.lock().expect("nobody panics").line(line);
                })?;
            }
            Ok::<_, anyhow::Error>(())
        };
        let hand = &hand;
        thread::scope(|scope| {
            let hands: Vec<_> = (0..self.jobs.max(1))
                .map(|n| scope.spawn(move || hand(n % cores())))
                .collect();
            for hand in hands {
                hand.join().ok().context("a process could not be run")??;
            }
            Ok::<_, anyhow::Error>(())
        })?;
        Ok(seen.into_inner().expect("nobody panics"))
    }

    /// A process that stays on a core, where it may: its threads hand on work and wait for each other,
    /// which takes a quarter longer from one core to another.
    fn command(&self, core: u64, first: u64, n: u64) -> Command {
        let pinned = |program: &OsStr| {
            let mut command = Command::new("taskset");
            command.args(["--cpu-list", &core.to_string()]).arg(program);
            command
        };
        let mut command = match succeeds(&mut pinned("true".as_ref())) {
            true => pinned(self.binary.as_os_str()),
            false => Command::new(&self.binary),
        };
        command.args(["simulate", "--json"]);
        for (name, value) in [
            ("--seed", first),
            ("--seeds", n),
            ("--crashes", self.crashes.into()),
        ] {
            command.args([name, &value.to_string()]);
        }
        let server = self.server.iter().map(|running| running.url.as_str());
        command.args(server.flat_map(|url| ["--server", url]));
        command
    }
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

    /// Prints what was seen.
    ///
    /// # Errors
    /// Where a rule was broken.
    fn report(&self) -> Result<()> {
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
        match self.broken.len() {
            0 => Ok(()),
            n => bail!(
                "{n} times a rule was broken; `overture simulate --seed N` shows one seed again"
            ),
        }
    }

    /// Whether so many seeds came to their end and showed everything that a report lists.
    ///
    /// # Errors
    /// What is missing.
    fn whole(&self, asked: u64) -> Result<()> {
        if self.seeds < asked {
            bail!("only {} of {asked} seeds came to their end", self.seeds)
        }
        let never: Vec<_> = (self.counts.iter())
            .flat_map(|(what, counts)| counts.iter().map(move |(name, n)| (what, name, *n)))
            .filter(|(.., n)| *n == 0)
            .map(|(what, name, _)| format!("{what}: {name}"))
            .collect();
        match never.as_slice() {
            [] => Ok(()),
            never => bail!(
                "never seen: {}; more seeds, or a wider scenario (overture/src/simulate/by_chance.rs)",
                never.join(", ")
            ),
        }
    }
}
