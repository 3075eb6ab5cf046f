use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::keeper::{Keeper, Running};
use crate::program::{installed, is_root, run, tails, temporary_directory, user, write};
use crate::tls::make_certificates;
use crate::wait::{free_ports, listens, wait_until};
use crate::{Error, Result};

mod accounts;
mod dovecot;
mod folders;
mod postfix;

const INSTALL: &str = "apt-get install -y dovecot-imapd dovecot-lmtpd postfix";

/// A mailbox, and the right to send as it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The address, also the name to log in with; ASCII.
    pub address: String,
    /// The password.
    pub password: String,
    /// How much fits in; mail beyond it bounces with 5.2.2. `None`: as much as comes.
    pub quota_bytes: Option<u64>,
}

impl Account {
    /// An account without a quota.
    pub fn new(address: &str, password: &str) -> Self {
        Self {
            address: address.to_owned(),
            password: password.to_owned(),
            quota_bytes: None,
        }
    }
}

/// What a pair of mail servers starts with, beside the addresses of [`crate::FATES`].
#[derive(Clone, Debug)]
pub struct MailOptions {
    /// Mailboxes `p1@d1.test` … ([`prospect_address`]), each with the password `pw`.
    pub prospects: u32,
    /// Other mailboxes; by default those of ada and bob at `sender.test`, who send.
    pub accounts: Vec<Account>,
    /// Senders of whose mails the server files a copy in their Sent folder, as Gmail does; by
    /// default ada. It also does so for all of `*.copies.test` ([`MailServers::own_domain`]).
    pub sent_copies: Vec<String>,
    /// Recipients that are refused, and the answer to RCPT: `("x@y.test", "550 5.1.1 no")`.
    pub refusals: Vec<(String, String)>,
    /// Domains whose server can't be reached, beside `soft.test`.
    pub unreachable: Vec<String>,
    /// Whether each mailbox has the folders Sent, Junk and Trash, marked as such (RFC 6154).
    pub special_use: bool,
}

impl Default for MailOptions {
    fn default() -> Self {
        Self {
            prospects: 200,
            accounts: vec![
                Account::new("ada@sender.test", "secret-ada"),
                Account::new("bob@sender.test", "secret-bob"),
            ],
            sent_copies: vec!["ada@sender.test".into()],
            refusals: Vec::new(),
            unreachable: Vec::new(),
            special_use: true,
        }
    }
}

/// The address of prospect `number` (from 1): `p9@d1.test`, spread over eight domains.
pub fn prospect_address(number: u32) -> String {
    format!("p{number}@d{}.test", number % 8)
}

/// Ports on 127.0.0.1; the certificate is for `localhost` and 127.0.0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailPorts {
    /// SMTP with STARTTLS and AUTH.
    pub submission: u16,
    /// SMTP over TLS from the start, with AUTH.
    pub submissions: u16,
    /// IMAP, STARTTLS required.
    pub imap: u16,
    /// IMAP over TLS from the start.
    pub imaps: u16,
    /// Where Postfix delivers.
    pub lmtp: u16,
    /// SMTP without AUTH: mail from outside.
    pub mx: u16,
    /// Where Postfix asks Dovecot about passwords.
    sasl: u16,
}

/// How to reach a running pair of Postfix and Dovecot, and what to do with its mailboxes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailServers {
    /// Where configuration, mail and logs lie.
    pub directory: PathBuf,
    /// The certificate authority to trust (`mail.extra_ca_file`), PEM.
    pub ca_file: PathBuf,
    /// The ports.
    pub ports: MailPorts,
    /// The accounts of the start, without the prospects and those of [`crate::FATES`].
    pub accounts: Vec<Account>,
    /// How many prospects there are.
    pub prospects: u32,
    /// Postfix's version, for example `3.7.11`.
    pub postfix: String,
    /// Dovecot's version, for example `2.3.19.1`.
    pub dovecot: String,
}

impl MailServers {
    /// A file that describes these servers, for [`crate::MAIL_VARIABLE`].
    pub fn handover(&self) -> PathBuf {
        self.directory.join("servers.json")
    }

    /// Names and versions, for people.
    pub fn versions(&self) -> String {
        format!("Postfix {}, Dovecot {}", self.postfix, self.dovecot)
    }
}

/// Starts Postfix and Dovecot; root only. Every domain is delivered to Dovecot, so nothing can
/// leave the machine.
pub fn start_mail(options: &MailOptions) -> Result<Running<MailServers>> {
    let dovecot_program = installed("/usr/sbin/dovecot", "Dovecot", INSTALL)?;
    installed("/usr/lib/dovecot/imap", "Dovecot's IMAP server", INSTALL)?;
    installed("/usr/lib/dovecot/lmtp", "Dovecot's LMTP server", INSTALL)?;
    let postfix_program = installed("/usr/sbin/postfix", "Postfix", INSTALL)?;
    let dovecot_version = supported(&run(Command::new(&dovecot_program).arg("--version"))?)?;
    if !is_root() {
        return Err(Error::NeedsRoot);
    }
    let postfix_version =
        run(Command::new("/usr/sbin/postconf").args(["-d", "-h", "mail_version"]))?;
    let programs = Programs {
        dovecot: dovecot_program,
        postfix: postfix_program,
    };
    loop {
        match try_start(options, &programs, &dovecot_version, postfix_version.trim()) {
            Err(Error::NotStarted { log, .. }) if log.contains("Address already in use") => {}
            done => return done,
        }
    }
}

struct Programs {
    dovecot: PathBuf,
    postfix: PathBuf,
}

fn try_start(
    options: &MailOptions,
    programs: &Programs,
    dovecot_version: &str,
    postfix_version: &str,
) -> Result<Running<MailServers>> {
    let (postfix_user, _) = user("postfix", INSTALL)?;
    let directory = temporary_directory("mt")?;
    let start = format!(
        r#"{} -c "$1/dc/dovecot.conf" -F 2>"$1/dovecot.stderr" &
        dovecot=$!
        {} -c "$1/pf" start-fg >"$1/postfix.out" 2>&1 &"#,
        programs.dovecot.display(),
        programs.postfix.display()
    );
    let stop = format!(
        r#"kill -TERM $dovecot
        {} -c "$1/pf" stop 2>/dev/null"#,
        programs.postfix.display()
    );

    let [submission, submissions, imap, imaps, lmtp, sasl, mx] = free_ports()?;
    let servers = MailServers {
        ca_file: directory.join("tls/ca.pem"),
        ports: MailPorts {
            submission,
            submissions,
            imap,
            imaps,
            lmtp,
            mx,
            sasl,
        },
        accounts: options.accounts.clone(),
        prospects: options.prospects,
        postfix: postfix_version.to_owned(),
        dovecot: dovecot_version.to_owned(),
        directory: directory.clone(),
    };
    let made = make_files(&servers, options, postfix_user);
    // From here on the keeper owns the directory, also when something went wrong before.
    let keeper = Keeper::start(
        &directory,
        if made.is_ok() { &start } else { ":" },
        if made.is_ok() { &stop } else { ":" },
    )?;
    made?;

    let waiting = [submission, submissions, imaps, lmtp, mx];
    let ready = wait_until(Duration::from_secs(60), || {
        waiting.into_iter().all(listens) || ended(&directory)
    });
    if !ready || ended(&directory) {
        return Err(Error::NotStarted {
            server: "Postfix with Dovecot",
            log: tails(&logs(&directory)),
        });
    }
    Ok(Running::new(servers, keeper))
}

fn make_files(servers: &MailServers, options: &MailOptions, postfix_user: u32) -> Result<()> {
    let directory = &servers.directory;
    for folder in ["", "tls", "mail", "dc", "dv", "pf", "pq", "pd"] {
        let path = directory.join(folder);
        fs::create_dir_all(&path).map_err(Error::io(&path))?;
        set_mode(&path, if folder == "mail" { 0o1777 } else { 0o755 })?;
    }
    let data = directory.join("pd");
    chown(&data, Some(postfix_user), None).map_err(Error::io(&data))?;
    make_certificates(&directory.join("tls"))?;
    write(&directory.join("dc/users"), &accounts::initial(options))?;
    write(
        &directory.join("dc/dovecot.conf"),
        &dovecot::configuration(directory, &servers.ports, options.special_use),
    )?;
    write(
        &directory.join("pf/main.cf"),
        &postfix::main(directory, &servers.ports, options),
    )?;
    write(
        &directory.join("pf/master.cf"),
        &postfix::master(&servers.ports),
    )?;
    write(
        &directory.join("pf/sent_copies"),
        &postfix::sent_copies(options),
    )?;
    write(&directory.join("pf/refusals"), &postfix::refusals(options))?;
    let description = serde_json::to_string_pretty(servers).expect("plain data becomes JSON");
    write(&servers.handover(), &description)
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(Error::io(path))
}

fn logs(directory: &Path) -> Vec<PathBuf> {
    [
        "dovecot.stderr",
        "dovecot.log",
        "postfix.out",
        "postfix.log",
        "keeper.log",
    ]
    .map(|name| directory.join(name))
    .to_vec()
}

/// Whether a log says that a server gave up, so that nobody waits out the deadline.
fn ended(directory: &Path) -> bool {
    logs(directory).iter().any(|log| {
        fs::read_to_string(log).is_ok_and(|text| {
            text.contains("Fatal:") || text.contains("fatal:") || text.contains("bind(")
        })
    })
}

/// Dovecot's version from what `dovecot --version` prints, if its configuration is ours.
fn supported(printed: &str) -> Result<String> {
    let version = printed
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_owned();
    if version.starts_with("2.3.") {
        Ok(version)
    } else {
        Err(Error::DovecotVersion { found: version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dovecot_2_4_is_refused_in_words() {
        assert_eq!(
            supported("2.3.19.1 (9b53102964)\n").expect("ours"),
            "2.3.19.1"
        );
        let text = supported("2.4.1-4 (7d8c0e5759)\n")
            .expect_err("another language")
            .to_string();
        assert!(
            text.starts_with("Dovecot 2.4.1-4 is installed, but"),
            "{text}"
        );
    }

    #[test]
    fn prospects_are_spread_over_eight_domains() {
        assert_eq!(prospect_address(1), "p1@d1.test");
        assert_eq!(prospect_address(16), "p16@d0.test");
    }
}
