//! `pg_dump` and `pg_restore`: how PostgreSQL is copied and put back.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use percent_encoding::percent_decode_str;
use url::Url;

use super::archive;

/// Writes the database as it is at one moment, while others write.
///
/// # Errors
/// When `pg_dump` is missing or refuses, in its own words.
pub fn dump(url: &str, out: &Path) -> Result<()> {
    let mut command = program("pg_dump", url)?;
    command
        .args(["--format=custom", "--no-owner", "--no-privileges", "--file"])
        .arg(out);
    run(command, "pg_dump")
}

/// Puts the database of a backup back in one transaction: all of it or nothing.
///
/// # Errors
/// When `pg_restore` is missing or refuses, in its own words.
pub fn restore(url: &str, backup: &Path) -> Result<()> {
    let mut command = program("pg_restore", url)?;
    command
        .args(["--format=custom", "--no-owner", "--no-privileges"])
        .args(["--clean", "--if-exists", "--single-transaction"])
        .arg("--dbname")
        .arg(database(url)?)
        .stdin(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| missing("pg_restore", &error))?;
    let input = child.stdin.take().context("its input is a pipe")?;
    let fed = archive::extract(backup, input);
    let ended = child.wait_with_output()?;
    // Where it has refused, the pipe broke: its own words say why.
    said(&ended, "pg_restore")?;
    fed.map(drop)
}

/// A program of PostgreSQL's that talks to the database of a URL. Everything goes by the environment:
/// arguments can be read by all users of the machine.
fn program(name: &str, url: &str) -> Result<Command> {
    let url = parse(url)?;
    let mut command = Command::new(name);
    let text = |text: &str| Some(percent_decode_str(text).decode_utf8_lossy().into_owned());
    let parts = [
        (
            "PGHOST",
            url.host_str()
                .map(|host| host.trim_matches(['[', ']']).to_owned()),
        ),
        ("PGPORT", url.port().map(|port| port.to_string())),
        ("PGUSER", text(url.username())),
        ("PGPASSWORD", url.password().and_then(text)),
        ("PGDATABASE", text(url.path().trim_start_matches('/'))),
    ];
    for (key, value) in parts {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            command.env(key, value);
        }
    }
    for (key, value) in url.query_pairs() {
        let known = match &*key {
            "host" => "PGHOST",
            "port" => "PGPORT",
            "user" => "PGUSER",
            "password" => "PGPASSWORD",
            "dbname" => "PGDATABASE",
            "sslmode" => "PGSSLMODE",
            "sslrootcert" => "PGSSLROOTCERT",
            "sslcert" => "PGSSLCERT",
            "sslkey" => "PGSSLKEY",
            "options" => "PGOPTIONS",
            _ => continue,
        };
        command.env(known, &*value);
    }
    command.stderr(Stdio::piped());
    Ok(command)
}

/// `pg_restore` writes to a database only when it is named.
fn database(url: &str) -> Result<String> {
    let url = parse(url)?;
    let named = url.query_pairs().find(|(key, _)| key == "dbname");
    let path = percent_decode_str(url.path().trim_start_matches('/')).decode_utf8_lossy();
    Ok(named.map_or_else(|| path.into_owned(), |(_, name)| name.into_owned()))
}

fn parse(url: &str) -> Result<Url> {
    // What is wrong with it may hold the password: only its kind is said.
    Url::parse(url).map_err(|error| anyhow::anyhow!("database.url can't be read: {error}"))
}

fn run(mut command: Command, name: &str) -> Result<()> {
    let ended = command.output().map_err(|error| missing(name, &error))?;
    said(&ended, name)
}

fn said(ended: &std::process::Output, name: &str) -> Result<()> {
    if !ended.status.success() {
        let words = String::from_utf8_lossy(&ended.stderr);
        bail!("{name} has refused: {}", words.trim());
    }
    Ok(())
}

fn missing(name: &str, error: &std::io::Error) -> anyhow::Error {
    match error.kind() {
        std::io::ErrorKind::NotFound => anyhow::anyhow!(
            "{name} is not installed here, and PostgreSQL is backed up and restored by it: install the client programs of your server's version (Debian: apt-get install postgresql-client)"
        ),
        _ => anyhow::anyhow!("{name} can't be run: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // OPS-4
    #[test]
    fn the_password_goes_by_the_environment_alone() {
        let url = "postgres://ov%40x:p%26+w@db.example.com:5433/over%20ture?sslmode=require";
        let command = program("pg_dump", url).unwrap();
        let env: Vec<String> = command
            .get_envs()
            .filter_map(|(key, value)| Some(format!("{}={}", key.to_str()?, value?.to_str()?)))
            .collect();
        assert_eq!(
            env,
            [
                "PGDATABASE=over ture",
                "PGHOST=db.example.com",
                "PGPASSWORD=p&+w",
                "PGPORT=5433",
                "PGSSLMODE=require",
                "PGUSER=ov@x"
            ]
        );
        assert_eq!(command.get_args().count(), 0);
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = run(Command::new("/nonexistent/pg_dump"), "pg_dump").unwrap_err();
        assert!(error.to_string().contains("apt-get install"), "{error}");
    }
}
