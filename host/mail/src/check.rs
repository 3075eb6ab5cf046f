//! "Test connection" (MB-2): both legs for real, each failure with its code, the server's words
//! and the fix.

use std::time::Duration;

use serde::Serialize;

use crate::{
    Cause, Code, Credentials, Dialer, Endpoint, Error, Security, Stage, Timeouts, imap,
    smtp::{self, Envelope, ReplyClass},
    tls::Fingerprint,
};

/// How a test of both legs went.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Sending; `None` when it works.
    pub smtp: Option<Problem>,
    /// Reading; `None` when it works.
    pub imap: Option<Problem>,
}

impl Outcome {
    /// Whether both legs work.
    pub fn is_good(&self) -> bool {
        self.smtp.is_none() && self.imap.is_none()
    }
}

/// Why a leg does not work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// How far it came.
    pub stage: Stage,
    /// The stable code.
    pub code: Code,
    /// What happened, in a sentence of ours.
    pub message: String,
    /// The server's own words, where it said any.
    pub words: Option<String>,
    /// What to do about it.
    pub fix: &'static str,
    /// The certificate that the server showed, to be pinned when the user trusts it.
    pub fingerprint: Option<Fingerprint>,
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        let code = error.code();
        let fingerprint = match &error.cause {
            Cause::Certificate { fingerprint, .. } => Some(*fingerprint),
            _ => None,
        };
        Self {
            stage: error.stage,
            code,
            message: crate::error::printable(&error.cause.to_string()),
            words: error.words(),
            fix: code.fix(),
            fingerprint,
        }
    }
}

/// Tests both legs at the same time: connects, secures, signs in; asks the SMTP server whether
/// it takes mail from and to `address` (nothing is sent), and opens the inbox.
pub async fn run(
    dialer: &Dialer,
    smtp: &Endpoint,
    imap: &Endpoint,
    credentials: &Credentials,
    address: &str,
) -> Outcome {
    let (sending, reading) = tokio::join!(
        self::smtp(dialer, smtp, credentials, address),
        self::imap(dialer, imap, credentials)
    );
    Outcome {
        smtp: sending.err(),
        imap: reading.err(),
    }
}

/// Tests the SMTP leg.
///
/// # Errors
/// Why it does not work.
pub async fn smtp(
    dialer: &Dialer,
    endpoint: &Endpoint,
    credentials: &Credentials,
    address: &str,
) -> Result<(), Problem> {
    let dialer = impatient(dialer);
    match try_smtp(&dialer, endpoint, credentials, address).await {
        Ok(()) => Ok(()),
        Err(error) => Err(problem(&dialer, endpoint, error).await),
    }
}

/// Tests the IMAP leg.
///
/// # Errors
/// Why it does not work.
pub async fn imap(
    dialer: &Dialer,
    endpoint: &Endpoint,
    credentials: &Credentials,
) -> Result<(), Problem> {
    let dialer = impatient(dialer);
    match try_imap(&dialer, endpoint, credentials).await {
        Ok(()) => Ok(()),
        Err(error) => Err(problem(&dialer, endpoint, error).await),
    }
}

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Leg {
    Smtp,
    Imap,
}

/// Whether a server can be reached from here, without signing in: name, connection, greeting and
/// certificate. Of an IMAP server with STARTTLS only name and connection.
///
/// # Errors
/// Why not.
pub async fn reach(dialer: &Dialer, endpoint: &Endpoint, leg: Leg) -> Result<(), Problem> {
    let dialer = impatient(dialer);
    let reached = async {
        match (leg, endpoint.security) {
            (Leg::Smtp, _) => {
                let session = smtp::Session::connect(&dialer, endpoint, None).await?;
                session.quit().await;
            }
            (Leg::Imap, Security::Implicit) => {
                let stream = dialer.open(endpoint).await?;
                dialer.secure(endpoint, stream).await?;
            }
            (Leg::Imap, _) => drop(dialer.open(endpoint).await?),
        }
        Ok::<_, Error>(())
    };
    match reached.await {
        Ok(()) => Ok(()),
        Err(error) => Err(problem(&dialer, endpoint, error).await),
    }
}

async fn try_smtp(
    dialer: &Dialer,
    endpoint: &Endpoint,
    credentials: &Credentials,
    address: &str,
) -> crate::Result<()> {
    let mut session = smtp::Session::connect(dialer, endpoint, Some(credentials)).await?;
    let envelope = Envelope {
        from: address.to_owned(),
        to: address.to_owned(),
    };
    let asked = session.envelope(&envelope).await;
    session.quit().await;
    match asked {
        // Greylisting, or a server that takes no mail for its own users here: sending may work.
        Err(error)
            if error.stage == Stage::Rcpt
                && error.class().is_some_and(|class| class != ReplyClass::Hard) =>
        {
            Ok(())
        }
        other => other,
    }
}

async fn try_imap(
    dialer: &Dialer,
    endpoint: &Endpoint,
    credentials: &Credentials,
) -> crate::Result<()> {
    let mut session = imap::Session::connect(dialer, endpoint, credentials).await?;
    let selected = session.select("INBOX").await;
    session.logout().await;
    selected.map(drop)
}

/// A dialer for when somebody waits for the answer.
pub fn impatient(dialer: &Dialer) -> Dialer {
    let own = dialer.timeouts;
    let seconds = Duration::from_secs;
    let timeouts = Timeouts {
        connect: own.connect.min(seconds(15)),
        greeting: own.greeting.min(seconds(20)),
        command: own.command.min(seconds(20)),
        data: own.data.min(seconds(20)),
        block: own.block.min(seconds(20)),
        transfer: own.transfer.min(seconds(30)),
    };
    Dialer {
        timeouts,
        ..dialer.clone()
    }
}

async fn problem(dialer: &Dialer, endpoint: &Endpoint, error: Error) -> Problem {
    Problem::from(&explained(dialer, endpoint, error).await)
}

/// An error of connecting, looked at again: a server that stays silent where STARTTLS was expected
/// may be waiting for TLS, and a handshake tells.
pub async fn explained(dialer: &Dialer, endpoint: &Endpoint, error: Error) -> Error {
    let silent = error.stage == Stage::Greeting && matches!(error.cause, Cause::Timeout(_));
    if silent && endpoint.security == Security::Starttls && speaks_tls(dialer, endpoint).await {
        return Cause::OnlyTls.at(error.stage);
    }
    error
}

async fn speaks_tls(dialer: &Dialer, endpoint: &Endpoint) -> bool {
    let Ok(stream) = dialer.open(endpoint).await else {
        return false;
    };
    match dialer.secure(endpoint, stream).await {
        Ok(_) => true,
        Err(error) => matches!(error.cause, Cause::Certificate { .. }),
    }
}
