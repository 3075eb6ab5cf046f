//! Random credentials that whoever holds them may use: API keys (`ws_…`, API-1), session cookies
//! and one-time links (WS-3, WS-4). Shown once; the database holds a SHA-256 hash, which is enough
//! for 238 random bits, and by which the row is found.

use overture_domain::Rng;
use sha2::{Digest, Sha256};

use crate::Secret;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const LENGTH: usize = 40;
/// How much of the random part is kept readable.
const SHOWN: usize = 6;

/// A new credential.
#[derive(Clone, Debug)]
pub struct Bearer {
    /// The whole text, to show once.
    pub secret: Secret,
    /// What the database keeps: 64 hex digits.
    pub hash: String,
    /// The beginning, by which people tell their keys apart: `ws_4fR9aK`.
    pub prefix: String,
}

impl Bearer {
    /// An API key: `ws_` and 40 letters and digits (API-1).
    pub fn api_key(rng: &dyn Rng) -> Self {
        Self::new("ws_", rng)
    }

    /// The value of a session cookie: `sess_…`.
    pub fn session(rng: &dyn Rng) -> Self {
        Self::new("sess_", rng)
    }

    /// The token of an invitation, a password reset or a magic link: `link_…`.
    pub fn one_time_link(rng: &dyn Rng) -> Self {
        Self::new("link_", rng)
    }

    fn new(kind: &str, rng: &dyn Rng) -> Self {
        let mut text = String::with_capacity(kind.len() + LENGTH);
        text.push_str(kind);
        while text.len() < kind.len() + LENGTH {
            let mut bytes = [0; 64];
            rng.fill(&mut bytes);
            // 248 = 4 * 62: dropping the bytes above it makes every character equally likely.
            let fair = bytes.iter().filter(|byte| **byte < 248);
            let missing = kind.len() + LENGTH - text.len();
            text.extend(
                fair.take(missing)
                    .map(|b| char::from(ALPHABET[usize::from(b % 62)])),
            );
        }
        Self {
            hash: hash(&text),
            prefix: text[..kind.len() + SHOWN].to_owned(),
            secret: Secret::new(text),
        }
    }
}

/// The hash by which a presented credential is looked up, whatever its text.
pub fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// Whether the text has the form of an API key, so that the answer to a wrong one can say whether
/// it is unknown or mistyped.
pub fn looks_like_api_key(text: &str) -> bool {
    text.strip_prefix("ws_")
        .is_some_and(|rest| rest.len() == LENGTH && rest.bytes().all(|b| ALPHABET.contains(&b)))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use overture_domain::rng::SeededRng;

    use super::*;

    // API-1
    #[test]
    fn an_api_key_is_found_by_its_hash() {
        let key = Bearer::api_key(&SeededRng::new(1));
        assert!(looks_like_api_key(key.secret.expose()));
        assert_eq!(key.hash, hash(key.secret.expose()));
        assert_eq!(key.prefix.len(), 9);
        assert!(key.secret.expose().starts_with(&key.prefix));
        assert!(!format!("{key:?}").contains(key.secret.expose()));
    }

    #[test]
    fn the_hash_is_sha_256() {
        assert_eq!(
            hash("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn every_key_is_another_and_every_character_occurs() {
        let rng = SeededRng::new(1);
        let keys: HashSet<String> = (0..500)
            .map(|_| Bearer::api_key(&rng).secret.expose().to_owned())
            .collect();
        assert_eq!(keys.len(), 500);
        let seen: HashSet<u8> = keys.iter().flat_map(|key| key[3..].bytes()).collect();
        assert_eq!(seen.len(), ALPHABET.len());
    }

    #[test]
    fn other_texts_are_no_keys() {
        for text in [
            "",
            "ws_",
            "ws_short",
            "sk_0123456789012345678901234567890123456789",
        ] {
            assert!(!looks_like_api_key(text), "{text}");
        }
    }
}
