//! The command line.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::{
    client::Server,
    commands::{
        alert, backup, campaign, compile_plugin, demo, doctor, events, filter, import, key, list,
        mail, mailbox, master_key, migrate, plugin, prospect, restore, rules, send, serve, shield,
        simulate, template, user, why,
    },
    config::Config,
};

/// Self-hosted outreach: campaigns, mailboxes and replies, with plugins in a sandbox.
#[derive(Debug, Parser)]
#[command(name = "overture", version, arg_required_else_help = true)]
pub struct Cli {
    /// The configuration file [default: overture.toml where there is one]
    #[arg(long, global = true, value_name = "FILE", env = "OVERTURE_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the API and the engine
    Serve(serve::Options),
    /// Bring the database to this program's schema
    Migrate,
    /// Write the whole database into a file, also while a server works
    Backup(backup::Options),
    /// Put a backup back
    Restore(restore::Options),
    /// The key that seals credentials
    #[command(subcommand)]
    MasterKey(master_key::Command),
    /// Users of this instance
    #[command(subcommand)]
    User(user::Command),
    /// API keys
    #[command(subcommand)]
    Key(key::Command),
    /// Check configuration, database, master key, plugins, mail hosts, DNS, clock and disk; say the fix
    Doctor(doctor::Options),
    /// Plugins
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Templates: check and render them
    #[command(subcommand)]
    Template(template::Command),
    /// Mails in files: see how replies and bounces are read
    #[command(subcommand)]
    Mail(mail::Command),
    /// Mailboxes, through the API
    Mailbox(Remote<mailbox::Command>),
    /// Import prospects from a CSV file or an .xlsx workbook, through the API
    Import(RemoteArgs<import::Options>),
    /// Prospects, through the API
    #[command(subcommand_required = true)]
    Prospect(Remote<prospect::Command>),
    /// Lists of prospects, through the API
    #[command(subcommand_required = true)]
    List(Remote<list::Command>),
    /// Saved filters of prospects, through the API
    #[command(subcommand_required = true)]
    Filter(Remote<filter::Command>),
    /// Campaigns, through the API
    Campaign(Remote<campaign::Command>),
    /// Mails on their way, through the API
    #[command(subcommand_required = true)]
    Send(Remote<send::Command>),
    /// Why a mail has not gone out, when it may, and what would change that, through the API
    Why(RemoteArgs<why::Options>),
    /// What an admin must see to, through the API
    #[command(subcommand_required = true)]
    Alert(Remote<alert::Command>),
    /// The Bounce Shield: campaigns stop when too many mails come back
    Shield(Remote<shield::Command>),
    /// What happened, through the API
    Events(RemoteArgs<events::Options>),
    /// A small campaign in the sandbox, on virtual time
    Demo(demo::Options),
    /// Campaigns on virtual time, with faults by chance and every rule checked
    Simulate(simulate::Options),
    /// Compile the plugin on the input; for the server's own use
    #[command(hide = true)]
    CompilePlugin,
    /// Print the tables of the documentation
    #[command(hide = true)]
    Rules,
    /// Print the list of metrics
    #[command(hide = true)]
    Metrics,
    /// Print the settings of the documentation
    #[command(hide = true)]
    Settings,
}

/// A command that talks to a running server.
#[derive(Debug, Args)]
struct Remote<C: Subcommand> {
    #[command(flatten)]
    server: Server,
    #[command(subcommand)]
    command: C,
}

#[derive(Debug, Args)]
struct RemoteArgs<A: Args> {
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    options: A,
}

impl Cli {
    /// Does what was asked.
    ///
    /// # Errors
    /// Whatever went wrong, in words for the person at the command line.
    pub async fn run(self) -> Result<()> {
        let config = || Config::load(self.config.as_deref());
        match self.command {
            Command::Serve(options) => serve::run(config()?, options).await,
            Command::Migrate => migrate::run(&config()?).await,
            Command::Backup(options) => backup::run(&config()?, options).await,
            Command::Restore(options) => restore::run(&config()?, options).await,
            Command::MasterKey(command) => master_key::run(&config()?, command).await,
            Command::User(command) => user::run(&config()?, command).await,
            Command::Key(command) => key::run(&config()?, command).await,
            Command::Doctor(options) => doctor::run(config(), options).await,
            Command::Plugin(command) => plugin::run(&config()?, command).await,
            Command::Template(command) => template::run(&command),
            Command::Mail(command) => mail::run(&config()?, command).await,
            Command::Mailbox(remote) => {
                mailbox::run(&remote.server.connect()?, remote.command).await
            }
            Command::Import(remote) => {
                import::run(&remote.server.connect()?, &remote.options).await
            }
            Command::Prospect(remote) => {
                prospect::run(&remote.server.connect()?, remote.command).await
            }
            Command::Filter(remote) => filter::run(&remote.server.connect()?, remote.command).await,
            Command::List(remote) => list::run(&remote.server.connect()?, remote.command).await,
            Command::Campaign(remote) => {
                campaign::run(&remote.server.connect()?, remote.command).await
            }
            Command::Send(remote) => send::run(&remote.server.connect()?, remote.command).await,
            Command::Why(remote) => why::run(&remote.server.connect()?, &remote.options).await,
            Command::Alert(remote) => alert::run(&remote.server.connect()?, remote.command).await,
            Command::Shield(remote) => shield::run(&remote.server.connect()?, remote.command).await,
            Command::Events(remote) => {
                events::run(&remote.server.connect()?, &remote.options).await
            }
            Command::Demo(options) => demo::run(options).await,
            // It has runtimes of its own.
            Command::Simulate(options) => {
                let config = options.campaign.map(|_| config()).transpose()?;
                let work = move || simulate::simulate(&options, config.as_ref());
                tokio::task::spawn_blocking(work).await?
            }
            Command::CompilePlugin => compile_plugin::run(),
            Command::Rules => {
                commands_out(&rules::document());
                Ok(())
            }
            Command::Metrics => {
                commands_out(&crate::metrics::document());
                Ok(())
            }
            Command::Settings => {
                commands_out(&crate::settings::document());
                Ok(())
            }
        }
    }
}

fn commands_out(text: &str) {
    crate::commands::say(text.trim_end());
}
