use anyhow::{Result, bail};
use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::{prospect::Conditions, say};
use crate::client::Client;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the saved filters
    List,
    /// Keep a filter under a name; one of this name gets the new conditions
    Save {
        name: String,
        #[command(flatten)]
        conditions: Conditions,
    },
    /// Forget a filter; nobody whom it shows is touched
    Delete { name: String },
}

/// `overture filter …`
pub async fn run(client: &Client, command: Command) -> Result<()> {
    match command {
        Command::List => {
            for filter in client.all("/filters?sort=name").await? {
                line(&filter);
            }
        }
        Command::Save { name, conditions } => {
            let filter = Value::Object(conditions.named(client).await?);
            let known = client.all("/filters?sort=name").await?;
            let saved = match known.iter().find(|known| known["name"] == name.trim()) {
                Some(known) => {
                    let path = format!("/filters/{}", known["id"].as_str().unwrap_or_default());
                    let body = json!({ "filter": filter });
                    client.call(Method::PATCH, &path, &body).await?
                }
                None => {
                    let body = json!({ "name": name, "filter": filter });
                    client.post("/filters", &body).await?
                }
            };
            line(&saved);
        }
        Command::Delete { name } => {
            let path = format!("/filters/{}", find(client, &name).await?);
            client.call(Method::DELETE, &path, &json!({})).await?;
            say(format_args!("{name} is gone"));
        }
    }
    Ok(())
}

/// The id of the saved filter with this name or id.
pub(super) async fn find(client: &Client, name: &str) -> Result<String> {
    let filters = client.all("/filters?sort=name").await?;
    let found = filters
        .iter()
        .find(|filter| filter["name"] == name || filter["id"] == name);
    match found {
        Some(filter) => Ok(filter["id"].as_str().unwrap_or_default().to_owned()),
        None => {
            let known: Vec<_> = filters
                .iter()
                .filter_map(|filter| filter["name"].as_str())
                .collect();
            bail!(
                "there is no filter `{name}`; there are: {}",
                known.join(", ")
            )
        }
    }
}

fn line(filter: &Value) {
    let text = |key: &str| filter[key].as_str().unwrap_or_default();
    let conditions: Vec<_> = filter["filter"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some(format!("{name}={}", value.as_str()?)))
        .collect();
    say(format_args!(
        "{}  {:<30} {}",
        text("id"),
        text("name"),
        conditions.join(" ")
    ));
}
