//! What a run must have shown: every cap that held something back, every state and every transition
//! of campaigns, people, mailboxes, jobs and actions, every fault. The lists are those of the
//! domain; what mails of a sandbox can't reach is left out here by name, with the reason.

use std::collections::BTreeMap;

use anyhow::Result;
use overture_domain::{
    accounts::AccountStatus,
    campaigns::CampaignStatus,
    caps::Cap,
    enrollments::{ActionState, EnrollmentState, JobState},
};
use overture_engine::Env;
use serde::Serialize;

use super::scenario::Fault;

/// How often each thing occurred, by its kind; 0 for what has not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Coverage(pub BTreeMap<&'static str, BTreeMap<String, u64>>);

/// Nothing is sent over a network.
const OF_NETWORKS: &str = "of networks alone";

/// What isn't expected: its kind, its name and why.
const OUT_OF_REACH: &[(&str, &str, &str)] = &[
    ("caps", "invites_daily", OF_NETWORKS),
    ("caps", "messages_daily", OF_NETWORKS),
    ("caps", "actions_per_minute", OF_NETWORKS),
    ("people", "waiting", OF_NETWORKS),
    ("people", "unresolved_url", OF_NETWORKS),
    ("people", "invalid_prospect", OF_NETWORKS),
    ("mailboxes", "needs_verification", OF_NETWORKS),
    ("mailboxes", "restricted", OF_NETWORKS),
    (
        "mailboxes",
        "connecting",
        "a mailbox is tested before it is saved",
    ),
    ("campaigns", "draft to archived", NO_ARCHIVE),
    ("campaigns", "scheduled to archived", NO_ARCHIVE),
    ("campaigns", "paused to archived", NO_ARCHIVE),
    ("campaigns", "completed to archived", NO_ARCHIVE),
    ("campaigns", "error to archived", NO_ARCHIVE),
    ("campaigns", "archived to draft", NO_ARCHIVE),
    ("campaigns", "archived to paused", NO_ARCHIVE),
    ("campaigns", "running to error", NO_ERROR),
    ("campaigns", "error to paused", NO_ERROR),
    (
        "campaigns",
        "scheduled to draft",
        "no operation does it yet",
    ),
];

const NO_ARCHIVE: &str = "no operation does it yet (SEQ-9)";
const NO_ERROR: &str = "nothing puts a campaign in error yet";

impl Coverage {
    /// What is expected, never seen yet.
    pub fn expected() -> Self {
        let mut all = Self::default();
        all.expect("caps", Cap::ALL.iter().map(ToString::to_string));
        all.expect(
            "people",
            EnrollmentState::ALL.iter().map(ToString::to_string),
        );
        all.expect("campaigns", changes_of_campaigns());
        all.expect(
            "mailboxes",
            AccountStatus::ALL.iter().map(ToString::to_string),
        );
        let jobs = pairs(JobState::ALL, JobState::may_become);
        all.expect("jobs", jobs);
        all.expect("actions", ActionState::ALL.iter().map(ToString::to_string));
        all.expect("faults", Fault::ALL.iter().map(ToString::to_string));
        all
    }

    fn expect(&mut self, kind: &'static str, names: impl Iterator<Item = String>) {
        let left_out = |name: &String| {
            OUT_OF_REACH
                .iter()
                .any(|(of, out, _)| *of == kind && out == name)
        };
        let names = names.filter(|name| !left_out(name)).map(|name| (name, 0));
        self.0.entry(kind).or_default().extend(names);
    }

    /// Adds what a database has noted, and of the world outside: the faults, and where the process
    /// died.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn add(
        &mut self,
        env: &Env,
        faults: &BTreeMap<Fault, u64>,
        deaths: BTreeMap<String, u64>,
    ) -> Result<()> {
        for ((what, was, became), n) in seen(env).await? {
            let change = format!("{was} to {became}");
            match what.as_str() {
                "held" => {
                    let cap = Cap::ALL.iter().find(|cap| cap.words() == became);
                    if let Some(cap) = cap {
                        self.count("caps", cap.to_string(), n);
                    }
                }
                "enrollments" => {
                    self.count("changes of people", change, n);
                    self.count("people", became, n);
                }
                "campaigns" => self.count("campaigns", change, n),
                "mailboxes" => {
                    self.count("changes of mailboxes", change, n);
                    self.count("mailboxes", became, n);
                }
                "jobs" => self.count("jobs", change, n),
                _ => {
                    self.count("changes of actions", change, n);
                    self.count("actions", became, n);
                }
            }
        }
        for (fault, n) in faults {
            self.count("faults", fault.to_string(), *n);
        }
        self.0.insert("deaths", deaths);
        Ok(())
    }

    fn count(&mut self, kind: &'static str, name: String, n: u64) {
        *self.0.entry(kind).or_default().entry(name).or_default() += n;
    }
}

fn changes_of_campaigns() -> impl Iterator<Item = String> {
    let changes = pairs(CampaignStatus::ALL, |from, to| {
        from.may_become(to, true) || from.may_become(to, false)
    });
    changes.chain([" to draft".to_owned()])
}

fn pairs<S: Copy + ToString>(
    all: &'static [S],
    legal: impl Fn(S, S) -> bool,
) -> impl Iterator<Item = String> {
    let pairs = all
        .iter()
        .flat_map(move |from| all.iter().map(move |to| (*from, *to)));
    let pairs: Vec<_> = pairs.filter(|(from, to)| legal(*from, *to)).collect();
    pairs
        .into_iter()
        .map(|(from, to)| format!("{} to {}", from.to_string(), to.to_string()))
}

/// What was seen at rows: what, the state before and after, and how often.
type Seen = BTreeMap<(String, String, String), u64>;

/// Begins to note what becomes of rows, where this build can.
///
/// # Errors
/// Only the store's.
#[cfg(feature = "test-clock")]
pub async fn watch(env: &Env) -> Result<()> {
    Ok(overture_store::watch::begin(&env.db).await?)
}

#[cfg(feature = "test-clock")]
async fn seen(env: &Env) -> Result<Seen> {
    Ok(overture_store::watch::seen(&env.db).await?)
}

/// Loses jobs, where this build can. Whether there were any.
///
/// # Errors
/// Only the store's.
#[cfg(feature = "test-clock")]
pub async fn lose_jobs(env: &Env) -> Result<bool, overture_engine::Error> {
    Ok(overture_store::watch::lose_jobs(&env.db).await? > 0)
}

/// Loses jobs, where this build can.
#[cfg(not(feature = "test-clock"))]
#[expect(
    clippy::unused_async,
    reason = "the other build waits for its database"
)]
pub async fn lose_jobs(_: &Env) -> Result<bool, overture_engine::Error> {
    Ok(false)
}

/// Begins to note what becomes of rows, where this build can.
#[cfg(not(feature = "test-clock"))]
#[expect(
    clippy::unused_async,
    reason = "the other build waits for its database"
)]
pub async fn watch(_: &Env) -> Result<()> {
    Ok(())
}

#[cfg(not(feature = "test-clock"))]
#[expect(
    clippy::unused_async,
    reason = "the other build waits for its database"
)]
async fn seen(_: &Env) -> Result<Seen> {
    Ok(Seen::new())
}
