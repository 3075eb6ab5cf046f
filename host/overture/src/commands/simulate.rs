use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;

use super::{note, say};
use crate::simulate::{Report, Scenario, run};

#[derive(Debug, Args)]
pub struct Options {
    /// The scenario (TOML); without one, scenarios by chance
    file: Option<PathBuf>,
    /// All chance follows from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Run so many seeds, from --seed on
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// One JSON object a seed
    #[arg(long)]
    json: bool,
}

/// `overture simulate`
pub fn simulate(options: &Options) -> Result<()> {
    let given = match &options.file {
        None => None,
        Some(file) => {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("{} can't be read", file.display()))?;
            Some(Scenario::parse(&text)?)
        }
    };
    let cache = tempfile::tempdir().context("a temporary folder can't be made")?;
    let mut broken = 0;
    for seed in options.seed..options.seed.saturating_add(options.seeds) {
        let scenario = given.clone().unwrap_or_else(|| Scenario::random(seed));
        let report = run(&scenario, seed, cache.path())
            .with_context(|| format!("seed {seed}: the engine could not go on"))?;
        broken += usize::from(!report.broken.is_empty());
        match options.json {
            true => say(serde_json::to_string(&report)?),
            false => print(&report),
        }
    }
    match broken {
        0 => Ok(()),
        n => bail!("rules were broken in {n} of {} seeds", options.seeds),
    }
}

fn print(report: &Report) {
    say(format_args!(
        "seed {}: {} days, {} people, {} mails, events {}",
        report.seed, report.days, report.people, report.mails, report.digest
    ));
    for (what, counts) in [
        ("events", &report.events),
        ("campaigns", &report.transitions),
        ("limits", &report.limits),
        ("people", &report.states),
    ] {
        let list: Vec<_> = counts
            .iter()
            .map(|(name, n)| format!("{name} {n}"))
            .collect();
        say(format_args!("  {what}: {}", list.join(", ")));
    }
    let faults: Vec<_> = report
        .faults
        .iter()
        .map(|(name, n)| format!("{name} {n}"))
        .collect();
    say(format_args!("  faults: {}", faults.join(", ")));
    for broken in &report.broken {
        note(format_args!("  BROKEN {}: {}", broken.rule, broken.what));
    }
}
