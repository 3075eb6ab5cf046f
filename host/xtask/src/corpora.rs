//! `cargo xtask corpora`: public samples of bounces and of broken mails, read by
//! `overture mail inspect`. They come from their packages and stay under `target/`.

mod bounces;
mod broken;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::command::{cargo, run as run_command};
use crate::plugins;
use crate::workspace::Workspace;

/// Fetches both corpora, reads every mail of them, and says what was read wrongly.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let folder = workspace.target().join("corpora");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let (bounces, broken) = (bounces::fetch(&folder)?, broken::fetch(&folder)?);
    if !workspace.packed_plugins().is_dir() {
        plugins::run(workspace)?;
    }
    run_command(&mut cargo(&workspace.root, "build -p overture"))?;
    let overture = workspace.target().join("debug/overture");
    let outcomes = [bounces.check(&overture), broken.check(&overture)];
    for outcome in outcomes {
        outcome?;
    }
    Ok(())
}

/// What `overture mail inspect` says of a mail, as far as it is looked at.
#[derive(Debug, Deserialize)]
struct Inspection {
    kind: String,
    bounce: Option<Bounce>,
}

#[derive(Debug, Deserialize)]
struct Bounce {
    recipients: Vec<Recipient>,
}

#[derive(Debug, Deserialize)]
struct Recipient {
    address: String,
}

/// Reads mails, all in one run of the program; an error with the program's words when it ends
/// before the last.
fn inspect(overture: &Path, mails: &[PathBuf]) -> Result<Vec<Inspection>> {
    let mut command = Command::new(overture);
    command.args(["mail", "inspect", "--json"]).args(mails);
    eprintln!("$ overture mail inspect --json … ({} mails)", mails.len());
    let output = command
        .stderr(Stdio::piped())
        .output()
        .with_context(|| overture.display().to_string())?;
    let lines = String::from_utf8_lossy(&output.stdout);
    let read: Result<Vec<Inspection>, _> = lines.lines().map(serde_json::from_str).collect();
    let read = read.context("what `overture mail inspect` prints is one object a line")?;
    if !output.status.success() {
        let at = mails.get(read.len()).map(|mail| mail.display().to_string());
        bail!(
            "it stopped at {}: {}",
            at.unwrap_or_default(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(read)
}
