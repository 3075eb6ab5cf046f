use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::say;
use crate::client::Client;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Connect a mailbox; its connections are tested first
    Add(Box<Add>),
    /// Test a mailbox's connections for real
    Test {
        /// The mailbox's id (acc_…)
        id: String,
    },
    /// List the mailboxes, and say of each that can't be read why
    List,
    /// Show one mailbox: its status, when it was last read, and what keeps it from being read
    Show {
        /// The mailbox's id (acc_…)
        id: String,
    },
}

#[derive(Debug, Args)]
pub struct Add {
    /// The mail address
    address: String,
    /// The name beside the address in From
    #[arg(long, default_value = "")]
    name: String,
    /// A known mail service, such as gmail or fastmail; by default the one for the address's domain
    #[arg(long)]
    preset: Option<String>,
    /// The password or app password; left out, it is read from standard input
    #[arg(long, env = "OVERTURE_MAILBOX_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// The user name [default: the address]
    #[arg(long)]
    user: Option<String>,
    /// SMTP server as HOST:PORT
    #[arg(long, value_name = "HOST:PORT")]
    smtp: Option<String>,
    /// IMAP server as HOST:PORT
    #[arg(long, value_name = "HOST:PORT")]
    imap: Option<String>,
    /// How the SMTP connection is secured: starttls or implicit [default: implicit on 465]
    #[arg(long, value_name = "MODE")]
    smtp_tls: Option<String>,
    /// How the IMAP connection is secured: starttls or implicit [default: implicit on 993]
    #[arg(long, value_name = "MODE")]
    imap_tls: Option<String>,
    /// The server files sent mails into Sent by itself
    #[arg(long)]
    files_sent: Option<bool>,
    /// And every mail within so many minutes
    #[arg(long, value_name = "MINUTES")]
    sent_within: Option<u32>,
    /// Mails a day
    #[arg(long)]
    daily_limit: Option<i64>,
    /// The provider plugin, for services that are not mail servers
    #[arg(long)]
    provider: Option<String>,
    /// Settings of such a provider, a JSON object
    #[arg(long, value_name = "JSON")]
    settings: Option<String>,
    /// Save it also when the test fails
    #[arg(long)]
    save_anyway: bool,
}

/// `overture mailbox …`
pub async fn run(client: &Client, command: Command) -> Result<()> {
    match command {
        Command::Add(add) => {
            let made = client.post("/mailboxes", &body(*add)?).await?;
            say(format_args!(
                "{}  {}  {}",
                text(&made["id"]),
                text(&made["emailAddress"]),
                text(&made["status"])
            ));
            show_legs(&made["test"]);
            Ok(())
        }
        Command::Test { id } => {
            let test = client
                .post(&format!("/mailboxes/{id}/test"), &json!({}))
                .await?;
            show_legs(&test["legs"]);
            match test["ok"].as_bool() {
                Some(true) => Ok(()),
                _ => bail!("the mailbox does not work"),
            }
        }
        Command::List => {
            for mailbox in client.all("/mailboxes").await? {
                say(format_args!(
                    "{}  {}  {}  {}",
                    text(&mailbox["id"]),
                    text(&mailbox["emailAddress"]),
                    text(&mailbox["status"]),
                    text(&mailbox["statusReason"])
                ));
                show_trouble(&mailbox["lastSyncError"]);
            }
            Ok(())
        }
        Command::Show { id } => {
            let mailbox = client.get(&format!("/mailboxes/{id}")).await?;
            let line = |name: &str, value: &str| say(format_args!("{name:14}{value}"));
            line("address", text(&mailbox["emailAddress"]));
            line("service", text(&mailbox["preset"]));
            line("status", text(&mailbox["status"]));
            if !text(&mailbox["statusReason"]).is_empty() {
                line("because", text(&mailbox["statusReason"]));
            }
            let read = mailbox["lastSyncedAt"].as_str();
            line("last read", read.unwrap_or("never"));
            show_trouble(&mailbox["lastSyncError"]);
            Ok(())
        }
    }
}

/// Why the last look into a mailbox failed (MB-3).
fn show_trouble(error: &Value) {
    if error.is_null() {
        return;
    }
    say(format_args!(
        "  can't be read: {} (at {}), {}",
        text(&error["code"]),
        text(&error["stage"]),
        text(&error["at"])
    ));
    show_words(error);
}

/// What the server said, and what helps.
fn show_words(problem: &Value) {
    if let Some(reply) = problem["reply"].as_str() {
        say(format_args!("    the server said: {reply}"));
    }
    say(format_args!("    {}", text(&problem["fix"])));
}

fn body(add: Add) -> Result<Value> {
    let mut body = Map::new();
    body.insert("emailAddress".into(), json!(add.address));
    body.insert("senderName".into(), json!(add.name));
    let mut optional = |key: &str, value: Value| {
        if !value.is_null() {
            body.insert(key.into(), value);
        }
    };
    optional("preset", json!(add.preset));
    optional("provider", json!(add.provider));
    optional("userName", json!(add.user));
    optional("filesSent", json!(add.files_sent));
    optional("sentWithinMinutes", json!(add.sent_within));
    optional("dailyLimit", json!(add.daily_limit));
    if let Some(server) = &add.smtp {
        optional("smtp", self::server(server, add.smtp_tls.as_deref(), 465)?);
    }
    if let Some(server) = &add.imap {
        optional("imap", self::server(server, add.imap_tls.as_deref(), 993)?);
    }
    if let Some(settings) = &add.settings {
        optional(
            "settings",
            serde_json::from_str(settings).context("--settings is no JSON")?,
        );
    }
    if add.save_anyway {
        optional("saveAnyway", json!(true));
    }
    let password = match add.password {
        Some(password) => Some(password),
        None if add.settings.is_some() => None,
        None => Some(read_password()?),
    };
    optional("password", json!(password));
    Ok(Value::Object(body))
}

fn read_password() -> Result<String> {
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .context("the password can't be read from standard input")?;
    let line = line.trim_end_matches(['\r', '\n']);
    if line.is_empty() {
        bail!(
            "no password: give --password, OVERTURE_MAILBOX_PASSWORD or a line on standard input"
        );
    }
    Ok(line.to_owned())
}

fn server(text: &str, tls: Option<&str>, implicit: u16) -> Result<Value> {
    let (host, port) = text
        .rsplit_once(':')
        .with_context(|| format!("`{text}` is not HOST:PORT"))?;
    let port: u16 = port
        .parse()
        .with_context(|| format!("`{port}` is no port"))?;
    let tls = tls.unwrap_or(if port == implicit {
        "implicit"
    } else {
        "starttls"
    });
    Ok(json!({ "host": host, "port": port, "tls": tls }))
}

fn show_legs(legs: &Value) {
    for leg in legs.as_array().into_iter().flatten() {
        match &leg["problem"] {
            Value::Null => say(format_args!("  {}: works", text(&leg["name"]))),
            problem => {
                say(format_args!(
                    "  {}: {} (at {})",
                    text(&leg["name"]),
                    text(&problem["code"]),
                    text(&problem["stage"])
                ));
                show_words(problem);
            }
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
