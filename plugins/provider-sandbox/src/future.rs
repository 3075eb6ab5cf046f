//! What will come back, kept in the store until it is due.
//!
//! Keys sort by time: `due/ACCOUNT/TIME/…`. The cursor is the last key that was handed over; it is
//! deleted only when the host comes back with it, so a host that dies between loses nothing.

use overture_plugin::{Timestamp, store, store::StoreError};
use sandbox_personas::{Chance, Persona, What};
use serde::{Deserialize, Serialize};

use crate::original::Original;

/// Something that comes back at its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Coming {
    pub(crate) at: Timestamp,
    pub(crate) what: Kept,
    #[serde(with = "by_name")]
    pub(crate) persona: Persona,
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
    Bounce { hard: bool },
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

/// Whether a machine at this address answers this account for the first time.
pub(crate) fn first_time(account: &str, recipient: &str) -> Result<bool, StoreError> {
    let key = format!("told/{account}/{recipient}");
    let first = store::get(&key)?.is_none();
    if first {
        store::set(&key, b"1")?;
    }
    Ok(first)
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
            What::Bounce { hard } => Kept::Bounce { hard },
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
            Kept::Bounce { hard } => What::Bounce { hard },
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
