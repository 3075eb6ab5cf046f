use anyhow::Result;
use clap::Args;
use futures::StreamExt;
use serde_json::Value;

use super::say;
use crate::client::Client;

#[derive(Debug, Args)]
pub struct Options {
    /// Go on and print what happens
    #[arg(long)]
    follow: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// `overture events`
pub async fn run(client: &Client, options: &Options) -> Result<()> {
    if !options.follow {
        for event in client.all("/events").await? {
            show(&event, options.json);
        }
        return Ok(());
    }
    let mut stream = client.stream("/events/stream").await?.bytes_stream();
    let mut waiting = Vec::new();
    while let Some(bytes) = stream.next().await {
        waiting.extend_from_slice(&bytes?);
        while let Some(end) = waiting.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = waiting.drain(..=end).collect();
            let data = line
                .strip_prefix(b"data: ")
                .and_then(|data| serde_json::from_slice(data).ok());
            if let Some(event) = data {
                show(&event, options.json);
            }
        }
    }
    Ok(())
}

fn show(event: &Value, json: bool) {
    if json {
        return say(event);
    }
    let text = |key: &str| event[key].as_str().unwrap_or_default();
    say(format_args!(
        "{}  {:<24} {}",
        text("occurredAt"),
        text("type"),
        event["data"]
    ));
}
