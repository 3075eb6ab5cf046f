//! `overture plugin check`: what a host thinks of a plugin file, for its author and the admin.

use std::fmt;

use overture_plugin_pack::{Kind, Manifest};

use crate::{
    error::LoadError,
    inspect::{WIT_VERSION, digest, inspect, manifest},
    limits::Limits,
    runtime::Runtimes,
};

/// What a host thinks of a plugin file.
#[derive(Debug)]
pub struct Report {
    /// SHA-256 of the file, in hex.
    pub digest: String,
    /// Its size in bytes.
    pub size: usize,
    /// What it says about itself, if that can be read.
    pub manifest: Option<Manifest>,
    /// What one call of it may use.
    pub limits: Option<Limits>,
    /// What is wrong with it; `None` if a host would load it.
    pub problem: Option<LoadError>,
}

/// Does everything that loading does, except keeping it.
///
/// # Errors
/// [`LoadError::Host`] when the host itself can't start; what is wrong with the file stands in
/// the report.
pub fn check(bytes: &[u8]) -> Result<Report, LoadError> {
    let runtimes = Runtimes::new(1)?;
    let read = manifest(bytes).ok();
    let limits = read.as_ref().map(|m| Limits::of(&m.kinds, &m.limits));
    let problem = inspect(&runtimes, None, None, bytes).err();
    Ok(Report {
        digest: digest(bytes),
        size: bytes.len(),
        manifest: read,
        limits,
        problem,
    })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "sha256   {}", self.digest)?;
        writeln!(f, "size     {} bytes", self.size)?;
        if let Some(manifest) = &self.manifest {
            let kinds: Vec<String> = manifest.kinds.iter().map(ToString::to_string).collect();
            writeln!(
                f,
                "plugin   {} {} ({})",
                manifest.id,
                manifest.version,
                kinds.join(", ")
            )?;
            writeln!(f, "about    {}", manifest.description)?;
            writeln!(
                f,
                "by       {}, {}",
                manifest.authors.join(", "),
                manifest.license
            )?;
            writeln!(f, "asks for {}", asks(manifest))?;
        }
        if let Some(limits) = &self.limits {
            writeln!(
                f,
                "limits   {} MiB memory, {} ms CPU, {} s in all, {} KiB at once",
                limits.memory_bytes >> 20,
                limits.cpu.as_millis(),
                limits.wall.as_secs(),
                limits.output_bytes >> 10,
            )?;
        }
        match &self.problem {
            None => write!(
                f,
                "fine: this host (overture:plugin@{WIT_VERSION}) loads it"
            ),
            Some(problem) => write!(f, "refused: {problem}"),
        }
    }
}

/// What the admin is asked to grant, in plain words.
fn asks(manifest: &Manifest) -> String {
    let asked = &manifest.capabilities;
    let mut words = Vec::new();
    if !asked.http_hosts.is_empty() {
        words.push(format!("HTTP to {}", asked.http_hosts.join(", ")));
    }
    for slot in &asked.secrets {
        words.push(format!(
            "the secret \"{}\" toward {}",
            slot.name,
            slot.hosts.join(", ")
        ));
    }
    if asked.store_quota_bytes > 0 {
        words.push(format!(
            "{} KiB of storage per workspace",
            asked.store_quota_bytes.div_ceil(1024)
        ));
    }
    if manifest.kinds.contains(&Kind::MailProvider) {
        words.push("mail sessions of the accounts that use it".to_owned());
    }
    if asked.raw_mail {
        words.push("the bytes of the mails that it sends".to_owned());
    }
    match words.is_empty() {
        true => "nothing but its log".to_owned(),
        false => words.join("; "),
    }
}
