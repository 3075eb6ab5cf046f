//! One mail's way to the server, step by step: only so is it known on which side of the body it
//! broke (SAFE-3).

use overture_mail::{self as mail, Dialer, smtp};
use overture_plugin_host::capabilities::mailbox::{Envelope, Outgoing, Submission};
use tokio::sync::watch;

use crate::{BeforeBody, Failpoint, failpoints};

use super::{
    connections::{Connection, Place},
    session::{Submitting, reply_of},
};

/// Sends a mail over a connection of the place, and keeps that for the next where it is of use.
///
/// # Errors
/// Where it broke; [`mail::Error::fate`] says whether the mail may have gone out.
pub(super) async fn submit(
    place: Place,
    dialer: &Dialer,
    outgoing: &Outgoing,
    hook: &dyn BeforeBody,
    state: &watch::Sender<Submitting>,
) -> mail::Result<Submission> {
    let Envelope { sender, recipient } = outgoing.envelope.clone();
    let envelope = smtp::Envelope {
        from: sender,
        to: recipient,
    };
    let mut connection = match begin(&place, dialer, &envelope).await {
        Ok(connection) => connection,
        Err((connection, error)) => {
            if let Some(connection) = connection {
                place.give_back(connection);
            }
            return Err(error);
        }
    };
    failpoints::reached(Failpoint::DialogueOpen, &envelope.from).await;
    // On an error the connection is dropped at 354: the server keeps nothing.
    hook.commit_attempt().await.map_err(|why| {
        let cause = mail::Cause::Input(format!("the attempt could not be recorded: {why}"));
        cause.at(mail::Stage::Data)
    })?;
    state.send_replace(Submitting::Body);
    failpoints::reached(Failpoint::Attempted, &envelope.from).await;
    let answer = connection.session.body(&outgoing.bytes).await;
    failpoints::reached(Failpoint::BodySent, &envelope.from).await;
    place.give_back(connection);
    Ok(Submission {
        reply: reply_of(&answer?),
    })
}

/// A connection at which the server waits for the body. A kept one that turns out to be gone says
/// nothing about the mail, so that goes over a new one at once; nothing was sent.
async fn begin(
    place: &Place,
    dialer: &Dialer,
    envelope: &smtp::Envelope,
) -> Result<Connection, (Option<Connection>, mail::Error)> {
    if let Some(mut kept) = place.kept() {
        match kept.session.begin(envelope).await {
            Ok(()) => return Ok(kept),
            Err(error) if is_gone(&error) => {
                tracing::debug!(%error, mails = kept.mails, "a kept connection was gone");
            }
            Err(error) => return Err((Some(kept), error)),
        }
    }
    let mut new = place.dial(dialer).await.map_err(|error| (None, error))?;
    match new.session.begin(envelope).await {
        Ok(()) => Ok(new),
        Err(error) => Err((Some(new), error)),
    }
}

/// The connection ended, or the server said that it ends it (421: RFC 5321 §3.8).
fn is_gone(error: &mail::Error) -> bool {
    match &error.cause {
        mail::Cause::Reply(reply) => reply.code == 421,
        mail::Cause::Closed
        | mail::Cause::Io(_)
        | mail::Cause::Timeout(_)
        | mail::Cause::Garbage(_) => true,
        _ => false,
    }
}
