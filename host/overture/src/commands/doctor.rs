use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;

use super::say;
use crate::{
    config::Config,
    doctor::{self, Finding, Severity, Wishes},
};

#[derive(Debug, Args)]
pub struct Options {
    /// One JSON object a line, the last with the counts
    #[arg(long)]
    json: bool,
    /// Sign in to the connected mailboxes as well
    #[arg(long, conflicts_with = "offline")]
    sign_in: bool,
    /// Look at nothing outside this machine: no mail hosts, no DNS
    #[arg(long)]
    offline: bool,
    /// Compare every index of the database with its table; takes minutes on a large one
    #[arg(long)]
    thorough: bool,
}

/// `overture doctor`: looks at everything that `serve` needs, changes nothing, says the fix. It fails
/// when something needs somebody; warnings alone are no failure.
pub async fn run(config: Result<Config>, options: Options) -> Result<()> {
    let wishes = Wishes {
        sign_in: options.sign_in,
        offline: options.offline,
        thorough: options.thorough,
    };
    let findings = doctor::examine(&config, wishes).await;
    for finding in &findings.0 {
        match options.json {
            true => say(serde_json::to_string(finding)?),
            false => show(finding),
        }
    }
    let (errors, warnings) = (findings.errors(), findings.warnings());
    if options.json {
        say(json!({"errors": errors, "warnings": warnings}));
    }
    match errors {
        0 => Ok(()),
        1 => bail!("1 of the above needs you"),
        n => bail!("{n} of the above need you"),
    }
}

fn show(finding: &Finding) {
    let word = match finding.severity {
        Severity::Ok => "ok   ",
        Severity::Warning => "warn ",
        Severity::Error => "WRONG",
    };
    // What is well needs no code.
    let what = finding.code.strip_suffix(".ok").unwrap_or(&finding.code);
    say(format_args!("{word} {what}: {}", finding.message));
    if let Some(fix) = &finding.fix {
        say(format_args!("      → {fix}"));
    }
}
