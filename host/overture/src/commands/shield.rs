use anyhow::Result;
use clap::{Args, Subcommand, builder::BoolishValueParser};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::say;
use crate::client::Client;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the Bounce Shield of the workspace
    Show,
    /// Change it; what is not given stays
    Set(Set),
}

#[derive(Debug, Args)]
pub struct Set {
    /// Whether it is on
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new())]
    enabled: Option<bool>,
    /// It trips when more of a hundred of the last mails came back: 1 to 20
    #[arg(long, value_name = "PERCENT")]
    threshold: Option<i64>,
    /// So many of the last mails are looked at: 50 to 1,000
    #[arg(long, value_name = "MAILS")]
    window: Option<i64>,
    /// Whether it pauses all campaigns when it trips; else it is an alert alone
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new())]
    pause: Option<bool>,
    /// Whether addresses that don't exist are put on the suppression list
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new())]
    block: Option<bool>,
}

/// `overture shield …`
pub async fn run(client: &Client, command: Command) -> Result<()> {
    let shield = match command {
        Command::Show => client.get("/bounce-shield").await?,
        Command::Set(set) => {
            let changes = [
                ("enabled", set.enabled.map(Value::from)),
                ("thresholdPercent", set.threshold.map(Value::from)),
                ("window", set.window.map(Value::from)),
                ("pausesCampaigns", set.pause.map(Value::from)),
                ("blocksAddresses", set.block.map(Value::from)),
            ];
            let given = changes
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?)));
            let body: Map<_, _> = given.collect();
            client
                .call(Method::PATCH, "/bounce-shield", &json!(body))
                .await?
        }
    };
    show(&shield);
    Ok(())
}

fn show(shield: &Value) {
    let on = |key: &str| match shield[key].as_bool() {
        Some(true) => "on",
        _ => "off",
    };
    say(format_args!(
        "{}: trips when more than {} % of the last {} mails came back",
        on("enabled"),
        shield["thresholdPercent"],
        shield["window"],
    ));
    say(format_args!(
        "  pauses campaigns: {}",
        on("pausesCampaigns")
    ));
    say(format_args!(
        "  suppresses addresses that don't exist: {}",
        on("blocksAddresses")
    ));
    if let Some(at) = shield["trippedAt"].as_str() {
        say(format_args!("  tripped {at}; mails before count no more"));
    }
}
