use anyhow::{Result, bail};
use clap::Subcommand;
use overture_domain::WorkspaceId;
use overture_engine::{Env, people};
use overture_store::people as store;

use super::say;
use crate::{config::Config, services};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make an API key; it is shown once
    Create {
        /// What it is for
        #[arg(long, default_value = "command line")]
        name: String,
        /// The workspace, by id; may be left out where there is only one
        #[arg(long)]
        workspace: Option<WorkspaceId>,
        /// What it may do, such as campaigns:write; may be given several times [default: all]
        #[arg(long = "scope")]
        scopes: Vec<String>,
        /// Let it call less often than the workspace may
        #[arg(long, value_name = "N")]
        requests_per_minute: Option<u32>,
        /// Print the key alone
        #[arg(long)]
        quiet: bool,
    },
}

/// `overture key …`
pub async fn run(config: &Config, command: Command) -> Result<()> {
    let Command::Create {
        name,
        workspace,
        scopes,
        requests_per_minute,
        quiet,
    } = command;
    let env = services::open_offline(config).await?;
    let workspace = match workspace {
        Some(id)
            if store::find_workspace(&mut env.db.reader(), id)
                .await?
                .is_some() =>
        {
            id
        }
        Some(id) => bail!("there is no workspace {id}"),
        None => only_workspace(&env).await?,
    };
    let scopes = match scopes.is_empty() {
        true => people::SCOPES
            .iter()
            .filter(|scope| !scope.starts_with("plugins:"))
            .map(|scope| (*scope).to_owned())
            .collect(),
        false => scopes,
    };
    let limits = people::KeyLimits {
        requests_per_minute,
        ..people::KeyLimits::default()
    };
    let (key, secret) = people::create_key(&env, workspace, None, &name, &scopes, limits).await?;
    if quiet {
        say(secret.expose());
        return Ok(());
    }
    say(format_args!("key:       {} ({})", key.id, key.name));
    say(format_args!("workspace: {workspace}"));
    say(format_args!(
        "secret:    {}   (shown once)",
        secret.expose()
    ));
    say(format_args!(
        "\nuse it:    export OVERTURE_API_KEY={}",
        secret.expose()
    ));
    Ok(())
}

async fn only_workspace(env: &Env) -> Result<WorkspaceId> {
    let workspaces = store::list_workspaces(&mut env.db.reader()).await?;
    match workspaces.as_slice() {
        [only] => Ok(only.id),
        [] => bail!("there is no workspace yet: `overture user create ADDRESS` makes the first"),
        many => {
            let list: Vec<_> = many
                .iter()
                .map(|workspace| format!("  {}  {}", workspace.id, workspace.name))
                .collect();
            bail!(
                "there are several workspaces, say which with --workspace:\n{}",
                list.join("\n")
            )
        }
    }
}
