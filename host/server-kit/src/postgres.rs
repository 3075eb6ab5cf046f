use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::keeper::{Keeper, Running};
use crate::program::{installed, is_root, run, tails, temporary_directory, user};
use crate::wait::{free_ports, wait_until};
use crate::{Error, Result};

const INSTALL: &str = "apt-get install -y postgresql";

/// How to reach a running PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Postgres {
    /// `postgres://overture@127.0.0.1:PORT/postgres`: a superuser without password, for whom a test
    /// creates databases of its own.
    pub url: String,
    /// As the server names itself, for example `PostgreSQL 15.14`.
    pub version: String,
}

/// Whether the server waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing survives a power cut: for tests.
    Off,
    /// `fsync=on`, `synchronous_commit=on`: for benches, whose numbers would lie otherwise.
    On,
}

/// Starts PostgreSQL with an empty database cluster. As root it runs as the user `postgres`,
/// otherwise as ourselves.
pub fn start_postgres(durability: Durability) -> Result<Running<Postgres>> {
    let programs = programs(Path::new("/usr/lib/postgresql"))?;
    let version = run(Command::new(programs.join("postgres")).arg("--version"))?;
    let version = version
        .trim()
        .replace("postgres (PostgreSQL)", "PostgreSQL");
    loop {
        match try_start(&programs, &version, durability) {
            Err(Error::NotStarted { log, .. }) if log.contains("Address already in use") => {}
            done => return done,
        }
    }
}

fn try_start(programs: &Path, version: &str, durability: Durability) -> Result<Running<Postgres>> {
    let directory = temporary_directory("pg")?;
    let [port] = free_ports()?;
    let become_postgres = if is_root() {
        let (uid, gid) = user("postgres", INSTALL)?;
        chown(&directory, Some(uid), Some(gid)).map_err(Error::io(&directory))?;
        format!("setpriv --reuid={uid} --regid={gid} --clear-groups")
    } else {
        String::new()
    };
    let settings = match durability {
        Durability::Off => "-c fsync=off -c synchronous_commit=off -c full_page_writes=off",
        Durability::On => "-c fsync=on -c synchronous_commit=on",
    };
    let programs = programs.display();
    let start = format!(
        r#"{become_postgres} {programs}/initdb -D "$1/data" -U overture -A trust --no-sync \
            -E UTF8 --locale=C.UTF-8 >"$1/initdb.log" 2>&1
        {become_postgres} {programs}/postgres -D "$1/data" -h 127.0.0.1 -p {port} -k "" \
            -c max_connections=400 {settings} >"$1/postgres.log" 2>&1 &
        server=$!"#
    );
    // SIGINT is PostgreSQL's "fast" shutdown: it does not wait for clients.
    let keeper = Keeper::start(&directory, &start, "kill -INT $server")?;

    let ready = wait_until(Duration::from_secs(60), || {
        let state = format!("-q -U overture -d postgres -h 127.0.0.1 -p {port}");
        let mut pg_isready = Command::new(format!("{programs}/pg_isready"));
        run(pg_isready.args(state.split(' '))).is_ok() || ended(&directory)
    });
    if !ready || ended(&directory) {
        let files = ["initdb.log", "postgres.log"].map(|name| directory.join(name));
        return Err(Error::NotStarted {
            server: "PostgreSQL",
            log: tails(&files),
        });
    }
    let url = format!("postgres://overture@127.0.0.1:{port}/postgres");
    Ok(Running::new(
        Postgres {
            url,
            version: version.to_owned(),
        },
        keeper,
    ))
}

/// Whether the log says that the server gave up, so that nobody waits out the deadline.
fn ended(directory: &Path) -> bool {
    fs::read_to_string(directory.join("postgres.log"))
        .is_ok_and(|log| log.contains("FATAL:  could not"))
}

/// The folder with the programs of the newest installed version.
fn programs(root: &Path) -> Result<PathBuf> {
    let version = |folder: &PathBuf| {
        folder
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| name.parse::<u32>().ok())
    };
    let newest = fs::read_dir(root)
        .ok()
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|folder| folder.join("bin/initdb").is_file())
        .max_by_key(version)
        .ok_or(Error::Missing {
            program: "PostgreSQL",
            install: INSTALL,
        })?;
    installed(newest.join("bin/postgres"), "PostgreSQL", INSTALL)?;
    Ok(newest.join("bin"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_postgresql_gets_the_command_that_installs_it() {
        let error = programs(Path::new("/nonexistent")).expect_err("nothing is there");
        assert_eq!(
            error.to_string(),
            "PostgreSQL is not installed; this installs it: apt-get install -y postgresql"
        );
    }
}
