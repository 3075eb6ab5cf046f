//! Ids: a prefix that says what the thing is, and a UUIDv7 in 26 characters of Crockford's
//! base 32 (`cmp_01kjq5t3k8e9v8z2m4n6p7r8s9`). The same text stands in URL, log and database, and
//! ids sort by the time they were made.

use std::{fmt, hash::Hash, marker::PhantomData, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Rng, Timestamp};

/// What an id names. Implemented by the marker types of [`ids!`](crate::id).
pub trait Kind: 'static {
    /// The text before the underscore, at most seven letters.
    const PREFIX: &'static str;
}

/// The id of one `K`.
pub struct Id<K> {
    uuid: uuid::Uuid,
    kind: PhantomData<fn() -> K>,
}

/// A text that is not an id of the wanted kind.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is not an id of this kind; it looks like `{prefix}_01kjq5t3k8e9v8z2m4n6p7r8s9`")]
pub struct ParseIdError {
    text: String,
    prefix: &'static str,
}

impl<K: Kind> Id<K> {
    /// A new id: UUIDv7 (RFC 9562 §5.7) of `now` and 74 random bits.
    pub fn new(now: Timestamp, rng: &dyn Rng) -> Self {
        let mut random = [0; 10];
        rng.fill(&mut random);
        let millis = u64::try_from(now.as_millis()).unwrap_or(0);
        Self::from_uuid(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// The least id of a moment: those of things before it are less, all others are not.
    pub fn first_of(at: Timestamp) -> Self {
        let millis = u64::try_from(at.as_millis()).unwrap_or(0);
        Self::from_uuid(uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid())
    }

    /// The id made of this UUID.
    pub const fn from_uuid(uuid: uuid::Uuid) -> Self {
        Self {
            uuid,
            kind: PhantomData,
        }
    }

    /// The UUID inside.
    pub const fn uuid(&self) -> uuid::Uuid {
        self.uuid
    }
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// No digit.
const NONE: u8 = 32;

/// The place of each byte in the alphabet.
const PLACES: [u8; 256] = {
    let mut places = [NONE; 256];
    let mut place = 0;
    while place < ALPHABET.len() {
        places[ALPHABET[place] as usize] = place as u8;
        place += 1;
    }
    places
};

/// Digits of an id.
const DIGITS: usize = 26;

impl<K: Kind> Id<K> {
    /// Works with the text: a row holds several ids, and is written and read in each batch.
    fn with_text<R>(&self, work: impl FnOnce(&str) -> R) -> R {
        let mut text = [0; 8 + DIGITS];
        let digits = K::PREFIX.len() + 1;
        text[..digits - 1].copy_from_slice(K::PREFIX.as_bytes());
        text[digits - 1] = b'_';
        let mut rest = self.uuid.as_u128();
        for place in text[digits..][..DIGITS].iter_mut().rev() {
            *place = ALPHABET[(rest & 31) as usize];
            rest >>= 5;
        }
        work(std::str::from_utf8(&text[..digits + DIGITS]).unwrap_or_default())
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| f.write_str(text))
    }
}

impl<K: Kind> FromStr for Id<K> {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let parse = || {
            let digits = text.strip_prefix(K::PREFIX)?.strip_prefix('_')?.as_bytes();
            // 26 digits of 5 bits hold 130 bits: the first may be at most 7.
            if digits.len() != DIGITS || digits[0] > b'7' {
                return None;
            }
            digits
                .iter()
                .try_fold(0u128, |value, digit| match PLACES[usize::from(*digit)] {
                    NONE => None,
                    place => Some((value << 5) | u128::from(place)),
                })
        };
        parse()
            .map(|value| Self::from_uuid(uuid::Uuid::from_u128(value)))
            .ok_or_else(|| ParseIdError {
                text: text.chars().take(60).collect(),
                prefix: K::PREFIX,
            })
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.uuid.cmp(&other.uuid)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.uuid.hash(state);
    }
}
impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_text(|text| serializer.serialize_str(text))
    }
}
impl<'de, K: Kind> Deserialize<'de> for Id<K> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident, $kind:ident, $prefix:literal;)*) => {
        /// One marker type a kind of id.
        pub mod kinds {$(
            #[doc = concat!("Marks ids that start with `", $prefix, "_`.")]
            #[derive(Debug)]
            pub enum $kind {}
            impl super::Kind for $kind {
                const PREFIX: &'static str = $prefix;
            }
        )*}
        $($(#[$doc])* pub type $name = Id<kinds::$kind>;)*
    };
}

ids! {
    WorkspaceId, Workspace, "wsp";
    UserId, User, "usr";
    ApiKeyId, ApiKey, "key";
    AuditId, Audit, "aud";
    /// A mailbox or a LinkedIn account.
    AccountId, Account, "acc";
    ProspectId, Prospect, "pro";
    ListId, List, "lst";
    /// A saved filter of prospects.
    FilterId, Filter, "flt";
    ImportId, Import, "imp";
    CampaignId, Campaign, "cmp";
    StepId, Step, "stp";
    /// One of the texts of a step.
    VariantId, Variant, "var";
    EnrollmentId, Enrollment, "enr";
    /// One step for one enrollment.
    ActionId, Action, "act";
    JobId, Job, "job";
    AttemptId, Attempt, "att";
    EventId, Event, "evt";
    MessageId, Message, "msg";
    SuppressionId, Suppression, "sup";
    WebhookId, Webhook, "whk";
    DeliveryId, Delivery, "dlv";
    HostId, Host, "hst";
    /// A fetch of a pixel, or a click.
    HitId, Hit, "hit";
    RequestId, Request, "req";
    /// What an admin must see to.
    AlertId, Alert, "alt";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SeededRng;

    #[test]
    fn text_round_trips_and_sorts_by_time() {
        let rng = SeededRng::new(3);
        let early = CampaignId::new(Timestamp::from_secs(1_700_000_000), &rng);
        let late = CampaignId::new(Timestamp::from_secs(1_700_000_001), &rng);
        assert_eq!(early.to_string().parse::<CampaignId>().unwrap(), early);
        assert!(early < late && early.to_string() < late.to_string());
        assert!(early.to_string().starts_with("cmp_01h"));
    }

    #[test]
    fn another_kind_is_refused() {
        let id =
            CampaignId::new(Timestamp::from_secs(1_700_000_000), &SeededRng::new(3)).to_string();
        assert!(id.parse::<WorkspaceId>().is_err());
        for text in [
            "",
            "cmp",
            "cmp_",
            "cmp_81kjq5t3k8e9v8z2m4n6p7r8s9",
            "cmp_01KJQ5T3K8E9V8Z2M4N6P7R8S9",
        ] {
            assert!(text.parse::<CampaignId>().is_err(), "{text}");
        }
    }
}
