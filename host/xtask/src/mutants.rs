//! `cargo xtask mutants`: bugs that are planted, and whether the simulator finds them (OPS-5).

use std::{collections::BTreeSet, path::Path, process::Command, sync::Mutex, thread};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::command::{lines, output};
use crate::simulate;
use crate::workspace::Workspace;

/// A bug, as `overture simulate --bugs` tells.
#[derive(Clone, Deserialize)]
struct Bug {
    name: String,
    rule: String,
}

/// Plants each bug by itself and simulates until a rule is found broken, so many seeds at most. Prints
/// the seed and the rules for each, and fails where one lives.
pub(crate) fn run(workspace: &Workspace, only: &[String], seeds: u64, jobs: u64) -> Result<()> {
    let binary = simulate::build(workspace, "planted")?;
    let bugs = output(Command::new(&binary).args(["simulate", "--bugs"]))?;
    let bugs: Vec<Bug> = serde_json::from_str(&bugs).context("the list of bugs can't be read")?;
    if let Some(unknown) = only
        .iter()
        .find(|name| bugs.iter().all(|bug| bug.name != **name))
    {
        bail!("there is no bug `{unknown}`; host/domain/src/planted.rs lists them");
    }
    let chosen = bugs.into_iter();
    let chosen = chosen.filter(|bug| only.is_empty() || only.contains(&bug.name));
    let waiting = Mutex::new(chosen);
    let lives = Mutex::new(Vec::new());
    thread::scope(|scope| {
        let hands: Vec<_> = (0..jobs.max(1))
            .map(|_| {
                scope.spawn(|| {
                    while let Some(bug) = next(&waiting) {
                        match hunt(&binary, &bug, seeds)? {
                            Some((seed, rules)) => println!(
                                "{} ({}): found by seed {seed}, as {rules}",
                                bug.name, bug.rule
                            ),
                            None => {
                                println!("{} ({}): LIVES", bug.name, bug.rule);
                                lives.lock().expect("nobody panics").push(bug.name);
                            }
                        }
                    }
                    Ok::<_, anyhow::Error>(())
                })
            })
            .collect();
        for hand in hands {
            hand.join().ok().context("a process could not be run")??;
        }
        Ok::<_, anyhow::Error>(())
    })?;
    match lives.into_inner().expect("nobody panics").as_slice() {
        [] => Ok(()),
        all => bail!("not found within {seeds} seeds: {}", all.join(", ")),
    }
}

fn next(waiting: &Mutex<impl Iterator<Item = Bug>>) -> Option<Bug> {
    waiting.lock().expect("nobody panics").next()
}

/// The first seed that finds it, and by which rules.
fn hunt(binary: &Path, bug: &Bug, seeds: u64) -> Result<Option<(u64, String)>> {
    let mut command = Command::new(binary);
    command.args([
        "simulate",
        "--json",
        "--until-broken",
        "--planted",
        &bug.name,
    ]);
    command.args(["--seeds", &seeds.to_string()]);
    let mut found = None;
    let mut seen = 0;
    lines(&mut command, |line| {
        let Ok(report) = serde_json::from_str::<Value>(line) else {
            return;
        };
        seen += 1;
        let broken = report["broken"].as_array().into_iter().flatten();
        let rules: BTreeSet<_> = broken.filter_map(|one| one["rule"].as_str()).collect();
        if !rules.is_empty() {
            let rules: Vec<_> = rules.into_iter().collect();
            found = report["seed"].as_u64().zip(Some(rules.join(", ")));
        }
    })?;
    if found.is_none() && seen < seeds {
        bail!(
            "{}: only {seen} of {seeds} seeds came to their end",
            bug.name
        );
    }
    Ok(found)
}
