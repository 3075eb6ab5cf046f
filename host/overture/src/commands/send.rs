use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::say;
use crate::client::Client;

/// Sends that one request decides.
const CHUNK: usize = 1_000;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Decide mails of which nobody knows whether they went out; without ids, list them
    Resolve(Resolve),
}

#[derive(Debug, Args)]
pub struct Resolve {
    /// Ids of sends (act_…)
    #[arg(requires = "outcome")]
    ids: Vec<String>,
    /// Decide every one that waits for a word
    #[arg(long, conflicts_with = "ids", requires = "outcome")]
    all: bool,
    /// They went out: the sequences go on
    #[arg(long, group = "outcome")]
    sent: bool,
    /// They did not: they are sent again, with the same Message-ID
    #[arg(long, group = "outcome")]
    not_sent: bool,
}

/// `overture send …`
pub async fn run(client: &Client, command: Command) -> Result<()> {
    let Command::Resolve(mut resolve) = command;
    let decides = resolve.sent || resolve.not_sent;
    if !resolve.all && resolve.ids.is_empty() {
        if decides {
            bail!("name the sends to decide, or give --all; `overture send resolve` lists them");
        }
        return list(client).await;
    }
    if resolve.all {
        let sends = client.all("/sends/ambiguous").await?;
        resolve.ids = sends
            .iter()
            .map(|send| text(send, "id").to_owned())
            .collect();
    }
    let outcome = if resolve.sent { "sent" } else { "not_sent" };
    let (mut resolved, mut others) = (0, Vec::new());
    for ids in resolve.ids.chunks(CHUNK) {
        let body = json!({ "ids": ids, "outcome": outcome });
        let answer = client.post("/sends/resolve", &body).await?;
        resolved += answer["resolved"].as_u64().unwrap_or(0);
        let not_ambiguous = answer["notAmbiguous"].as_array().into_iter().flatten();
        others.extend(not_ambiguous.filter_map(Value::as_str).map(str::to_owned));
    }
    let outcome = outcome.replace('_', " ");
    say(format_args!("{resolved} decided: {outcome}"));
    if !others.is_empty() {
        bail!("nothing was to be decided of {}", others.join(", "));
    }
    Ok(())
}

async fn list(client: &Client) -> Result<()> {
    for send in client.all("/sends/ambiguous").await? {
        let next = match send["nextLookAt"].as_str() {
            Some(at) => format!("looked for again at {at}"),
            None => "waits for a word".to_owned(),
        };
        say(format_args!(
            "{}  {}  {} → {}  <{}>  {next}",
            text(&send, "id"),
            text(&send, "attemptedAt"),
            text(&send, "mailboxEmail"),
            text(&send, "prospectEmail"),
            text(&send, "messageId"),
        ));
    }
    Ok(())
}

fn text<'a>(send: &'a Value, key: &str) -> &'a str {
    send[key].as_str().unwrap_or_default()
}
