//! Compiled code on disk, so that a plugin is compiled once: loading it then takes a
//! thousandth of the time.
//!
//! Compiled code is trusted: it runs outside every sandbox. So a file carries a MAC with a key
//! that only this host has, over its name and its contents; what the MAC does not fit is
//! compiled anew and overwritten. Code from elsewhere is never loaded.

use std::{
    fs,
    hash::{Hash, Hasher},
    io::{self, Write},
    path::{Path, PathBuf},
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use wasmtime::{Engine, component::Component};

use crate::{
    compiler::{Compiler, not_compiled},
    error::LoadError,
};

/// Begins every file; the number changes with the form of the file.
const MAGIC: &[u8; 8] = b"ovcwasm1";

const MAC_BYTES: usize = 32;

/// A folder of compiled plugins that only this host writes.
#[derive(Clone)]
pub struct CodeCache {
    folder: PathBuf,
    key: [u8; 32],
}

impl CodeCache {
    /// A cache in `folder`, which is made when first needed. `key` is known to this host alone.
    pub fn new(folder: impl Into<PathBuf>, key: [u8; 32]) -> Self {
        Self {
            folder: folder.into(),
            key,
        }
    }

    /// The component of `plugin` for `engine`: from the cache if it is there, else by `compiler`, or
    /// in this process. A cache that can't be written costs time, nothing else.
    pub(crate) fn component(
        &self,
        engine: &Engine,
        compiler: Option<&Compiler>,
        plugin: &[u8],
    ) -> Result<Component, LoadError> {
        let name = Name::of(engine, plugin);
        if let Some(code) = self.read(&name) {
            #[expect(unsafe_code, reason = "the MAC says that this host compiled it")]
            // SAFETY: `deserialize` trusts its input. `read` has compared the MAC over the very
            // bytes that are given to it here, made with a key that only this host has.
            let component = unsafe { Component::deserialize(engine, code) };
            match component {
                Ok(component) => return Ok(component),
                Err(e) => tracing::warn!("compiled plugin {} is not used: {e:#}", name.file()),
            }
        }
        let code = match compiler.and_then(|compiler| compiler.run(plugin)) {
            Some(code) => code?,
            None => engine.precompile_component(plugin).map_err(not_compiled)?,
        };
        if let Err(e) = self.write(&name, &code) {
            tracing::warn!("compiled plugin not kept in {}: {e}", self.folder.display());
        }
        #[expect(unsafe_code, reason = "this host compiled it")]
        // SAFETY: `deserialize` trusts its input. It was made just now, by this process or by one
        // that it started for it.
        unsafe { Component::deserialize(engine, code) }.map_err(not_compiled)
    }

    fn read(&self, name: &Name) -> Option<Vec<u8>> {
        let mut file = fs::read(self.folder.join(name.file())).ok()?;
        let start = MAGIC.len() + MAC_BYTES;
        if file.len() < start || !file.starts_with(MAGIC) {
            return None;
        }
        let code = file.split_off(start);
        let mac = self.mac(name, &code).verify_slice(&file[MAGIC.len()..]);
        if mac.is_err() {
            tracing::warn!(
                "compiled plugin {} was not made by this host: ignored",
                name.file()
            );
            return None;
        }
        Some(code)
    }

    /// Under another name first: a reader sees a whole file or none.
    fn write(&self, name: &Name, code: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let unfinished = self
            .folder
            .join(format!("{}.{}.tmp", name.file(), std::process::id()));
        let mut file = new_file(&unfinished)?;
        let mac = self.mac(name, code).finalize().into_bytes();
        for part in [MAGIC.as_slice(), mac.as_slice(), code] {
            file.write_all(part)?;
        }
        fs::rename(&unfinished, self.folder.join(name.file()))
    }

    fn mac(&self, name: &Name, code: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        mac.update(MAGIC);
        mac.update(&name.plugin);
        mac.update(&name.compiler);
        mac.update(code);
        mac
    }
}

/// Compiles without a cache.
pub(crate) fn compile(engine: &Engine, plugin: &[u8]) -> Result<Component, LoadError> {
    Component::new(engine, plugin).map_err(not_compiled)
}

#[cfg(unix)]
fn new_file(path: &Path) -> io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

#[cfg(not(unix))]
fn new_file(path: &Path) -> io::Result<fs::File> {
    fs::File::create(path)
}

/// What a piece of compiled code belongs to.
struct Name {
    /// SHA-256 of the plugin's file.
    plugin: [u8; 32],
    /// SHA-256 over wasmtime's version, target and settings.
    compiler: [u8; 32],
}

impl Name {
    fn of(engine: &Engine, plugin: &[u8]) -> Self {
        let mut compiler = Sha256Hasher(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut compiler);
        Self {
            plugin: Sha256::digest(plugin).into(),
            compiler: compiler.0.finalize().into(),
        }
    }

    fn file(&self) -> String {
        format!(
            "{}-{}.cwasm",
            hex::encode(self.plugin),
            hex::encode(&self.compiler[..8])
        )
    }
}

/// Collects what wasmtime would hash. std's own hasher is not the same in every build.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        unreachable!("only the whole digest is read")
    }
}
