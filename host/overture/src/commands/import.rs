use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};
use clap::Args;
use overture_domain::Clock;
use serde_json::Value;

use super::{note, say};
use crate::{
    client::Client,
    clock::{SystemClock, Time},
};

/// Until the first look at a running import; each next one comes after twice the time.
const FIRST_LOOK: Duration = Duration::from_millis(100);
/// The longest between two looks: they count as requests (API-3).
const LOOK: Duration = Duration::from_secs(5);
/// Rejected rows that are listed.
const LISTED: usize = 100;

#[derive(Debug, Args)]
pub struct Options {
    /// The CSV file or .xlsx workbook
    file: PathBuf,
    /// Put the people on the list of this name; it is made when there is none
    #[arg(long)]
    list: Option<String>,
    /// Give people who are there already the file's values
    #[arg(long)]
    update: bool,
    /// Header of the file → field, as JSON: {"Mail 2": "ignore", "Plan": "custom:plan"}
    #[arg(long, value_name = "JSON")]
    mapping: Option<String>,
    /// Write the rows that did not become prospects to this CSV file, to mend and import again
    #[arg(long, value_name = "FILE")]
    problems: Option<PathBuf>,
}

/// `overture import FILE.csv`
pub async fn run(client: &Client, options: &Options) -> Result<()> {
    let file = std::fs::read(&options.file)
        .with_context(|| format!("{} can't be read", options.file.display()))?;
    let name = options
        .file
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let mut query = vec![
        ("fileName", name),
        ("updateExisting", options.update.to_string()),
        ("background", true.to_string()),
    ];
    query.extend(options.list.clone().map(|list| ("listName", list)));
    query.extend(options.mapping.clone().map(|mapping| ("mapping", mapping)));
    let begun = client.upload("/imports", &query, "text/csv", file).await?;
    let id = begun["id"].as_str().unwrap_or_default();
    let import = ended(client, id, begun.clone()).await?;
    say(format_args!(
        "{id}: {} created, {} updated, {} duplicate, {} suppressed, {} invalid",
        import["created"],
        import["updated"],
        import["duplicate"],
        import["suppressed"],
        import["invalid"]
    ));
    if rows(&import, &["incomplete"]) > 0 {
        say(format_args!(
            "{} of those created and updated lack a value that made no sense",
            import["incomplete"]
        ));
    }
    if let Some(list) = import["listId"].as_str() {
        say(format_args!("list: {list}"));
    }
    list_problems(client, id, &import).await?;
    if let Some(path) = &options.problems {
        let file = client
            .stream(&format!("/imports/{id}/problems.csv"))
            .await?
            .bytes()
            .await
            .context("the server's answer broke off")?;
        std::fs::write(path, file)
            .with_context(|| format!("{} can't be written", path.display()))?;
    }
    if let Some(failure) = import["failure"].as_str() {
        bail!("{failure}");
    }
    Ok(())
}

/// Waits until an import has ended, and tells how far it is.
async fn ended(client: &Client, id: &str, mut import: Value) -> Result<Value> {
    let (mut told, mut wait) = (0, FIRST_LOOK);
    while import["state"] == "running" {
        SystemClock.reached(SystemClock.now() + wait).await;
        wait = (wait * 2).min(LOOK);
        import = client.get(&format!("/imports/{id}")).await?;
        let done = rows(
            &import,
            &["created", "updated", "duplicate", "suppressed", "invalid"],
        );
        let total = rows(&import, &["total"]);
        // Every tenth of the file.
        let tenth = done * 10 / total.max(1);
        if tenth > told && done < total {
            note(format_args!("{done} of {total} rows"));
            told = tenth;
        }
    }
    Ok(import)
}

async fn list_problems(client: &Client, id: &str, import: &Value) -> Result<()> {
    let problems = client
        .get(&format!("/imports/{id}/problems?limit={LISTED}"))
        .await?;
    for problem in problems.as_array().into_iter().flatten() {
        say(format_args!(
            "  line {}: {}: {}",
            problem["line"],
            problem["result"].as_str().unwrap_or_default(),
            problem["reason"].as_str().unwrap_or_default()
        ));
    }
    let listed = problems.as_array().map_or(0, Vec::len) as u64;
    let told = ["duplicate", "suppressed", "invalid", "incomplete"];
    let more = rows(import, &told).saturating_sub(listed);
    if more > 0 {
        say(format_args!(
            "  and {more} more: --problems FILE writes all of them"
        ));
    }
    Ok(())
}

fn rows(import: &Value, counts: &[&str]) -> u64 {
    counts
        .iter()
        .filter_map(|name| import[*name].as_u64())
        .sum()
}
