mod bulk;

use anyhow::Result;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{filter as saved, list, say};
use crate::client::Client;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print prospects
    List(Filter),
    /// Print everything that is known of a prospect
    Show {
        /// The prospect's id (pro_…)
        id: String,
    },
    /// Add a prospect; one with this address, or without an address this profile, stays as it is
    Add(Add),
    /// Do one thing with many prospects: overture prospect bulk --tag fair add-to-list Spring
    Bulk(bulk::Options),
    /// Change fields of a prospect
    Set {
        /// The prospect's id (pro_…)
        id: String,
        /// Fields as FIELD=VALUE, named as in the API: firstName=Ada
        #[arg(required = true, value_parser = field)]
        fields: Vec<(String, String)>,
    },
}

/// Whom a command is about.
#[derive(Debug, Args)]
pub struct Filter {
    /// Those whom this saved filter shows, by name; other choices take the place of its own
    #[arg(long)]
    filter: Option<String>,
    #[command(flatten)]
    conditions: Conditions,
}

#[derive(Debug, Args)]
pub struct Conditions {
    /// Part of any field, from 3 characters on
    #[arg(long)]
    search: Option<String>,
    /// Those on this list, by name
    #[arg(long)]
    list: Option<String>,
    /// active, bounced, unsubscribed, suppressed, invalid or do_not_contact
    #[arg(long)]
    status: Option<String>,
    /// Those with this tag
    #[arg(long)]
    tag: Option<String>,
    /// Those at this domain; noemail.invalid for people whose address is not known
    #[arg(long)]
    domain: Option<String>,
}

impl Conditions {
    /// As the API names them.
    pub(super) async fn named(&self, client: &Client) -> Result<Map<String, Value>> {
        let list = match &self.list {
            None => None,
            Some(name) => Some(list::find(client, name).await?),
        };
        let given = [
            ("search", &self.search),
            ("listId", &list),
            ("status", &self.status),
            ("tag", &self.tag),
            ("domain", &self.domain),
        ];
        let given = given
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?))));
        Ok(given.collect())
    }
}

#[derive(Debug, Args)]
pub struct Add {
    /// The address, and fields as FIELD=VALUE, named as in the API: firstName=Ada; linkedinUrl=… will
    /// do for the address
    #[arg(required = true, value_name = "EMAIL|FIELD=VALUE", value_parser = email_or_field)]
    fields: Vec<(String, String)>,
    /// Put it on this list, by name
    #[arg(long)]
    list: Option<String>,
}

fn email_or_field(text: &str) -> Result<(String, String), String> {
    match text.contains('=') {
        false => Ok(("email".to_owned(), text.to_owned())),
        true => field(text),
    }
}

fn field(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write FIELD=VALUE, such as firstName=Ada".to_owned()),
    }
}

/// `overture prospect …`
pub async fn run(client: &Client, command: Command) -> Result<()> {
    match command {
        Command::List(filter) => {
            let mut given = filter.conditions.named(client).await?;
            if let Some(name) = &filter.filter {
                given.insert(
                    "filterId".to_owned(),
                    json!(saved::find(client, name).await?),
                );
            }
            let given: Vec<_> = given
                .iter()
                .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
                .collect();
            for prospect in client.all_of("/prospects", &given).await? {
                line(&prospect);
            }
        }
        Command::Show { id } => {
            let prospect = client.get(&format!("/prospects/{id}")).await?;
            for (name, value) in prospect.as_object().into_iter().flatten() {
                match value {
                    Value::String(text) if text.is_empty() => {}
                    Value::String(text) => say(format_args!("{name}: {text}")),
                    Value::Null => {}
                    value => say(format_args!("{name}: {value}")),
                }
            }
        }
        Command::Add(add) => {
            let mut body = fields(add.fields);
            if let Some(name) = &add.list {
                body.insert("listId".to_owned(), json!(list::find(client, name).await?));
            }
            line(&client.post("/prospects", &Value::Object(body)).await?);
        }
        Command::Bulk(options) => bulk::run(client, &options).await?,
        Command::Set { id, fields: given } => {
            let path = format!("/prospects/{id}");
            let body = Value::Object(fields(given));
            line(&client.call(Method::PATCH, &path, &body).await?);
        }
    }
    Ok(())
}

fn fields(given: Vec<(String, String)>) -> Map<String, Value> {
    given
        .into_iter()
        .map(|(name, value)| (name, json!(value)))
        .collect()
}

fn line(prospect: &Value) {
    let text = |key: &str| prospect[key].as_str().unwrap_or_default();
    let name = format!("{} {}", text("firstName"), text("lastName"));
    say(format_args!(
        "{}  {:<40} {:<14} {}",
        text("id"),
        text("email"),
        text("status"),
        name.trim()
    ));
}
