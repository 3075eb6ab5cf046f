//! *Test connection*: both legs for real, each failure with its code, the server's words and the
//! fix (MB-2).

use std::sync::Arc;

use overture_domain::{
    AccountId, WorkspaceId,
    accounts::{Account, AccountStatus, Credentials},
    people::Actor,
};
use overture_mail::Code;

use crate::{Env, Error, FieldError, Result};

use super::{Session, get, status};

/// One leg of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// `smtp`, `imap`, or what the provider calls its own.
    pub name: String,
    /// None when it works.
    pub problem: Option<Problem>,
}

/// Why a leg doesn't work (MB-2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How far it came: dns, tcp, tls, auth...
    pub stage: String,
    /// A stable code: `auth_invalid`, `tls_self_signed`...
    pub code: String,
    /// The server's own words.
    pub reply: Option<String>,
    /// What to do.
    pub fix: String,
    /// SHA-256 of the certificate that the server showed and that was refused, for pinning.
    pub certificate: Option<String>,
}

impl Problem {
    /// What the server said, or else what has happened, and the fix.
    pub fn sentence(&self) -> String {
        let said: &str = match (&self.reply, self.code.parse::<Code>()) {
            (Some(reply), _) => reply,
            (None, Ok(code)) => code.meaning(),
            (None, Err(_)) => &self.code,
        };
        let said = said.trim_end_matches('.');
        match &self.certificate {
            Some(certificate) => {
                format!(
                    "{said}. {} Its certificate: SHA-256 {certificate}",
                    self.fix
                )
            }
            None => format!("{said}. {}", self.fix),
        }
    }
}

/// Tests a mailbox as it is stored. When both legs work, one that was disconnected or in error is
/// connected again and its sends go on by themselves, without a burst (MB-11).
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Outside`] when the provider plugin can't be called. What is wrong
/// with the mailbox stands in the legs.
pub async fn test(env: &Env, ws: WorkspaceId, id: AccountId, actor: &Actor) -> Result<Vec<Leg>> {
    let account = get(env, ws, id).await?;
    let session = Session::open(env, &account).await?;
    let legs = run(env, &account, session).await?;
    let waits = !matches!(
        account.status,
        AccountStatus::Connected | AccountStatus::Paused
    );
    if waits && passed(&legs) {
        status::connect_again(env, &account, "the connection test passed", actor).await?;
    }
    Ok(legs)
}

/// Tests a mailbox as it is stored, and changes nothing, whatever comes of it.
///
/// # Errors
/// As [`test`].
pub async fn look(env: &Env, account: &Account) -> Result<Vec<Leg>> {
    stored(env, account).await
}

/// Tests an account that is not stored like this, or not yet.
pub(super) async fn with_credentials(
    env: &Env,
    account: &Account,
    credentials: Option<&Credentials>,
) -> Result<Vec<Leg>> {
    run(env, account, Session::with(env, account, credentials)).await
}

/// Tests an account that is stored with other settings, with its stored credentials.
pub(super) async fn stored(env: &Env, account: &Account) -> Result<Vec<Leg>> {
    run(env, account, Session::open(env, account).await?).await
}

async fn run(env: &Env, account: &Account, session: Session) -> Result<Vec<Leg>> {
    let session = Arc::new(session.impatient());
    let legs = env
        .providers
        .check(account.workspace_id, &account.provider, session.clone())
        .await
        .map_err(|error| Error::Outside(format!("the mailbox can't be tested: {error}")));
    session.close().await;
    let leg = |leg: overture_plugin_host::Leg| {
        let certificate = session.refused_certificate(&leg.name);
        let problem = leg.problem.map(|problem| Problem {
            certificate: certificate.filter(|_| problem.code.starts_with("tls_")),
            stage: problem.stage,
            code: problem.code,
            reply: problem.reply,
            fix: problem.fix,
        });
        Leg {
            name: leg.name,
            problem,
        }
    };
    Ok(legs?.into_iter().map(leg).collect())
}

/// Whether every leg works.
pub(super) fn passed(legs: &[Leg]) -> bool {
    legs.iter().all(|leg| leg.problem.is_none())
}

/// A test that failed, as the refusal of an operation: one detail for each leg.
pub(super) fn refusal(legs: &[Leg]) -> Error {
    let failed = legs
        .iter()
        .filter_map(|leg| Some((&leg.name, leg.problem.as_ref()?)));
    Error::Invalid(
        failed
            .map(|(name, problem)| FieldError::new(name, &problem.code, problem.sentence()))
            .collect(),
    )
}

/// The same as a status reason.
pub(super) fn reason(legs: &[Leg]) -> String {
    let failed = legs
        .iter()
        .filter_map(|leg| Some((&leg.name, leg.problem.as_ref()?)));
    let words: Vec<String> = failed
        .map(|(name, problem)| format!("{name}: {}", problem.sentence()))
        .collect();
    words.join(" ")
}
