use anyhow::{Result, bail};
use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::say;
use crate::client::Client;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the lists
    List,
    /// Make a list
    Create { name: String },
    /// Give a list another name
    Rename { name: String, to: String },
    /// Delete a list; its prospects stay
    Delete { name: String },
}

/// `overture list …`
pub async fn run(client: &Client, command: Command) -> Result<()> {
    match command {
        Command::List => {
            for list in client.all("/lists?sort=name").await? {
                line(&list);
            }
        }
        Command::Create { name } => line(&client.post("/lists", &json!({ "name": name })).await?),
        Command::Rename { name, to } => {
            let path = format!("/lists/{}", find(client, &name).await?);
            line(
                &client
                    .call(Method::PATCH, &path, &json!({ "name": to }))
                    .await?,
            );
        }
        Command::Delete { name } => {
            let path = format!("/lists/{}", find(client, &name).await?);
            client.call(Method::DELETE, &path, &json!({})).await?;
            say(format_args!("{name} is gone; its prospects stay"));
        }
    }
    Ok(())
}

/// The id of the list with this name or id.
pub(super) async fn find(client: &Client, name: &str) -> Result<String> {
    let lists = client.all("/lists?sort=name").await?;
    match lists
        .iter()
        .find(|list| list["name"] == name || list["id"] == name)
    {
        Some(list) => Ok(list["id"].as_str().unwrap_or_default().to_owned()),
        None => {
            let known: Vec<_> = lists
                .iter()
                .filter_map(|list| list["name"].as_str())
                .collect();
            bail!("there is no list `{name}`; there are: {}", known.join(", "))
        }
    }
}

fn line(list: &Value) {
    let text = |key: &str| list[key].as_str().unwrap_or_default();
    let count = &list["prospectCount"];
    say(format_args!("{}  {count:>8}  {}", text("id"), text("name")));
}
