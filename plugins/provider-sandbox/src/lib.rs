//! A whole outreach world without network (OPS-6): what is sent reaches a persona, and what the
//! persona does comes back through `sync` when it is due, as mails and signals.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`sandbox_personas`] | who somebody is and what they do: pure, so that counts can be foreseen |
//! | [`future`] | what will come back, kept in the store until it is due |
//! | [`original`] | what of the sent mail an answer needs |
//! | [`mails`] | the mails that come back (RFC 5322, 3464, 5965) |
//! | [`texts`] | what people say, in five languages |

mod future;
mod mails;
mod original;
mod texts;

use std::collections::BTreeMap;

use overture_plugin::{
    Timestamp, clock,
    mail_provider::{
        Account, Envelope, Incoming, Leg, LegProblem, MailProvider, Outgoing, Preset, Problem,
        Sent, Signal, SignalKind, SyncPage,
    },
    mailbox::{Mail, MailboxError, Reply, Session},
    store::StoreError,
};
use sandbox_personas::{Persona, What};
use serde::Deserialize;

use crate::{future::Coming, original::Original};

struct Sandbox;

overture_plugin::mail_provider!(Sandbox);

/// Mails and signals of one page.
const PAGE: usize = 100;

/// The settings of plugin.toml, as the account carries them.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Settings {
    seed: u64,
    personas: BTreeMap<String, String>,
}

impl MailProvider for Sandbox {
    fn presets() -> Vec<Preset> {
        vec![Preset {
            key: "sandbox".into(),
            name: "Sandbox (no network)".into(),
            smtp: None,
            imap: None,
            auth: Vec::new(),
            password_hint: "No password: nothing leaves this machine.".into(),
            domains: Vec::new(),
            files_sent: true,
            sent_within_minutes: Some(1),
            recipients_per_day: None,
            mails_per_minute: None,
        }]
    }

    fn check(account: &Account) -> Vec<Leg> {
        vec![check(account)]
    }

    fn send(account: &Account, envelope: Envelope, mail: Outgoing) -> Result<Sent, Problem> {
        send(account, &envelope, &mail, clock::now())
    }

    fn sync(account: &Account, cursor: Option<String>) -> Result<SyncPage, Problem> {
        sync(account, cursor.as_deref(), clock::now())
    }
}

fn check<S: Session>(account: &S) -> Leg {
    let problem = match settings(account) {
        Ok(_) => None,
        Err(fix) => Some(LegProblem {
            stage: "settings".into(),
            code: "invalid_settings".into(),
            reply: None,
            fix,
        }),
    };
    Leg {
        name: "sandbox".into(),
        problem,
    }
}

/// Reads the account's settings, and says what is wrong with them.
fn settings<S: Session>(account: &S) -> Result<Settings, String> {
    let settings: Settings = serde_json::from_str(&account.settings())
        .map_err(|e| format!("The sandbox's settings can't be read: {e}."))?;
    for name in settings.personas.values() {
        name.parse::<Persona>()
            .map_err(|e| format!("In the sandbox {e}."))?;
    }
    Ok(settings)
}

fn persona(settings: &Settings, address: &str) -> Persona {
    let named = settings.personas.get(&address.to_lowercase());
    let named = named.and_then(|name| name.parse().ok());
    named.unwrap_or_else(|| Persona::of(settings.seed, address))
}

fn send<S: Session, M: Mail>(
    account: &S,
    envelope: &Envelope,
    mail: &M,
    now: Timestamp,
) -> Result<Sent, Problem> {
    let settings = settings(account).map_err(Problem::Temporary)?;
    let message_id = mail.message_id();
    let raw = mail.raw().map_err(|error| match error {
        MailboxError::Denied(what) => Problem::Denied(what),
        MailboxError::Failed(failure) => Problem::Temporary(failure.detail),
    })?;
    let persona = persona(&settings, &envelope.recipient);
    if persona == Persona::Refused {
        return Err(Problem::RecipientRejected(reply(
            550,
            "5.1.1",
            "no such user here",
        )));
    }
    let original = Original::read(
        &raw,
        &message_id,
        &envelope.sender,
        &envelope.recipient,
        now,
    );
    for reaction in persona.reactions(settings.seed, &message_id) {
        // A machine answers a sender once (RFC 3834 §2).
        if matches!(reaction.what, What::Absence { .. } | What::Receipt)
            && !future::first_time(&account.id(), &envelope.recipient).map_err(unstored)?
        {
            continue;
        }
        let at = now + reaction.after_ms;
        let coming = Coming {
            at,
            what: reaction.what.into(),
            persona,
            original: original.clone(),
        };
        future::add(&account.id(), &coming).map_err(unstored)?;
    }
    Ok(Sent {
        provider_id: None,
        reply: Some(reply(250, "2.0.0", "accepted by the sandbox")),
    })
}

fn sync<S: Session>(
    account: &S,
    cursor: Option<&str>,
    now: Timestamp,
) -> Result<SyncPage, Problem> {
    let id = account.id();
    let due = future::due(&id, cursor, now, PAGE).map_err(unstored)?;
    let mut page = SyncPage {
        cursor: due.cursor,
        mails: Vec::new(),
        signals: Vec::new(),
        more: due.more,
        watch: Vec::new(),
        check_again_at: due.next,
    };
    for coming in &due.list {
        let signal = |kind, url| Signal {
            kind,
            message_id: coming.original.message_id.clone(),
            at: coming.at,
            url,
        };
        match What::from(coming.what) {
            What::Open => page.signals.push(signal(SignalKind::Opened, None)),
            What::Click => {
                page.signals
                    .push(signal(SignalKind::Clicked, coming.original.link.clone()));
            }
            What::Unsubscribe => page.signals.push(signal(SignalKind::Unsubscribed, None)),
            what => page.mails.push(Incoming::Raw(mails::build(coming, what))),
        }
    }
    Ok(page)
}

fn reply(code: u16, enhanced: &str, text: &str) -> Reply {
    Reply {
        code: Some(code),
        enhanced: Some(enhanced.into()),
        text: text.into(),
    }
}

fn unstored(error: StoreError) -> Problem {
    match error {
        StoreError::Denied => Problem::Denied("store".into()),
        StoreError::OverQuota(bytes) => Problem::Temporary(format!(
            "The sandbox's store of {bytes} bytes is full: let what waits come back first."
        )),
        StoreError::Unavailable => Problem::Temporary("The sandbox's store is away.".into()),
    }
}

#[cfg(test)]
mod tests;
