use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::{Subcommand, ValueEnum};
use overture_domain::Clock;
use overture_template::{Context, JsonTags, Mode, RenderOptions, Seed, Template, check};

use super::say;
use crate::clock::SystemClock;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say everything that is wrong with a template, and what it uses
    Check {
        /// The template
        file: PathBuf,
        /// What it is written for
        #[arg(long = "for", value_enum, default_value_t = Purpose::Html)]
        purpose: Purpose,
        /// The whole report as JSON
        #[arg(long)]
        json: bool,
    },
    /// Render a template
    Render {
        /// The template
        #[arg(long, value_name = "FILE")]
        template: PathBuf,
        /// Its data: a JSON object with the names of merge tags, custom fields under `custom`
        #[arg(long, value_name = "FILE.json")]
        data: PathBuf,
        /// What it is written for
        #[arg(long = "for", value_enum, default_value_t = Purpose::Html)]
        purpose: Purpose,
        /// Another number makes other spintax choices
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
}

/// What a template is written for: it decides on escaping and length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Purpose {
    Subject,
    Text,
    Html,
    LinkedinNote,
    LinkedinMessage,
    InmailSubject,
    InmailBody,
    Post,
}

impl Purpose {
    const fn mode(self) -> Mode {
        Mode::product(match self {
            Self::Subject => Context::Subject,
            Self::Text => Context::Text,
            Self::Html => Context::Html,
            Self::LinkedinNote => Context::LinkedinNote,
            Self::LinkedinMessage => Context::LinkedinMessage,
            Self::InmailSubject => Context::InmailSubject,
            Self::InmailBody => Context::InmailBody,
            Self::Post => Context::Post,
        })
    }
}

/// `overture template …`
pub fn run(command: &Command) -> Result<()> {
    match command {
        Command::Check {
            file,
            purpose,
            json,
        } => checked(&read(file)?, *purpose, *json),
        Command::Render {
            template,
            data,
            purpose,
            seed,
        } => rendered(&read(template)?, &read(data)?, *purpose, *seed),
    }
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("{} can't be read", file.display()))
}

fn checked(source: &str, purpose: Purpose, json: bool) -> Result<()> {
    let report = check(source, purpose.mode());
    if json {
        say(serde_json::to_string_pretty(&report)?);
    } else {
        for diagnostic in &report.diagnostics {
            say(format_args!("{diagnostic}\n"));
        }
        let variables = &report.variables;
        for (name, used) in [
            ("built-in", &variables.builtin),
            ("custom", &variables.custom),
            ("assigned", &variables.assigned),
            ("without default", &variables.without_default),
        ] {
            if !used.is_empty() {
                let used: Vec<_> = used.iter().map(String::as_str).collect();
                say(format_args!("{name}: {}", used.join(", ")));
            }
        }
        if report.combinations > 1 {
            say(format_args!("spintax: {} texts", report.combinations));
        }
    }
    match report.valid {
        true => Ok(()),
        false => bail!("the template can't be used"),
    }
}

fn rendered(source: &str, data: &str, purpose: Purpose, seed: u64) -> Result<()> {
    let data: serde_json::Value = serde_json::from_str(data).context("the data is no JSON")?;
    let template = Template::parse(source, purpose.mode()).map_err(|diagnostics| {
        let all: Vec<_> = diagnostics.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("the template can't be used:\n{}", all.join("\n\n"))
    })?;
    let now = SystemClock
        .now()
        .to_jiff()
        .to_zoned(jiff::tz::TimeZone::UTC);
    let rendered = template.render(
        &JsonTags(&data),
        &RenderOptions::new(Seed::new("command line", seed), now),
    )?;
    say(&rendered.text);
    match rendered.missing.as_slice() {
        [] => Ok(()),
        missing => bail!("no value and no default for: {}", missing.join(", ")),
    }
}
