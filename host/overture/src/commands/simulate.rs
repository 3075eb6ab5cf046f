use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use overture_domain::CampaignId;
#[cfg(feature = "planted")]
use overture_domain::planted::{Bug, plant};
use serde_json::json;

use super::{
    campaign::{print_calendar, print_day},
    note, say,
};
use crate::{
    config::Config,
    simulate::{Report, Scenario, calendar, run, scratch},
};

#[derive(Debug, Args)]
pub struct Options {
    /// The scenario (TOML); without one, scenarios by chance
    file: Option<PathBuf>,
    /// A campaign of this instance in place of a scenario: when it will be finished and what binds on
    /// which day, by the engine itself on a copy of the database. Nothing leaves, and nobody answers
    #[arg(long, value_name = "ID", conflicts_with_all = ["file", "seeds", "server", "until_broken"])]
    pub campaign: Option<CampaignId>,
    /// All chance follows from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Run so many seeds, from --seed on
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// One JSON object a seed
    #[arg(long)]
    json: bool,
    /// Simulate two processes on a server of PostgreSQL, postgres://…; makes databases there
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// Die so often while mails go out, in scenarios by chance
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with_all = ["file", "campaign"])]
    crashes: u32,
    /// Stop after the first seed that breaks a rule
    #[arg(long)]
    until_broken: bool,
    /// A bug to be found
    #[cfg(feature = "planted")]
    #[arg(long)]
    planted: Option<Bug>,
    /// Print the bugs that can be planted
    #[cfg(feature = "planted")]
    #[arg(long)]
    bugs: bool,
}

/// `overture simulate`
pub fn simulate(options: &Options, config: Option<&Config>) -> Result<()> {
    if let (Some(id), Some(config)) = (options.campaign, config) {
        let found = calendar(config, id, options.seed)?;
        match options.json {
            true => say(found),
            false => print_calendar(&found),
        }
        return Ok(());
    }
    let given = match &options.file {
        None => None,
        Some(file) => {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("{} can't be read", file.display()))?;
            Some(Scenario::parse(&text)?)
        }
    };
    #[cfg(feature = "planted")]
    if options.bugs {
        let all = Bug::ALL.iter();
        let all = all.map(|bug| json!({"name": bug, "rule": bug.rule()}));
        say(serde_json::Value::from_iter(all));
        return Ok(());
    }
    #[cfg(feature = "planted")]
    if let Some(bug) = options.planted {
        plant(bug);
    }
    let cache = scratch()?;
    let mut broken = 0;
    for seed in options.seed..options.seed.saturating_add(options.seeds) {
        let scenario = given.clone().unwrap_or_else(|| {
            let mut scenario = Scenario::random(seed);
            scenario.faults.crashes_while_sending = options.crashes;
            scenario
        });
        let report = run(&scenario, seed, cache.path(), options.server.as_deref());
        broken += usize::from(report.as_ref().map_or(true, |it| !it.broken.is_empty()));
        match (report, options.json) {
            (Ok(report), true) => say(serde_json::to_string(&report)?),
            (Ok(report), false) => print(&report),
            // The other seeds go on.
            (Err(error), true) => {
                let what = format!("the engine could not go on: {error:#}");
                say(json!({ "seed": seed, "broken": [{ "rule": "none", "what": what }] }));
            }
            (Err(error), false) => {
                note(format_args!(
                    "seed {seed}: the engine could not go on: {error:#}"
                ));
            }
        }
        if broken > 0 && options.until_broken {
            break;
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
    for campaign in &report.campaigns {
        let people: Vec<_> = (campaign.people.iter())
            .map(|(state, n)| format!("{state} {n}"))
            .collect();
        let (name, status, people) = (&campaign.name, campaign.status, people.join(", "));
        say(format_args!(
            "{name} is {status}, {} mails: {people}",
            campaign.sends
        ));
        for day in &campaign.days {
            let limits: Vec<_> = day.limits.iter().map(String::as_str).collect();
            print_day(day.date, day.sends, &limits.join(", "));
        }
    }
    say("Occurred:");
    let all = report.coverage.0.iter();
    let all = all.map(|(what, counts)| (*what, counts));
    for (what, counts) in [("events", &report.events)].into_iter().chain(all) {
        let seen = counts.iter().filter(|(_, n)| **n > 0);
        let list: Vec<_> = seen.map(|(name, n)| format!("{name} {n}")).collect();
        if !list.is_empty() {
            say(format_args!("  {what}: {}", list.join(", ")));
        }
    }
    for broken in &report.broken {
        note(format_args!("BROKEN {}: {}", broken.rule, broken.what));
    }
    if report.broken.is_empty() {
        say("No rule was broken.");
    }
}
