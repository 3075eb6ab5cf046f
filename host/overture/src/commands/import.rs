use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use super::say;
use crate::client::Client;

#[derive(Debug, Args)]
pub struct Options {
    /// The CSV file
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
    ];
    query.extend(options.list.clone().map(|list| ("listName", list)));
    query.extend(options.mapping.clone().map(|mapping| ("mapping", mapping)));
    let import = client.upload("/imports", &query, "text/csv", file).await?;
    let id = import["id"].as_str().unwrap_or_default();
    say(format_args!(
        "{id}: {} created, {} updated, {} duplicate, {} suppressed, {} invalid",
        import["created"],
        import["updated"],
        import["duplicate"],
        import["suppressed"],
        import["invalid"]
    ));
    if let Some(list) = import["listId"].as_str() {
        say(format_args!("list: {list}"));
    }
    for problem in client.all(&format!("/imports/{id}/problems")).await? {
        say(format_args!(
            "  line {}: {}: {}",
            problem["line"],
            problem["result"].as_str().unwrap_or_default(),
            problem["reason"].as_str().unwrap_or_default()
        ));
    }
    Ok(())
}
