use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::say;
use crate::client::Client;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print what an admin must see to
    List(List),
    /// Say that you see to alerts
    Ack(Ack),
}

#[derive(Debug, Args)]
pub struct List {
    /// Also those whose cause is gone
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Args)]
pub struct Ack {
    /// Ids of alerts (alt_…)
    #[arg(required = true)]
    ids: Vec<String>,
}

/// `overture alert …`
pub async fn run(client: &Client, command: Command) -> Result<()> {
    match command {
        Command::List(list) => {
            let state = if list.all { "all" } else { "open" };
            for alert in client.all(&format!("/alerts?state={state}")).await? {
                show(&alert);
            }
        }
        Command::Ack(ack) => {
            for id in ack.ids {
                let path = format!("/alerts/{id}/acknowledge");
                show(&client.post(&path, &json!({})).await?);
            }
        }
    }
    Ok(())
}

fn show(alert: &Value) {
    let text = |key: &str| alert[key].as_str();
    let shown = |key| text(key).unwrap_or_default();
    let state = match (text("closedAt"), text("acknowledgedBy")) {
        (Some(at), _) => format!("closed {at}"),
        (None, Some(by)) => format!("open, seen to by {by}"),
        (None, None) => "open".to_owned(),
    };
    say(format_args!(
        "{}  {:<8} {}  since {}  {state}\n    {}\n    → {}",
        shown("id"),
        shown("severity"),
        shown("code"),
        shown("firstSeenAt"),
        shown("message"),
        shown("fix"),
    ));
}
