//! What is outside: names, mail hosts, and mailboxes when asked.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::{StreamExt as _, stream};
use overture_domain::accounts::{Account, AccountStatus, Channel};
use overture_egress::Resolver;
use overture_engine::mailboxes;
use overture_mail::{Endpoint, check, check::Leg};
use overture_store::{Database, accounts};

use super::{Findings, Wishes};
use crate::{config::Config, services};

/// Hosts that are tried at a time.
const AT_A_TIME: usize = 16;
/// For one name.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn look(
    config: &Config,
    db: Option<&Database>,
    wishes: Wishes,
    findings: &mut Findings,
) {
    let resolver = match Resolver::new(&config.dns.servers) {
        Ok(resolver) => resolver,
        Err(error) => {
            return findings.error("dns.unusable", error.to_string(), "check dns.servers");
        }
    };
    let accounts = match db {
        Some(db) => accounts::list_all(&mut db.reader())
            .await
            .unwrap_or_default(),
        None => Vec::new(),
    };
    let connected: Vec<Account> = accounts
        .into_iter()
        .filter(|it| it.channel == Channel::Mail && it.status == AccountStatus::Connected)
        .collect();
    let mut hosts: BTreeMap<(String, u16), (Leg, Endpoint)> = BTreeMap::new();
    for (smtp, imap) in connected.iter().filter_map(mailboxes::endpoints) {
        for (leg, endpoint) in [(Leg::Smtp, smtp), (Leg::Imap, imap)] {
            hosts.insert((endpoint.host.clone(), endpoint.port), (leg, endpoint));
        }
    }
    names(config, &resolver, &hosts, findings).await;
    mail_hosts(config, resolver, hosts, findings).await;
    if wishes.sign_in && !connected.is_empty() {
        sign_in(config, &connected, findings).await;
    }
}

async fn names(
    config: &Config,
    resolver: &Resolver,
    hosts: &BTreeMap<(String, u16), (Leg, Endpoint)>,
    findings: &mut Findings,
) {
    let mut names: BTreeSet<String> = hosts.keys().map(|(host, _)| host.clone()).collect();
    let own = url::Url::parse(&config.public_url)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned));
    names.extend(own.clone());
    let looked = stream::iter(names.iter().cloned())
        .map(|name| async {
            let found = tokio::time::timeout(PATIENCE, resolver.lookup(&name)).await;
            let problem = match found {
                Ok(Ok(_)) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some(format!("no answer about {name} within {PATIENCE:?}")),
            };
            (name, problem)
        })
        .buffer_unordered(AT_A_TIME)
        .collect::<BTreeMap<_, _>>()
        .await;
    let mut good = 0;
    for (name, problem) in looked {
        match problem {
            None => good += 1,
            Some(problem) if Some(&name) == own.as_ref() => findings.error(
                "dns.public_url",
                format!("{problem}; links in mails lead to it"),
                "make a DNS record for it, or correct public_url",
            ),
            Some(problem) => findings.error(
                "dns.not_found",
                problem,
                "check the host name in the mailbox's settings, and dns.servers",
            ),
        }
    }
    if good > 0 {
        findings.ok("dns", format!("{good} names are found"));
    }
}

async fn mail_hosts(
    config: &Config,
    resolver: Resolver,
    hosts: BTreeMap<(String, u16), (Leg, Endpoint)>,
    findings: &mut Findings,
) {
    // Said of the file already.
    let Ok(dialer) = services::dialer(config, resolver) else {
        return;
    };
    let reached = stream::iter(hosts)
        .map(|((host, port), (leg, endpoint))| {
            let dialer = &dialer;
            async move { ((host, port), check::reach(dialer, &endpoint, leg).await) }
        })
        .buffer_unordered(AT_A_TIME)
        .collect::<Vec<_>>()
        .await;
    let mut reached = reached;
    reached.sort_by(|(one, _), (other, _)| one.cmp(other));
    for ((host, port), outcome) in reached {
        match outcome {
            Ok(()) => findings.ok("mail_host", format!("{host}:{port} answers")),
            Err(problem) => findings.error(
                &format!("mail_host.{}", problem.code),
                format!(
                    "{host}:{port}: {}",
                    problem.words.unwrap_or(problem.message)
                ),
                problem.fix,
            ),
        }
    }
}

async fn sign_in(config: &Config, connected: &[Account], findings: &mut Findings) {
    // What is wrong was said by then.
    let Ok(env) = services::open_offline(config).await else {
        return;
    };
    for account in connected {
        let address = &account.address;
        match mailboxes::look(&env, account).await {
            Ok(legs) => {
                let wrong: Vec<_> = legs
                    .iter()
                    .filter_map(|leg| Some((&leg.name, leg.problem.as_ref()?)))
                    .collect();
                for (leg, problem) in &wrong {
                    let code = format!("mailbox.{}", problem.code);
                    let message = format!("{address}: {leg}: {}", problem.sentence());
                    findings.error(&code, message, "");
                }
                if wrong.is_empty() {
                    findings.ok("mailbox", format!("{address} signs in"));
                }
            }
            Err(error) => findings.error("mailbox.untested", format!("{address}: {error}"), ""),
        }
    }
    env.db.close().await;
}
