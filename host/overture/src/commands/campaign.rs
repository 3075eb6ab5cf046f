use std::{fmt::Display, path::PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{list, say};
use crate::client::Client;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a campaign; it is a draft until it is started
    Create(Box<Create>),
    /// Start a campaign
    Start {
        /// The campaign's id (cmp_…)
        id: String,
    },
    /// Pause a campaign
    Pause {
        /// The campaign's id (cmp_…)
        id: String,
    },
    /// Let a paused campaign run again
    Resume {
        /// The campaign's id (cmp_…)
        id: String,
    },
    /// When a campaign will be through, day by day
    Forecast {
        /// The campaign's id (cmp_…)
        id: String,
    },
    /// Show a campaign, how far it is and where its people stand
    Show {
        /// The campaign's id (cmp_…)
        id: String,
    },
    /// List the campaigns
    List,
}

#[derive(Debug, Args)]
pub struct Create {
    /// Its name, or with --file what the file leaves out
    name: Option<String>,
    /// A JSON file as POST /campaigns takes it
    #[arg(long, conflicts_with_all = ["subject", "body_file", "mailbox"])]
    file: Option<PathBuf>,
    /// A mailbox to send from, by address or id; may be given several times
    #[arg(long)]
    mailbox: Vec<String>,
    /// The subject, with merge tags such as {{firstName}}
    #[arg(long)]
    subject: Option<String>,
    /// A file with the body: HTML, with merge tags
    #[arg(long, value_name = "FILE")]
    body_file: Option<PathBuf>,
    /// Enroll the people of this list, by name
    #[arg(long)]
    list: Option<String>,
    /// IANA time zone of the sending window
    #[arg(long)]
    timezone: Option<String>,
    /// Send on every day and at every hour, not on working days from 9 to 17 alone
    #[arg(long)]
    any_time: bool,
    /// Print the campaign's id alone
    #[arg(long)]
    quiet: bool,
}

/// `overture campaign …`
pub async fn run(client: &Client, command: Command) -> Result<()> {
    match command {
        Command::Create(create) => make(client, *create).await,
        Command::Start { id } => turn(client, &id, "start").await,
        Command::Pause { id } => turn(client, &id, "pause").await,
        Command::Resume { id } => turn(client, &id, "resume").await,
        Command::Forecast { id } => forecast(client, &id).await,
        Command::Show { id } => show(client, &id).await,
        Command::List => {
            for campaign in client.all("/campaigns").await? {
                line(&campaign);
            }
            Ok(())
        }
    }
}

async fn turn(client: &Client, id: &str, how: &str) -> Result<()> {
    let path = format!("/campaigns/{id}/{how}");
    line(&client.post(&path, &json!({})).await?);
    Ok(())
}

async fn forecast(client: &Client, id: &str) -> Result<()> {
    print_calendar(&client.get(&format!("/campaigns/{id}/forecast")).await?);
    Ok(())
}

/// A day of a campaign: how many mails, and what keeps more back.
pub fn print_day(date: impl Display, sends: impl Display, binding: &str) {
    say(format_args!("  {date}  {sends:>6}  {binding}")
        .to_string()
        .trim_end());
}

/// A campaign's days, and when it is through.
pub fn print_calendar(found: &Value) {
    for day in found["days"].as_array().into_iter().flatten() {
        let binding = match text(&day["binding"]) {
            "nothing" => "",
            binding => binding,
        };
        print_day(text(&day["date"]), &day["sends"], binding);
    }
    match (found["finishesOn"].as_str(), found["mailsLeft"].as_i64()) {
        (Some(date), _) => say(format_args!("Through on {date}.")),
        (None, Some(0) | None) => say("Nothing lies ahead."),
        (None, Some(left)) => say(format_args!("{left} mails will not go out.")),
    }
}

async fn make(client: &Client, create: Create) -> Result<()> {
    let list = match &create.list {
        None => None,
        Some(name) => Some(list::find(client, name).await?),
    };
    let mut mailbox_ids = Vec::with_capacity(create.mailbox.len());
    for mailbox in &create.mailbox {
        mailbox_ids.push(find_mailbox(client, mailbox).await?);
    }
    let campaign = client
        .post("/campaigns", &body(&create, &mailbox_ids)?)
        .await?;
    let id = text(&campaign["id"]);
    match create.quiet {
        true => say(id),
        false => line(&campaign),
    }
    if let Some(list) = list {
        let path = format!("/campaigns/{id}/enrollments");
        let enrolled = client.post(&path, &json!({ "listIds": [list] })).await?;
        if !create.quiet {
            say(format_args!("  enrolled: {}", enrolled["enrolled"]));
            for (name, why) in [
                ("suppressed", "suppressed"),
                ("activeElsewhere", "on their way in another campaign"),
            ] {
                if enrolled[name] != json!(0) {
                    say(format_args!("  {why}: {}", enrolled[name]));
                }
            }
        }
    }
    Ok(())
}

fn body(create: &Create, mailbox_ids: &[String]) -> Result<Value> {
    if let Some(file) = &create.file {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("{} can't be read", file.display()))?;
        let mut body: Value = serde_json::from_str(&text)
            .with_context(|| format!("{} is no JSON", file.display()))?;
        if let (Some(name), Some(object)) = (&create.name, body.as_object_mut()) {
            object.entry("name").or_insert(json!(name));
        }
        return Ok(body);
    }
    let (Some(name), Some(subject), Some(file)) =
        (&create.name, &create.subject, &create.body_file)
    else {
        bail!("a campaign needs a name, --subject and --body-file, or --file");
    };
    let html = std::fs::read_to_string(file)
        .with_context(|| format!("{} can't be read", file.display()))?;
    let mut body = json!({
        "name": name,
        "mailboxIds": mailbox_ids,
        "steps": [{ "stepIndex": 0, "subject": subject, "bodyHtml": html }],
    });
    if let Some(zone) = &create.timezone {
        body["timezone"] = json!(zone);
    }
    if create.any_time {
        let every_day: Vec<u8> = (0..7).collect();
        body["windows"] = json!([{ "days": every_day, "start": "00:00", "end": "00:00" }]);
    }
    Ok(body)
}

async fn find_mailbox(client: &Client, mailbox: &str) -> Result<String> {
    if mailbox.starts_with("acc_") {
        return Ok(mailbox.to_owned());
    }
    let mailboxes = client.all("/mailboxes").await?;
    let same = |known: &&Value| text(&known["emailAddress"]).eq_ignore_ascii_case(mailbox);
    match mailboxes.iter().find(same) {
        Some(found) => Ok(text(&found["id"]).to_owned()),
        None => {
            let known: Vec<_> = mailboxes
                .iter()
                .map(|known| text(&known["emailAddress"]))
                .collect();
            bail!(
                "there is no mailbox {mailbox}; there are: {}",
                known.join(", ")
            )
        }
    }
}

async fn show(client: &Client, id: &str) -> Result<()> {
    let campaign = client.get(&format!("/campaigns/{id}")).await?;
    line(&campaign);
    for pause in campaign["pauses"].as_array().into_iter().flatten() {
        say(format_args!(
            "  held by {} since {}. {}. {}",
            text(&pause["reason"]),
            text(&pause["since"]),
            text(&pause["outlook"]),
            text(&pause["detail"]),
        ));
    }
    let stats = client.get(&format!("/campaigns/{id}/stats")).await?;
    for (name, value) in stats.as_object().into_iter().flatten() {
        match value.as_object() {
            None => say(format_args!("  {name}: {value}")),
            Some(parts) => {
                let parts: Vec<_> = parts.iter().map(|(of, n)| format!("{n} {of}")).collect();
                say(format_args!("  {name}: {}", parts.join(", ")));
            }
        }
    }
    for enrollment in client.all(&format!("/campaigns/{id}/enrollments")).await? {
        say(format_args!(
            "  {:<12} {:<40} {} {}",
            text(&enrollment["state"]),
            text(&enrollment["prospectEmail"]),
            text(&enrollment["nextActionAt"]),
            text(&enrollment["reason"])
        ));
    }
    Ok(())
}

fn line(campaign: &Value) {
    say(format_args!(
        "{}  {}  {}  {}",
        text(&campaign["id"]),
        text(&campaign["name"]),
        text(&campaign["status"]),
        text(&campaign["pausedReason"])
    ));
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
