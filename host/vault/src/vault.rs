//! The master key in use, where it lives, and what it does.

use std::{
    fmt, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use overture_domain::{Rng, Timestamp};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{
    Binding, Error, Result, Secret, TokenError,
    keys::MasterKey,
    seal::{self, Sealed},
    token,
};

const HEADER: &str = "\
# Overture's master key: it opens the credentials in the database.
# Keep a copy apart from the database's backups. The first key seals; further
# ones are earlier keys, kept so that what they sealed and signed stays readable.
";

/// Which of the keys at hand a database was sealed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// The one that seals now.
    Current,
    /// An earlier one: a rotation has begun; reseal, then store the new
    /// [`key_check`](Vault::key_check).
    Earlier,
}

/// The master key and what is done with it (OPS-4). Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    inner: Arc<Inner>,
}

struct Inner {
    /// The current key, then earlier ones; never empty.
    keys: Vec<MasterKey>,
    origin: String,
    rng: Arc<dyn Rng>,
}

impl Vault {
    /// Reads the master key from its file.
    ///
    /// # Errors
    /// [`Error::KeyMissing`], [`Error::KeyReadable`] when other users may read it,
    /// [`Error::KeyIo`], [`Error::KeyMalformed`].
    pub fn open_file(path: &Path, rng: Arc<dyn Rng>) -> Result<Self> {
        Ok(Self::build(
            read_keys(path)?,
            path.display().to_string(),
            rng,
        ))
    }

    /// Makes a new master key and writes it to `path` with mode 0600. Call it only beside an empty
    /// database: a new key can't open what another one sealed.
    ///
    /// # Errors
    /// [`Error::KeyExists`] rather than overwrite a file, [`Error::KeyIo`].
    pub fn create_file(path: &Path, rng: Arc<dyn Rng>) -> Result<Self> {
        let keys = vec![MasterKey::generate(&*rng)];
        write_new(path, &keys).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => Error::KeyExists { path: path.into() },
            _ => write_error(path, source),
        })?;
        Ok(Self::build(keys, path.display().to_string(), rng))
    }

    /// Takes the master key from a text, such as the value of an environment variable. `origin`
    /// names where it stood, for errors. Earlier keys follow the current one after white space.
    ///
    /// # Errors
    /// [`Error::KeyMalformed`].
    pub fn from_text(text: &str, origin: &str, rng: Arc<dyn Rng>) -> Result<Self> {
        Ok(Self::build(
            parse_keys(text, origin)?,
            origin.to_owned(),
            rng,
        ))
    }

    /// A vault with a fresh key that is written nowhere: for tests and for the demo in memory.
    pub fn ephemeral(rng: Arc<dyn Rng>) -> Self {
        Self::build(vec![MasterKey::generate(&*rng)], "memory".to_owned(), rng)
    }

    /// Puts a new current key into the file and keeps the earlier ones below it. Then [`reseal`]
    /// every record and store the new [`key_check`](Self::key_check); the earlier keys stay, so
    /// that links in mails that are out keep their signatures.
    ///
    /// [`reseal`]: Self::reseal
    ///
    /// # Errors
    /// Those of [`open_file`](Self::open_file).
    pub fn rotate_file(path: &Path, rng: Arc<dyn Rng>) -> Result<Self> {
        let mut keys = read_keys(path)?;
        keys.insert(0, MasterKey::generate(&*rng));
        let beside = path.with_extension("key.new");
        write_new(&beside, &keys)
            .and_then(|()| fs::rename(&beside, path))
            .map_err(|source| write_error(path, source))?;
        Ok(Self::build(keys, path.display().to_string(), rng))
    }

    fn build(keys: Vec<MasterKey>, origin: String, rng: Arc<dyn Rng>) -> Self {
        Self {
            inner: Arc::new(Inner { keys, origin, rng }),
        }
    }

    fn current(&self) -> &MasterKey {
        &self.inner.keys[0]
    }

    /// A text to store in the database, by which [`check`](Self::check) recognises the key. It
    /// tells nothing about the key.
    pub fn key_check(&self) -> String {
        key_check(self.current())
    }

    /// Whether the keys at hand are those of the database that stored this text.
    ///
    /// # Errors
    /// [`Error::WrongKey`].
    pub fn check(&self, stored: &str) -> Result<KeyState> {
        let same = |key: &MasterKey| key_check(key).as_bytes().ct_eq(stored.as_bytes()).into();
        match self.inner.keys.iter().position(same) {
            Some(0) => Ok(KeyState::Current),
            Some(_) => Ok(KeyState::Earlier),
            None => Err(Error::WrongKey {
                origin: self.inner.origin.clone(),
                wanted: match stored.split('.').nth(1) {
                    Some(id) if !id.is_empty() => id.chars().take(8).collect(),
                    _ => "unknown".to_owned(),
                },
                given: self.key_ids().join(", "),
            }),
        }
    }

    fn key_ids(&self) -> Vec<&str> {
        self.inner.keys.iter().map(MasterKey::id).collect()
    }

    /// Encrypts a secret for one record; the text goes into the database.
    pub fn seal(&self, binding: &Binding, plain: &Secret) -> String {
        seal::seal(self.current(), &*self.inner.rng, binding, plain)
    }

    /// Decrypts what [`seal`](Self::seal) made for the same record.
    ///
    /// # Errors
    /// [`Error::UnknownKey`], [`Error::SealedMalformed`], [`Error::SealedForged`].
    pub fn open(&self, binding: &Binding, sealed: &str) -> Result<Secret> {
        let sealed = Sealed::parse(binding, sealed)?;
        seal::open(self.key_of(binding, &sealed)?, binding, &sealed)
    }

    /// The sealed text under the current key, or `None` when it is there already. The ciphertext
    /// itself doesn't change, only the wrapping of its data key.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn reseal(&self, binding: &Binding, sealed: &str) -> Result<Option<String>> {
        let sealed = Sealed::parse(binding, sealed)?;
        let from = self.key_of(binding, &sealed)?;
        if from.id() == self.current().id() {
            return Ok(None);
        }
        seal::rewrap(from, self.current(), &*self.inner.rng, binding, sealed).map(Some)
    }

    fn key_of(&self, binding: &Binding, sealed: &Sealed) -> Result<&MasterKey> {
        let found = self.inner.keys.iter().find(|key| key.id() == sealed.key_id);
        found.ok_or_else(|| Error::UnknownKey {
            record: binding.to_string(),
            id: sealed.key_id.chars().take(8).collect(),
        })
    }

    /// Signs `payload` for one purpose (`unsubscribe`, `open`, `click`, …). The token is URL-safe,
    /// not secret, and good until `expires`, or for ever.
    pub fn sign_token(&self, purpose: &str, payload: &[u8], expires: Option<Timestamp>) -> String {
        token::sign(&self.token_key(self.current(), purpose), payload, expires)
    }

    /// The payload of a token that this instance signed for this purpose, with the current or an
    /// earlier master key.
    ///
    /// # Errors
    /// [`TokenError`]; a forged token is never told to be expired.
    pub fn verify_token(
        &self,
        purpose: &str,
        token: &str,
        now: Timestamp,
    ) -> Result<Vec<u8>, TokenError> {
        let mut result = Err(TokenError::Forged);
        for key in &self.inner.keys {
            result = token::verify(&self.token_key(key, purpose), token, now);
            if result != Err(TokenError::Forged) {
                break;
            }
        }
        result
    }

    fn token_key(&self, key: &MasterKey, purpose: &str) -> Zeroizing<[u8; 32]> {
        key.derive(&format!("token/{purpose}"))
    }

    /// The key for a purpose outside this crate, such as the MAC over cached plugin code.
    pub fn derive_key(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        self.current().derive(&format!("derived/{purpose}"))
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault")
            .field("origin", &self.inner.origin)
            .field("keys", &self.key_ids())
            .finish()
    }
}

fn key_check(key: &MasterKey) -> String {
    format!(
        "ok1.{}.{}",
        key.id(),
        hex::encode(&key.derive("check")[..16])
    )
}

fn parse_keys(text: &str, origin: &str) -> Result<Vec<MasterKey>> {
    let malformed = |reason| Error::KeyMalformed {
        origin: origin.to_owned(),
        reason,
    };
    let keys: Vec<MasterKey> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(str::split_whitespace)
        .map(|word| MasterKey::parse(word).map_err(malformed))
        .collect::<Result<_>>()?;
    if keys.is_empty() {
        return Err(malformed("it is empty"));
    }
    Ok(keys)
}

fn read_keys(path: &Path) -> Result<Vec<MasterKey>> {
    let read_error = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => Error::KeyMissing { path: path.into() },
        io::ErrorKind::InvalidData => Error::KeyMalformed {
            origin: path.display().to_string(),
            reason: "it is not text",
        },
        _ => Error::KeyIo {
            path: path.into(),
            doing: "read",
            source,
        },
    };
    let mut file = fs::File::open(path).map_err(read_error)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = file.metadata().map_err(read_error)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(Error::KeyReadable {
                path: path.into(),
                mode,
            });
        }
    }
    let mut text = Zeroizing::new(String::new());
    io::Read::read_to_string(&mut file, &mut text).map_err(read_error)?;
    parse_keys(&text, &path.display().to_string())
}

/// Writes a file that was not there, closed to others from its first moment, and down on the disk
/// before anything is sealed with it.
fn write_new(path: &Path, keys: &[MasterKey]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut text = Zeroizing::new(HEADER.to_owned());
    for key in keys {
        text.push_str(&key.text());
        text.push('\n');
    }
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn write_error(path: &Path, source: io::Error) -> Error {
    Error::KeyIo {
        path: PathBuf::from(path),
        doing: "written",
        source,
    }
}
