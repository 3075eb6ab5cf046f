//! One 256-bit master key: its text, its id, and the keys derived from it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use hmac::{Hmac, KeyInit, Mac};
use overture_domain::Rng;
use sha2::Sha256;
use zeroize::Zeroizing;

const PREFIX: &str = "omk1_";
/// 32 bytes in base64.
const DIGITS: usize = 43;

/// 32 secret bytes.
pub(crate) type Key = Zeroizing<[u8; 32]>;

/// HMAC-SHA256 over the parts, one after the other.
pub(crate) fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// A master key with its id.
pub(crate) struct MasterKey {
    key: Key,
    id: String,
}

impl MasterKey {
    pub(crate) fn generate(rng: &dyn Rng) -> Self {
        let mut key = Key::default();
        rng.fill(&mut *key);
        Self::from_bytes(key)
    }

    fn from_bytes(key: Key) -> Self {
        let id = hex::encode(&derive(&key, "key id")[..4]);
        Self { key, id }
    }

    /// Reads `omk1_…`; the error says what is wrong, without the text.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let digits = text
            .strip_prefix(PREFIX)
            .ok_or("it does not start with `omk1_`")?;
        if digits.len() != DIGITS {
            return Err("it is cut off or too long");
        }
        let not_base64 = "what follows `omk1_` is not base64url";
        let bytes = Zeroizing::new(B64.decode(digits).map_err(|_| not_base64)?);
        let bytes = bytes.as_slice().try_into().map_err(|_| not_base64)?;
        Ok(Self::from_bytes(Zeroizing::new(bytes)))
    }

    pub(crate) fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!(
            "{PREFIX}{}",
            &*Zeroizing::new(B64.encode(*self.key))
        ))
    }

    /// Eight hex digits that name the key and tell nothing about it.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The key for one purpose; keys of different purposes tell nothing about each other.
    pub(crate) fn derive(&self, purpose: &str) -> Key {
        derive(&self.key, purpose)
    }
}

/// HKDF-Expand of RFC 5869 §2.3, one block. The extract step may be left out, because the master
/// key is uniformly random (§3.3).
fn derive(key: &Key, purpose: &str) -> Key {
    Zeroizing::new(hmac(&**key, &[b"overture/v1/", purpose.as_bytes(), &[1]]))
}

#[cfg(test)]
mod tests {
    use overture_domain::rng::SeededRng;

    use super::*;

    // RFC 5869 appendix A.3: the expand step of its pseudorandom key with an empty info.
    #[test]
    fn expand_is_that_of_the_rfc() {
        let prk = hex::decode("19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04");
        let okm = hmac(&prk.unwrap(), &[b"", &[1]]);
        assert_eq!(
            hex::encode(okm),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
        );
    }

    #[test]
    fn text_round_trips() {
        let key = MasterKey::generate(&SeededRng::new(1));
        let again = MasterKey::parse(&key.text()).unwrap();
        assert_eq!((key.id(), &*key.key), (again.id(), &*again.key));
        assert_eq!(key.text().len(), 48);
    }

    #[test]
    fn purposes_have_keys_of_their_own() {
        let key = MasterKey::generate(&SeededRng::new(1));
        assert_ne!(*key.derive("a"), *key.derive("b"));
        assert_ne!(*key.derive("a"), *key.key);
    }

    #[test]
    fn a_bad_text_is_told() {
        let check = |text: &str, why: &str| {
            assert_eq!(MasterKey::parse(text).err(), Some(why), "{text}");
        };
        check("", "it does not start with `omk1_`");
        check("hunter2", "it does not start with `omk1_`");
        let stars = format!("omk1_{}", "*".repeat(43));
        check(&stars, "what follows `omk1_` is not base64url");
        check("omk1_AAAA", "it is cut off or too long");
    }
}
