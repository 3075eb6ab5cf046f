use std::io::Read;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use overture_engine::{Secret, people};

use super::say;
use crate::{config::Config, services};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a user with a workspace of their own; the first one is the instance's admin
    Create {
        /// Their mail address, for signing in
        email: String,
        /// Their name
        #[arg(long, default_value = "")]
        name: String,
        /// Read the password from standard input instead of making one
        #[arg(long)]
        password_stdin: bool,
    },
}

/// `overture user …`
pub async fn run(config: &Config, command: Command) -> Result<()> {
    let Command::Create {
        email,
        name,
        password_stdin,
    } = command;
    let env = services::open_offline(config).await?;
    let (password, made) = match password_stdin {
        true => (from_stdin()?, false),
        false => (Secret::new(random_password(&*env.rng)), true),
    };
    let shown = made.then(|| password.expose().to_owned());
    let (user, workspace) = people::create_user(&env, &email, &name, password).await?;
    say(format_args!("user:      {} ({})", user.id, user.email));
    say(format_args!(
        "workspace: {} ({})",
        workspace.id, workspace.name
    ));
    if let Some(password) = shown {
        say(format_args!("password:  {password}   (shown once)"));
    }
    Ok(())
}

fn from_stdin() -> Result<Secret> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .context("the password can't be read from standard input")?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        bail!("standard input holds no password");
    }
    Ok(Secret::new(text))
}

/// 20 letters and digits without lookalikes: 115 random bits.
fn random_password(rng: &dyn overture_domain::Rng) -> String {
    const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    (0..20)
        .map(|_| char::from(LETTERS[rng.below(LETTERS.len() as u64) as usize]))
        .collect()
}
