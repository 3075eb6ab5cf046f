//! The file of a backup: written whole or not at all, read with its checksum.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::Path,
};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use super::{Manifest, Payload};

const MANIFEST: &str = "manifest.json";
/// The payload's name, by its database.
pub const SQLITE: &str = "database.sqlite";
pub const POSTGRES: &str = "database.dump";

/// Of a larger manifest something else is wrong.
const MANIFEST_BYTES: u64 = 64 * 1024;

/// Measures a file that becomes a payload.
///
/// # Errors
/// When it can't be read.
pub fn payload(name: &str, file: &Path) -> Result<Payload> {
    let mut digest = Hashing::new(io::sink());
    let mut file = File::open(file)?;
    let bytes = io::copy(&mut file, &mut digest)?;
    Ok(Payload {
        name: name.to_owned(),
        bytes,
        sha256: digest.hex(),
    })
}

/// Writes a backup under a name that is free. It is there when it is whole and on the disk.
///
/// # Errors
/// When it can't be written; then nothing of it stays.
pub fn write(out: &Path, manifest: &Manifest, payload: &Path) -> Result<()> {
    let folder = folder_of(out);
    let unfinished = tempfile::Builder::new()
        .prefix(".overture-backup-")
        .tempfile_in(folder)?;
    let mut encoder = zstd::Encoder::new(unfinished.as_file(), 3)?;
    encoder.include_checksum(true)?;
    let mut archive = tar::Builder::new(encoder);
    let text = serde_json::to_vec_pretty(manifest)?;
    let modified = u64::try_from(manifest.taken_at.as_secs()).unwrap_or_default();
    archive.append_data(
        &mut header(text.len() as u64, modified),
        MANIFEST,
        &text[..],
    )?;
    let name = &manifest.payload.name;
    let bytes = manifest.payload.bytes;
    archive.append_data(&mut header(bytes, modified), name, File::open(payload)?)?;
    archive.into_inner()?.finish()?;
    unfinished.as_file().sync_all()?;
    unfinished
        .persist_noclobber(out)
        .map_err(|error| error.error)?;
    File::open(folder)?.sync_all()?;
    Ok(())
}

fn header(bytes: u64, modified: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(0o600);
    header.set_mtime(modified);
    header
}

/// The folder that a file lies in.
pub fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Reads what a backup says about itself.
///
/// # Errors
/// When it is something else, or ends too early.
pub fn manifest(file: &Path) -> Result<Manifest> {
    read(file, |manifest, _| Ok(manifest))
}

/// Reads a whole backup, writes its database to `out` and holds it against its checksum. What was
/// written counts for nothing when this fails.
///
/// # Errors
/// When it is something else, is damaged or ends too early.
pub fn extract(file: &Path, out: impl Write) -> Result<Manifest> {
    read(file, |manifest, payload| {
        let mut out = Hashing::new(out);
        let bytes = io::copy(payload, &mut out)?;
        out.flush()?;
        ensure!(
            bytes == manifest.payload.bytes && out.hex() == manifest.payload.sha256,
            "its checksum does not fit: the file is damaged"
        );
        Ok(manifest)
    })
}

fn read<T>(file: &Path, with: impl FnOnce(Manifest, &mut dyn Read) -> Result<T>) -> Result<T> {
    let unread = || format!("{} can't be restored", file.display());
    let opened = File::open(file).with_context(unread)?;
    let read = || {
        let decoder = zstd::Decoder::new(opened)?;
        let mut archive = tar::Archive::new(decoder);
        let mut entries = archive.entries()?;
        let Some(first) = entries.next() else {
            bail!("it is empty");
        };
        let first = first?;
        ensure!(
            first.path()?.as_ref() == Path::new(MANIFEST),
            "it does not begin with a manifest: this is no backup of Overture"
        );
        let mut text = Vec::new();
        first.take(MANIFEST_BYTES).read_to_end(&mut text)?;
        let manifest: Manifest = serde_json::from_slice(&text)
            .context("its manifest can't be understood: this is no backup of Overture")?;
        let Some(second) = entries.next() else {
            bail!("it holds no database");
        };
        let mut second = second?;
        ensure!(
            second.path()?.as_ref() == Path::new(&manifest.payload.name),
            "it does not hold what its manifest says"
        );
        with(manifest, &mut second)
    };
    read().map_err(explain).with_context(unread)
}

/// The words of zstd and tar say nothing to somebody who restores.
fn explain(error: anyhow::Error) -> anyhow::Error {
    let Some(io) = error.downcast_ref::<io::Error>() else {
        return error;
    };
    let words = io.to_string();
    if io.kind() == io::ErrorKind::UnexpectedEof || words.contains("incomplete frame") {
        return anyhow::anyhow!(
            "it ends too early: it was not written or copied to its end. Take another backup"
        );
    }
    if words.contains("Unknown frame descriptor") {
        return anyhow::anyhow!("this is no backup of Overture: `overture backup FILE` makes one");
    }
    error
}

/// Counts a SHA-256 over what passes through.
struct Hashing<W> {
    out: W,
    digest: Sha256,
}

impl<W> Hashing<W> {
    fn new(out: W) -> Self {
        Self {
            out,
            digest: Sha256::new(),
        }
    }

    fn hex(self) -> String {
        hex::encode(self.digest.finalize())
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.out.write(bytes)?;
        self.digest.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Brings a rename down on the disk.
///
/// # Errors
/// The system's.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Removes a file that may be there.
///
/// # Errors
/// The system's.
pub fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
