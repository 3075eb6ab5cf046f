//! One set of servers for all tests of a run, or at least of a process.

use std::env;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use crate::{
    Durability, Error, MailOptions, MailServers, Postgres, Result, Running, start_mail,
    start_postgres,
};

/// Names the variable with the URL of a running PostgreSQL, as [`Postgres::url`] has it.
pub const POSTGRES_VARIABLE: &str = "OVERTURE_TEST_POSTGRES";

/// Names the variable with the path of the file in which running mail servers are described
/// ([`MailServers::handover`]).
pub const MAIL_VARIABLE: &str = "OVERTURE_TEST_MAIL";

/// A server that is either handed over by the environment or kept by this process. Statics are
/// never dropped; the keeper sees the end of the process and stops the servers.
enum Shared<T> {
    HandedOver(T),
    Ours(Running<T>),
}

impl<T> Shared<T> {
    fn reach(&self) -> &T {
        match self {
            Self::HandedOver(reach) => reach,
            Self::Ours(running) => running,
        }
    }
}

/// The run's PostgreSQL in [`Durability::Off`]; started at the first call where
/// [`POSTGRES_VARIABLE`] is not set. Give each test a database of its own.
pub fn postgres() -> Result<&'static Postgres> {
    static SHARED: OnceLock<Result<Shared<Postgres>, String>> = OnceLock::new();
    get(&SHARED, || match env::var(POSTGRES_VARIABLE) {
        Ok(url) => Ok(Shared::HandedOver(Postgres {
            url,
            version: "PostgreSQL".into(),
        })),
        Err(_) => start_postgres(Durability::Off).map(|server| {
            announce(&server.version);
            Shared::Ours(server)
        }),
    })
}

/// The run's mail servers with default options; started at the first call where
/// [`MAIL_VARIABLE`] is not set. Give each test a domain of its own
/// ([`MailServers::own_domain`]).
pub fn mail() -> Result<&'static MailServers> {
    static SHARED: OnceLock<Result<Shared<MailServers>, String>> = OnceLock::new();
    get(&SHARED, || match env::var_os(MAIL_VARIABLE) {
        Some(file) => read_handover(Path::new(&file)).map(Shared::HandedOver),
        None => start_mail(&MailOptions::default()).map(|servers| {
            announce(&servers.versions());
            Shared::Ours(servers)
        }),
    })
}

fn get<T>(
    shared: &'static OnceLock<Result<Shared<T>, String>>,
    start: impl FnOnce() -> Result<Shared<T>>,
) -> Result<&'static T> {
    match shared.get_or_init(|| start().map_err(|error| error.to_string())) {
        Ok(shared) => Ok(shared.reach()),
        Err(text) => Err(Error::Shared(text.clone())),
    }
}

fn read_handover(path: &Path) -> Result<MailServers> {
    let broken = |reason: String| Error::Handover {
        variable: MAIL_VARIABLE,
        path: path.to_owned(),
        reason,
    };
    let text = fs::read_to_string(path).map_err(|error| broken(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| broken(error.to_string()))
}

#[expect(
    clippy::print_stderr,
    reason = "a test run says which servers it started"
)]
fn announce(versions: &str) {
    eprintln!("started {versions}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handover_that_is_gone_is_an_error_that_names_the_variable() {
        let error = read_handover(Path::new("/nonexistent/mail.json")).expect_err("no such file");
        let text = error.to_string();
        assert!(
            text.starts_with("OVERTURE_TEST_MAIL names /nonexistent/mail.json"),
            "{text}"
        );
    }
}
