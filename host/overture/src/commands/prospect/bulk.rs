use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::{Filter, list, saved, say};
use crate::client::Client;

#[derive(Debug, Args)]
#[command(subcommand_required = true)]
pub struct Options {
    /// This prospect (pro_…); may be given several times, without other choices
    #[arg(long, value_name = "ID")]
    id: Vec<String>,
    #[command(flatten)]
    filter: Filter,
    /// Everybody in the workspace
    #[arg(long)]
    all: bool,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add tags
    AddTags {
        #[arg(required = true)]
        tags: Vec<String>,
    },
    /// Take tags away
    RemoveTags {
        #[arg(required = true)]
        tags: Vec<String>,
    },
    /// Put them on a list, by name
    AddToList { list: String },
    /// Take them off a list, by name
    RemoveFromList { list: String },
    /// Set the status: do_not_contact, or active to take that back
    SetStatus { status: String },
    /// Enroll them into a campaign
    Enroll {
        /// The campaign's id (cmp_…)
        campaign: String,
    },
}

/// `overture prospect bulk …`
pub(super) async fn run(client: &Client, options: &Options) -> Result<()> {
    let mut body = selection(client, options).await?;
    let action = match &options.action {
        Action::AddTags { tags } => json!({ "addTags": tags }),
        Action::RemoveTags { tags } => json!({ "removeTags": tags }),
        Action::AddToList { list } => json!({ "addToList": list::find(client, list).await? }),
        Action::RemoveFromList { list } => {
            json!({ "removeFromList": list::find(client, list).await? })
        }
        Action::SetStatus { status } => json!({ "setStatus": status }),
        Action::Enroll { campaign } => json!({ "enroll": campaign }),
    };
    body.insert("action".to_owned(), action);
    let done = client.post("/prospects/bulk", &Value::Object(body)).await?;
    say(format_args!(
        "{} prospects, {} of them changed",
        done["matchedCount"], done["changedCount"]
    ));
    if done["notFoundCount"] != 0 {
        say(format_args!("{} are not there", done["notFoundCount"]));
    }
    Ok(())
}

/// Whom the request names; nobody is meant by silence.
async fn selection(client: &Client, options: &Options) -> Result<Map<String, Value>> {
    let mut body = Map::new();
    if !options.id.is_empty() {
        body.insert("prospectIds".to_owned(), json!(options.id));
    }
    let conditions = options.filter.conditions.named(client).await?;
    if !conditions.is_empty() || options.all {
        body.insert("filter".to_owned(), Value::Object(conditions));
    }
    if let Some(name) = &options.filter.filter {
        body.insert(
            "filterId".to_owned(),
            json!(saved::find(client, name).await?),
        );
    }
    if body.is_empty() {
        bail!("say whom: --id, --filter, --search, --list, --status, --tag, --domain or --all");
    }
    Ok(body)
}
