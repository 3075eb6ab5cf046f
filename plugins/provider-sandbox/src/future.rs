//! What will come back, kept in the store until it is due.
//!
//! Keys sort by time: `due/ACCOUNT/TIME/…`. The cursor is the last key that was handed over; it is
//! deleted only when the host comes back with it, so a host that dies between loses nothing.

use overture_plugin::{Timestamp, store, store::StoreError};
use sandbox_personas::{Chance, Language, Persona, What};
use serde::{Deserialize, Serialize};

use crate::original::Original;

/// Something that comes back at its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Coming {
    pub(crate) at: Timestamp,
    pub(crate) what: Kept,
    #[serde(with = "by_name")]
    pub(crate) persona: Persona,
    #[serde(with = "by_code")]
    pub(crate) language: Language,
    pub(crate) original: Original,
}

/// [`What`] in the store's form.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kept {
    Open,
    Click,
    Reply(u32),
    Absence { days: u32 },
    Receipt,
    HardBounce,
    SoftBounce,
    Block,
    Unsubscribe,
    Complaint,
}

/// What is due, and how to go on.
pub(crate) struct Due {
    pub(crate) list: Vec<Coming>,
    pub(crate) cursor: String,
    pub(crate) more: bool,
    /// When the next thing comes.
    pub(crate) next: Option<Timestamp>,
}

pub(crate) fn add(account: &str, coming: &Coming) -> Result<(), StoreError> {
    let mut chance = Chance::of(coming.at, &[&coming.original.message_id]);
    let key = format!(
        "{}{:013}/{:016x}",
        prefix(account),
        coming.at,
        chance.number()
    );
    let value = serde_json::to_vec(coming).expect("texts and numbers have a form in JSON");
    store::set(&key, &value)
}

/// Forgets what the cursor has confirmed, and reads what is due after it.
pub(crate) fn due(
    account: &str,
    cursor: Option<&str>,
    now: Timestamp,
    limit: usize,
) -> Result<Due, StoreError> {
    let prefix = prefix(account);
    let cursor = cursor.unwrap_or("");
    let mut due = Due {
        list: Vec::new(),
        cursor: cursor.to_owned(),
        more: false,
        next: None,
    };
    for key in store::keys(&prefix)? {
        if key.as_str() <= cursor {
            store::delete(&key)?;
            continue;
        }
        let at = key[prefix.len()..]
            .split('/')
            .next()
            .and_then(|at| at.parse().ok());
        let at: Timestamp = at.unwrap_or(0);
        if at > now {
            due.next = Some(at);
            break;
        }
        if due.list.len() == limit {
            due.more = true;
            break;
        }
        if let Some(value) = store::get(&key)? {
            match serde_json::from_slice(&value) {
                Ok(coming) => due.list.push(coming),
                Err(_) => overture_plugin::error!("something in the sandbox's store can't be read"),
            }
        }
        due.cursor = key;
    }
    Ok(due)
}

/// Whether something happens between an account and a recipient for the first time.
pub(crate) fn first_time(what: &str, account: &str, recipient: &str) -> Result<bool, StoreError> {
    let key = format!("{what}/{account}/{recipient}");
    let first = store::get(&key)?.is_none();
    if first {
        store::set(&key, b"1")?;
    }
    Ok(first)
}

/// Which mail of an account to a recipient this is, from 0. One that is tried again is the same.
pub(crate) fn nth_mail(
    account: &str,
    recipient: &str,
    message_id: &str,
) -> Result<usize, StoreError> {
    let prefix = format!("mail/{account}/{recipient}/");
    let mut chance = Chance::of(0, &[message_id]);
    let key = format!("{prefix}{:016x}", chance.number());
    if let Some(number) = store::get(&key)? {
        let number = String::from_utf8(number).ok();
        return Ok(number.and_then(|number| number.parse().ok()).unwrap_or(0));
    }
    let number = store::keys(&prefix)?.len();
    store::set(&key, number.to_string().as_bytes())?;
    Ok(number)
}

fn prefix(account: &str) -> String {
    format!("due/{account}/")
}

impl From<What> for Kept {
    fn from(what: What) -> Self {
        match what {
            What::Open => Kept::Open,
            What::Click => Kept::Click,
            What::Reply(text) => Kept::Reply(text),
            What::Absence { days } => Kept::Absence { days },
            What::Receipt => Kept::Receipt,
            What::HardBounce => Kept::HardBounce,
            What::SoftBounce => Kept::SoftBounce,
            What::Block => Kept::Block,
            What::Unsubscribe => Kept::Unsubscribe,
            What::Complaint => Kept::Complaint,
        }
    }
}

impl From<Kept> for What {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::Open => What::Open,
            Kept::Click => What::Click,
            Kept::Reply(text) => What::Reply(text),
            Kept::Absence { days } => What::Absence { days },
            Kept::Receipt => What::Receipt,
            Kept::HardBounce => What::HardBounce,
            Kept::SoftBounce => What::SoftBounce,
            Kept::Block => What::Block,
            Kept::Unsubscribe => What::Unsubscribe,
            Kept::Complaint => What::Complaint,
        }
    }
}

mod by_name {
    use sandbox_personas::Persona;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(persona: &Persona, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(persona)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Persona, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

mod by_code {
    use sandbox_personas::Language;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(language: &Language, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(language.code())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Language, D::Error> {
        let code = String::deserialize(from)?;
        Language::named(&code).ok_or_else(|| D::Error::custom("an unknown language"))
    }
}
