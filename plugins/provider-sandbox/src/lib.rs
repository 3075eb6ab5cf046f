//! A whole outreach world without network (OPS-6): what is sent reaches a persona, and what the
//! persona does comes back through `sync` when it is due, as mails and signals. What they fetch (the
//! pixel, a link, the link to unsubscribe) is named by its signal, so that the host counts it as it
//! counts a fetch of its own. The README says who there is.
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
use sandbox_personas::{Behaviour, Language, Persona, What};
use serde::Deserialize;

use crate::{future::Coming, original::Original};

struct Sandbox;

overture_plugin::mail_provider!(Sandbox);

/// The longest time between two looks: what a mail leads to that is sent meanwhile waits no longer.
const LOOK_EVERY: u64 = 20 * 60_000;

/// Mails and signals of one page.
const PAGE: usize = 100;

/// The settings of plugin.toml, as the account carries them.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Settings {
    seed: u64,
    personas: BTreeMap<String, String>,
    languages: BTreeMap<String, String>,
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
    for (address, text) in &settings.personas {
        text.parse::<Behaviour>()
            .map_err(|e| format!("In the sandbox's setting for {address}: {e}."))?;
    }
    for (address, code) in &settings.languages {
        if Language::named(code).is_none() {
            let known = Language::ALL.map(|(code, _)| code).join(", ");
            return Err(format!(
                "In the sandbox's setting for {address}: \"{code}\" is no language; use one of {known}."
            ));
        }
    }
    Ok(settings)
}

impl Settings {
    fn behaviour(&self, address: &str) -> Behaviour {
        let said = self.personas.get(address);
        let said = said.and_then(|text| text.parse().ok());
        said.unwrap_or_else(|| Behaviour::of(self.seed, address))
    }

    fn language(&self, address: &str) -> Language {
        let said = self.languages.get(address);
        let said = said.and_then(|code| Language::named(code));
        said.unwrap_or_else(|| Language::of(address))
    }
}

fn send<S: Session, M: Mail>(
    account: &S,
    envelope: &Envelope,
    mail: &M,
    now: Timestamp,
) -> Result<Sent, Problem> {
    let settings = settings(account).map_err(Problem::Temporary)?;
    let (id, message_id) = (account.id(), mail.message_id());
    let raw = mail.raw().map_err(|error| match error {
        MailboxError::Denied(what) => Problem::Denied(what),
        MailboxError::Failed(failure) => Problem::Temporary(failure.detail),
    })?;
    let recipient = envelope.recipient.to_lowercase();
    let nth = future::nth_mail(&id, &recipient, &message_id).map_err(unstored)?;
    let act = settings.behaviour(&recipient).with_mail(nth);
    refuse(act.persona, &id, &recipient)?;
    let original = Original::read(
        &raw,
        &message_id,
        &envelope.sender,
        &envelope.recipient,
        now,
    );
    for reaction in act.reactions(settings.seed, &format!("{recipient} {nth}")) {
        // A machine answers a sender once (RFC 3834 §2).
        if matches!(reaction.what, What::Absence { .. } | What::Receipt)
            && !future::first_time("told", &id, &recipient).map_err(unstored)?
        {
            continue;
        }
        let at = now + reaction.after_ms;
        let coming = Coming {
            at,
            what: reaction.what.into(),
            persona: act.persona,
            language: settings.language(&recipient),
            original: original.clone(),
        };
        future::add(&id, &coming).map_err(unstored)?;
    }
    Ok(Sent {
        provider_id: None,
        reply: Some(reply(250, "2.0.0", "accepted by the sandbox")),
    })
}

/// What some servers say at once.
fn refuse(persona: Persona, account: &str, recipient: &str) -> Result<(), Problem> {
    let first = || future::first_time("refused", account, recipient).map_err(unstored);
    match persona {
        Persona::Refused => Err(Problem::RecipientRejected(reply(
            550,
            "5.1.1",
            "no such user here",
        ))),
        Persona::Greylists if first()? => Err(Problem::Temporary(
            "450 4.7.1 greylisted, try again later".into(),
        )),
        Persona::OverLimit if first()? => Err(Problem::RateLimited(reply(
            550,
            "5.4.5",
            "daily sending quota exceeded",
        ))),
        _ => Ok(()),
    }
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
        check_again_at: Some(due.next.unwrap_or(u64::MAX).min(now + LOOK_EVERY)),
    };
    for coming in &due.list {
        let signal = |kind, url| Signal {
            kind,
            message_id: coming.original.message_id.clone(),
            at: coming.at,
            url,
        };
        let original = &coming.original;
        match What::from(coming.what) {
            What::Open => page
                .signals
                .push(signal(SignalKind::Opened, original.pixel.clone())),
            What::Click => page
                .signals
                .push(signal(SignalKind::Clicked, original.link.clone())),
            What::Unsubscribe => page.signals.push(signal(
                SignalKind::Unsubscribed,
                original.unsubscribe.clone(),
            )),
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
