use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, bail, ensure};
use clap::Subcommand;
use overture_engine::{
    inbox::{Inspection, inspect},
    plugins::{Registry, Settings},
};
use overture_vault::OsRng;

use super::say;
use crate::{
    clock::SystemClock,
    config::{Config, path_if_set},
    embedded,
};

/// Of a larger file the beginning is read: the inbox reads less of a mail.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say what host and classifiers make of a mail; needs neither server nor database
    Inspect {
        /// The mail as it came over the wire (*.eml); several are read one after the other
        #[arg(required = true, value_name = "FILE.eml")]
        files: Vec<PathBuf>,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
}

/// `overture mail …`
pub async fn run(config: &Config, command: Command) -> Result<()> {
    let Command::Inspect { files, json } = command;
    let settings = Settings {
        folder: path_if_set(&config.plugins.folder)
            .filter(|folder| folder.is_dir())
            .map(Path::to_owned),
        grants: config.plugins.grants.clone(),
        ..Settings::default()
    };
    let embedded: Vec<_> = embedded::plugins()?
        .into_iter()
        .map(|(_, file)| file)
        .collect();
    let rng = Arc::new(OsRng);
    let clock = Arc::new(SystemClock);
    let registry = Registry::classifiers(clock.clone(), rng.clone(), &settings, &embedded)?;
    for (n, file) in files.iter().enumerate() {
        let mail = read(file)?;
        let found = inspect(&mail, &registry, &*clock, &*rng).await;
        if json {
            say(serde_json::to_string(&found)?);
        } else {
            if n > 0 {
                say("");
            }
            if files.len() > 1 {
                say(format_args!("{}", file.display()));
            }
            show(&found)?;
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<Vec<u8>> {
    let unread = || format!("{} can't be read", file.display());
    let mut bytes = Vec::new();
    let opened = File::open(file).with_context(unread)?;
    if opened.metadata().with_context(unread)?.is_dir() {
        bail!("{} is a folder; name the mails in it", file.display());
    }
    opened
        .take(MOST_BYTES)
        .read_to_end(&mut bytes)
        .with_context(unread)?;
    ensure!(
        !bytes.trim_ascii().is_empty(),
        "{} is empty: there is no mail in it",
        file.display()
    );
    // A broken mail is read as far as it goes; a picture or a program is no mail at all.
    ensure!(
        looks_like_text(&bytes),
        "{} is no mail but a binary file: name the mail as it came over the wire",
        file.display()
    );
    Ok(bytes)
}

/// Whether anything in its beginning could be a header field or a text.
fn looks_like_text(bytes: &[u8]) -> bool {
    let begin = &bytes[..bytes.len().min(4096)];
    let odd = |byte: &&u8| **byte < b' ' && !b"\t\r\n\x0c\x1b".contains(*byte);
    begin.iter().filter(odd).count() * 20 < begin.len()
}

fn show(found: &Inspection) -> Result<()> {
    say(format_args!("kind:      {}", word(found.kind)?));
    if let Some(bounce) = &found.bounce {
        say(format_args!("bounce:    {}", word(bounce.class)?));
        for one in &bounce.recipients {
            let said = [one.status.as_deref(), one.diagnostic.as_deref()];
            let said: Vec<_> = said.into_iter().flatten().collect();
            say(format_args!(
                "           {}: {} ({})",
                one.address,
                word(one.class)?,
                or_none(&said.join(" "))
            ));
        }
    }
    if let Some(away) = &found.out_of_office {
        say(format_args!(
            "back on:   {}",
            away.until.as_deref().unwrap_or("not said")
        ));
    }
    for one in &found.labels {
        say(format_args!(
            "label:     {} ({:.2}, {}): {}",
            one.label,
            one.confidence,
            one.classifier,
            or_none(&one.evidence.join("; "))
        ));
    }
    say(format_args!(
        "language:  {}",
        found.language.as_deref().unwrap_or("not recognised")
    ));
    say("newest text:");
    for line in found.newest_text.lines() {
        say(format_args!("  {line}"));
    }
    Ok(())
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "no words" } else { text }
}

/// A value's name as in JSON.
fn word(value: impl serde::Serialize) -> Result<String> {
    let value = serde_json::to_value(value)?;
    Ok(value.as_str().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(bytes: &[u8]) -> Option<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        read(file.path()).err().map(|error| format!("{error:#}"))
    }

    #[test]
    fn what_is_no_mail_is_said() {
        let says = |bytes: &[u8], words: &str| {
            let problem = problem(bytes).unwrap();
            assert!(problem.contains(words), "{problem}");
        };
        says(b"", "is empty");
        says(b"\r\n \n", "is empty");
        says(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01", "binary file");
        let error = read(Path::new("nowhere.eml")).unwrap_err();
        let error = format!("{error:#}");
        assert!(
            error.contains("nowhere.eml can't be read: No such file"),
            "{error}"
        );
        let error = read(Path::new("src")).unwrap_err();
        assert!(error.to_string().contains("is a folder"), "{error}");
        // Broken, but a mail.
        for mail in [
            "no header at all",
            "Subject: a\0b\r\n\r\nhello, hello, hello",
            "From: \u{fc}",
        ] {
            assert_eq!(problem(mail.as_bytes()), None, "{mail}");
        }
    }
}
