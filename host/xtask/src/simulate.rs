//! `cargo xtask simulate`

use std::{collections::BTreeMap, process::Command, sync::Mutex, thread};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::command::{cargo, lines, run as run_command};
use crate::plugins;
use crate::workspace::Workspace;

/// Counts of a report that are summed up.
const COUNTS: [&str; 5] = ["events", "transitions", "limits", "states", "faults"];

/// Simulates so many seeds in a release build that can die, in `jobs` processes, and prints what
/// was seen how often. Fails where a rule was broken.
pub(crate) fn run(workspace: &Workspace, first: u64, seeds: u64, jobs: u64) -> Result<()> {
    plugins::run(workspace)?;
    let build =
        "build --release -p overture --bin overture --features overture/test-clock --target-dir";
    let target = workspace.target().join("simulate");
    run_command(cargo(&workspace.root, build).arg(&target))?;
    let binary = target.join("release/overture");
    let seen = Mutex::new(Seen::default());
    let share = seeds.div_ceil(jobs.max(1));
    thread::scope(|scope| {
        let parts = (0..seeds).step_by(usize::try_from(share.max(1)).unwrap_or(1));
        let parts: Vec<_> = parts
            .map(|from| {
                let (binary, seen) = (&binary, &seen);
                scope.spawn(move || {
                    let n = share.min(seeds - from).to_string();
                    let seed = (first + from).to_string();
                    let mut command = Command::new(binary);
                    command.args(["simulate", "--json", "--seed", &seed, "--seeds", &n]);
                    lines(&mut command, |line| {
                        seen.lock().expect("nobody panics").line(line);
                    })
                })
            })
            .collect();
        for part in parts {
            part.join().ok().context("a process could not be run")??;
        }
        Ok::<_, anyhow::Error>(())
    })?;
    seen.into_inner().expect("nobody panics").report(seeds)
}

#[derive(Default)]
struct Seen {
    seeds: u64,
    people: u64,
    mails: u64,
    counts: BTreeMap<&'static str, BTreeMap<String, u64>>,
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
        for what in COUNTS {
            for (name, n) in report[what].as_object().into_iter().flatten() {
                let counts = self.counts.entry(what).or_default();
                *counts.entry(name.clone()).or_default() += n.as_u64().unwrap_or(0);
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
        match self.broken.len() {
            0 if self.seeds == asked => Ok(()),
            0 => bail!("only {} of {asked} seeds came to their end", self.seeds),
            n => bail!(
                "{n} times a rule was broken; `overture simulate --seed N` shows one seed again"
            ),
        }
    }
}
