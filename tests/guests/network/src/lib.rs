//! A small social network, kept in the plugin's own store. A profile's URL ends in a name that
//! begins with what its person does:
//!
//! | name | what happens |
//! | --- | --- |
//! | `friendly-…` | accepts two hours after the invitation, answers a message an hour later |
//! | `quiet-…` | accepts, and never answers |
//! | `silent-…` | never accepts |
//! | `known-…` | is connected already |
//! | `unclear-…` | is invited, but the service never says so; accepts |
//! | `busy-…` | the service asks once to wait six hours, then as `quiet` |
//! | `shy-…` | nobody finds the profile |
//!
//! Every request that acts is counted under `calls/WHAT/PROFILE`, also one that was refused. While
//! `status` has words, the account is restricted; while `signed_out` has some, it is disconnected.

use overture_plugin::{
    Timestamp, clock,
    network_provider::{
        Acceptance, Account, AccountKind, AccountState, AccountStatus, Done, Incoming, Invited,
        NetworkProblem, NetworkProvider, Profile, Signal, SignalPage,
    },
    store::{self, StoreError},
};

const HOUR: u64 = 3_600_000;

struct Network;

overture_plugin::network_provider!(Network);

impl NetworkProvider for Network {
    fn check_status(_: Account) -> Result<AccountState, NetworkProblem> {
        let status = match (read("status")?, read("signed_out")?) {
            (None, None) => AccountStatus::Connected,
            (Some(words), _) => AccountStatus::Restricted(words),
            (None, Some(words)) => AccountStatus::Disconnected(words),
        };
        Ok(state(status))
    }

    fn find_profile(_: Account, url: String) -> Result<Profile, NetworkProblem> {
        let name = url.rsplit('/').next().unwrap_or_default();
        if name.is_empty() || name.starts_with("shy-") {
            return Err(NetworkProblem::NotFound(format!("no profile at {url}")));
        }
        Ok(Profile {
            provider_id: format!("member-{name}"),
            url,
            first_name: None,
            last_name: None,
            headline: None,
            company: None,
            degree: None,
        })
    }

    fn invite(
        _: Account,
        profile: String,
        _note: Option<String>,
    ) -> Result<Invited, NetworkProblem> {
        allowed()?;
        let before = count("invite", &profile)?;
        let accepts_at = (clock::now() + 2 * HOUR).to_string();
        let accepts = format!("accepts/{profile}");
        match profile.trim_start_matches("member-").split('-').next() {
            Some("known") => {
                write(&accepts, "0")?;
                return Ok(Invited::AlreadyConnected);
            }
            Some("busy") if before == 0 => {
                return Err(NetworkProblem::Limited(Some(clock::now() + 6 * HOUR)));
            }
            Some("unclear") => {
                write(&accepts, &accepts_at)?;
                return Err(NetworkProblem::Unclear("the line went dead".to_owned()));
            }
            Some("silent") => {}
            _ => write(&accepts, &accepts_at)?,
        }
        Ok(Invited::Sent(Done { provider_id: None }))
    }

    fn send_message(_: Account, profile: String, _: String) -> Result<Done, NetworkProblem> {
        allowed()?;
        count("message", &profile)?;
        let now = clock::now();
        let connected = time(&format!("accepts/{profile}"))?.is_some_and(|at| at <= now);
        if !connected {
            return Err(NetworkProblem::NotConnected(format!(
                "{profile} has not accepted"
            )));
        }
        if profile.starts_with("member-friendly") {
            write(&format!("answers/{profile}"), &(now + HOUR).to_string())?;
        }
        Ok(Done { provider_id: None })
    }

    fn sync(_: Account, cursor: Option<String>) -> Result<SignalPage, NetworkProblem> {
        let now = clock::now();
        let since = cursor.and_then(|cursor| cursor.parse().ok()).unwrap_or(0);
        let mut signals = Vec::new();
        for (profile, at) in happened("accepts/", since, now)? {
            signals.push((at, Signal::Accepted(Acceptance { profile, at })));
        }
        for (profile, at) in happened("answers/", since, now)? {
            let message = Incoming {
                id: format!("{profile}-{at}"),
                profile,
                text: "Sounds interesting, tell me more.".to_owned(),
                at,
            };
            signals.push((at, Signal::Message(message)));
        }
        if let Some(words) = read("signed_out")? {
            let gone = state(AccountStatus::Disconnected(words));
            signals.push((now, Signal::Status(gone)));
        }
        signals.sort_by_key(|(at, _)| *at);
        Ok(SignalPage {
            signals: signals.into_iter().map(|(_, signal)| signal).collect(),
            cursor: now.to_string(),
            more: false,
            check_again_at: Some(now + HOUR / 2),
        })
    }
}

fn state(status: AccountStatus) -> AccountState {
    AccountState {
        status,
        kind: AccountKind::Premium,
        name: None,
    }
}

/// Whether the account may act: it is restricted while `status` has words.
fn allowed() -> Result<(), NetworkProblem> {
    read("status")?.map_or(Ok(()), |words| Err(NetworkProblem::Restricted(words)))
}

/// Profiles with a time under `prefix` that came after `since`.
fn happened(
    prefix: &str,
    since: Timestamp,
    now: Timestamp,
) -> Result<Vec<(String, Timestamp)>, NetworkProblem> {
    let mut found = Vec::new();
    for key in store::keys(prefix).map_err(broken)? {
        if let Some(at) = time(&key)?.filter(|at| since < *at && *at <= now) {
            found.push((key[prefix.len()..].to_owned(), at));
        }
    }
    Ok(found)
}

/// Counts one request; how many there were before.
fn count(what: &str, profile: &str) -> Result<u64, NetworkProblem> {
    let key = format!("calls/{what}/{profile}");
    let before = time(&key)?.unwrap_or(0);
    write(&key, &(before + 1).to_string())?;
    Ok(before)
}

fn time(key: &str) -> Result<Option<u64>, NetworkProblem> {
    Ok(read(key)?.and_then(|text| text.parse().ok()))
}

fn read(key: &str) -> Result<Option<String>, NetworkProblem> {
    let value = store::get(key).map_err(broken)?;
    Ok(value.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

fn write(key: &str, value: &str) -> Result<(), NetworkProblem> {
    store::set(key, value.as_bytes()).map_err(broken)
}

fn broken(error: StoreError) -> NetworkProblem {
    NetworkProblem::Temporary(format!("the store: {error:?}"))
}
