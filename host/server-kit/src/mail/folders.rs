//! What lies in the mailboxes, read from the disk.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::MailServers;
use crate::{Error, Result};

impl MailServers {
    /// The mails of one folder (`INBOX`, `Sent`, …) in the order of their arrival, byte by byte as
    /// they were delivered. An account that never got a mail has none.
    pub fn mails(&self, address: &str, folder: &str) -> Result<Vec<Vec<u8>>> {
        self.new_mails(address, folder, &mut HashSet::new())
    }

    /// Those of them that are not `known`, and from now on are: one that is being filed may get its
    /// place before others that are there already.
    pub fn new_mails(
        &self,
        address: &str,
        folder: &str,
        known: &mut HashSet<String>,
    ) -> Result<Vec<Vec<u8>>> {
        let files = self.files(address, folder)?;
        let new = files.iter().filter(|file| known.insert(name(file)));
        new.map(|file| fs::read(file).map_err(Error::io(file)))
            .collect()
    }

    /// Makes all mails of a folder look as if they had arrived at this time.
    pub fn set_received(&self, address: &str, folder: &str, at: SystemTime) -> Result<()> {
        for path in self.files(address, folder)? {
            let file = File::open(&path).map_err(Error::io(&path))?;
            file.set_modified(at).map_err(Error::io(&path))?;
        }
        Ok(())
    }

    fn files(&self, address: &str, folder: &str) -> Result<Vec<PathBuf>> {
        let maildir = self.maildir(address, folder);
        let mut files = Vec::new();
        for part in ["new", "cur"] {
            let path = maildir.join(part);
            if !path.is_dir() {
                continue;
            }
            for entry in fs::read_dir(&path).map_err(Error::io(&path))? {
                files.push(entry.map_err(Error::io(&path))?.path());
            }
        }
        files.sort_by_key(|file| delivered_at(&name(file)));
        Ok(files)
    }

    /// Whether Postfix still has a mail that it took, or is about to take one.
    pub fn has_queued_mail(&self) -> Result<bool> {
        for queue in ["maildrop", "incoming", "active", "deferred"] {
            if holds_a_file(&self.directory.join("pq").join(queue))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn maildir(&self, address: &str, folder: &str) -> PathBuf {
        let mailbox = self.directory.join("mail").join(address);
        if folder == "INBOX" {
            mailbox
        } else {
            mailbox.join(format!(".{folder}"))
        }
    }

    /// Creates a folder.
    pub fn create_folder(&self, address: &str, folder: &str) -> Result<()> {
        self.doveadm(&["mailbox", "create", "-u", address, folder])
            .map(drop)
    }

    /// Gives a folder another UIDVALIDITY and keeps its UIDs.
    pub fn set_uid_validity(&self, address: &str, folder: &str, validity: u32) -> Result<()> {
        let validity = validity.to_string();
        let command = [
            "mailbox",
            "update",
            "-u",
            address,
            "--uid-validity",
            &validity,
            folder,
        ];
        self.doveadm(&command).map(drop)
    }

    /// Makes a mailbox look like one of a restored server: a new UIDVALIDITY, and UIDs that count
    /// from 1 again. Nobody may be logged in.
    pub fn forget_uids(&self, address: &str) -> Result<()> {
        let mailbox = self.maildir(address, "INBOX");
        for entry in fs::read_dir(&mailbox).map_err(Error::io(&mailbox))? {
            let path = entry.map_err(Error::io(&mailbox))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with("dovecot") {
                fs::remove_file(&path).map_err(Error::io(&path))?;
            }
        }
        Ok(())
    }
}

/// The name of a mail, which stays when its flags change.
fn name(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.split(':').next().unwrap_or_default().to_owned()
}

/// Names are `SECONDS.MmicrosecondsPpid…`, the microseconds without leading zeros.
fn delivered_at(name: &str) -> (u64, u64, String) {
    let (seconds, rest) = name.split_once(".M").unwrap_or((name, ""));
    let micros: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let number = |text: &str| text.parse().unwrap_or(u64::MAX);
    (number(seconds), number(&micros), name.to_owned())
}

/// Queues that grow are spread over folders of their own.
fn holds_a_file(folder: &Path) -> Result<bool> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        entries => entries.map_err(Error::io(folder))?,
    };
    for entry in entries {
        let path = entry.map_err(Error::io(folder))?.path();
        if !path.is_dir() || holds_a_file(&path)? {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mails_are_in_the_order_of_their_delivery() {
        let early = delivered_at("1795361000.M9123P7.host,S=12,W=13");
        let late = delivered_at("1795361000.M10123P7.host,S=12,W=13");
        assert!(early < late);
        let flagged = Path::new("cur/1795361000.M9123P7.host,S=12,W=13:2,S");
        assert_eq!(delivered_at(&name(flagged)), early);
    }
}
