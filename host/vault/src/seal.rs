//! Envelope encryption of one record.
//!
//! `ov1.<key id>.<wrapped data key>.<ciphertext>`: a fresh data key encrypts the text, the master
//! key encrypts the data key, both with XChaCha20-Poly1305 and with the record's [`Binding`] as
//! associated data, so that a row's text opens nowhere else. Rotating the master key wraps the
//! data key anew and leaves the ciphertext as it is.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use overture_domain::Rng;
use zeroize::Zeroizing;

use crate::{
    Error, Result, Secret,
    keys::{Key, MasterKey},
};

const VERSION: &str = "ov1";
const NONCE: usize = 24;

/// The record that a sealed text belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    table: &'static str,
    id: String,
    workspace: String,
}

impl Binding {
    /// Of a row in a workspace. Where a row holds several secrets, `table` names the column too
    /// (`accounts.smtp_password`).
    pub fn new(table: &'static str, id: impl fmt::Display, workspace: impl fmt::Display) -> Self {
        Self {
            table,
            id: id.to_string(),
            workspace: workspace.to_string(),
        }
    }

    /// Of a row that belongs to the instance as a whole.
    pub fn instance(table: &'static str, id: impl fmt::Display) -> Self {
        Self::new(table, id, "")
    }

    /// The parts, each after its length, so that no two records share the bytes.
    fn associated(&self) -> Vec<u8> {
        let mut bytes = VERSION.as_bytes().to_vec();
        for part in [self.table, &self.id, &self.workspace] {
            bytes.extend((part.len() as u64).to_le_bytes());
            bytes.extend(part.as_bytes());
        }
        bytes
    }
}

impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.table, self.id)
    }
}

/// A sealed text taken apart.
pub(crate) struct Sealed {
    pub(crate) key_id: String,
    wrapped: Vec<u8>,
    ciphertext: Vec<u8>,
}

impl Sealed {
    pub(crate) fn parse(binding: &Binding, text: &str) -> Result<Self> {
        let parse = || {
            let mut parts = text.split('.');
            let (version, key_id) = (parts.next()?, parts.next()?);
            let (wrapped, ciphertext) = (parts.next()?, parts.next()?);
            if version != VERSION || parts.next().is_some() {
                return None;
            }
            let wrapped = B64.decode(wrapped).ok()?;
            (wrapped.len() > NONCE).then_some(Self {
                key_id: key_id.to_owned(),
                wrapped,
                ciphertext: B64.decode(ciphertext).ok()?,
            })
        };
        parse().ok_or_else(|| Error::SealedMalformed {
            record: binding.to_string(),
        })
    }

    fn text(&self) -> String {
        format!(
            "{VERSION}.{}.{}.{}",
            self.key_id,
            B64.encode(&self.wrapped),
            B64.encode(&self.ciphertext)
        )
    }
}

pub(crate) fn seal(master: &MasterKey, rng: &dyn Rng, binding: &Binding, plain: &Secret) -> String {
    let associated = binding.associated();
    let mut data_key = Key::default();
    rng.fill(&mut *data_key);
    // A data key encrypts exactly one text, so its nonce needs no chance.
    let nonce = [0; NONCE];
    let ciphertext = encrypt(&data_key, nonce, plain.expose().as_bytes(), &associated);
    Sealed {
        key_id: master.id().to_owned(),
        wrapped: wrap(master, rng, &data_key, &associated),
        ciphertext,
    }
    .text()
}

pub(crate) fn open(master: &MasterKey, binding: &Binding, sealed: &Sealed) -> Result<Secret> {
    let associated = binding.associated();
    unwrap(master, sealed, &associated)
        .and_then(|data_key| decrypt(&data_key, &[0; NONCE], &sealed.ciphertext, &associated))
        .and_then(|plain| String::from_utf8(plain).ok())
        .map(Secret::new)
        .ok_or_else(|| forged(binding))
}

/// The same text under `to`; the ciphertext stays.
pub(crate) fn rewrap(
    from: &MasterKey,
    to: &MasterKey,
    rng: &dyn Rng,
    binding: &Binding,
    sealed: Sealed,
) -> Result<String> {
    let associated = binding.associated();
    let data_key = unwrap(from, &sealed, &associated).ok_or_else(|| forged(binding))?;
    Ok(Sealed {
        key_id: to.id().to_owned(),
        wrapped: wrap(to, rng, &data_key, &associated),
        ciphertext: sealed.ciphertext,
    }
    .text())
}

fn forged(binding: &Binding) -> Error {
    Error::SealedForged {
        record: binding.to_string(),
    }
}

fn wrap(master: &MasterKey, rng: &dyn Rng, data_key: &Key, associated: &[u8]) -> Vec<u8> {
    let mut nonce = [0; NONCE];
    rng.fill(&mut nonce);
    let wrapped = encrypt(&master.derive("wrap"), nonce, &**data_key, associated);
    [&nonce[..], &wrapped].concat()
}

fn unwrap(master: &MasterKey, sealed: &Sealed, associated: &[u8]) -> Option<Key> {
    let (nonce, wrapped) = sealed.wrapped.split_first_chunk::<NONCE>()?;
    let data_key = decrypt(&master.derive("wrap"), nonce, wrapped, associated)?;
    let data_key = Zeroizing::new(data_key);
    Some(Zeroizing::new(data_key.as_slice().try_into().ok()?))
}

fn encrypt(key: &Key, nonce: [u8; NONCE], plain: &[u8], associated: &[u8]) -> Vec<u8> {
    let payload = Payload {
        msg: plain,
        aad: associated,
    };
    XChaCha20Poly1305::new((&**key).into())
        .encrypt(&XNonce::from(nonce), payload)
        .expect("the cipher takes texts of up to 256 GB")
}

fn decrypt(
    key: &Key,
    nonce: &[u8; NONCE],
    ciphertext: &[u8],
    associated: &[u8],
) -> Option<Vec<u8>> {
    let payload = Payload {
        msg: ciphertext,
        aad: associated,
    };
    XChaCha20Poly1305::new((&**key).into())
        .decrypt(&XNonce::from(*nonce), payload)
        .ok()
}
