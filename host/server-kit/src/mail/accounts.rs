//! Dovecot's file of users, which it reads again when it changes.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::process::Command;
use std::time::Duration;

use super::{Account, MailOptions, MailServers, prospect_address};
use crate::program::run;
use crate::wait::wait_until;
use crate::{Error, Result};

/// Where user ids of mailboxes begin. Each mailbox has its own, because the kernel counts inotify
/// instances per user id (128), and past them IDLE becomes polling.
const FIRST_UID: usize = 20_001;

/// The accounts that the servers start with.
pub(super) fn initial(options: &MailOptions) -> String {
    let full = Account {
        quota_bytes: Some(1),
        ..Account::new("full@d1.test", "pw")
    };
    let prospects =
        (1..=options.prospects).map(|number| Account::new(&prospect_address(number), "pw"));
    let all = options
        .accounts
        .iter()
        .cloned()
        .chain([full])
        .chain(prospects);
    all.enumerate()
        .map(|(index, account)| line(FIRST_UID + index, &account))
        .collect()
}

fn line(
    uid: usize,
    Account {
        address,
        password,
        quota_bytes,
    }: &Account,
) -> String {
    let (password, quota) = (plain(password), quota_rule(*quota_bytes));
    format!("{address}:{password}:{uid}:{uid}::::{quota}\n")
}

fn plain(password: &str) -> String {
    format!("{{PLAIN}}{password}")
}

fn quota_rule(bytes: Option<u64>) -> String {
    bytes.map_or_else(String::new, |bytes| {
        format!("userdb_quota_rule=*:bytes={bytes}")
    })
}

/// Fields of a line of the file, from 0. The last may hold colons.
const PASSWORD: usize = 1;
const QUOTA: usize = 7;

/// A line of the file, with something else in a field where it is this account's.
fn with(line: &str, address: &str, field: usize, value: &str) -> String {
    let mut fields: Vec<&str> = line.splitn(QUOTA + 1, ':').collect();
    if fields.first() == Some(&address)
        && let Some(field) = fields.get_mut(field)
    {
        *field = value;
    }
    fields.join(":")
}

impl MailServers {
    /// Adds mailboxes while the servers run, and returns when Dovecot knows them. Other test
    /// processes may do the same at the same time.
    pub fn add_accounts(&self, accounts: &[Account]) -> Result<()> {
        let Some(last) = accounts.last() else {
            return Ok(());
        };
        {
            let _lock = self.lock("accounts.lock")?;
            let path = self.directory.join("dc/users");
            let known = fs::read_to_string(&path).map_err(Error::io(&path))?;
            let uids = FIRST_UID + known.lines().count()..;
            let lines: String = uids
                .zip(accounts)
                .map(|(uid, new)| line(uid, new))
                .collect();
            let mut users = OpenOptions::new()
                .append(true)
                .open(&path)
                .map_err(Error::io(&path))?;
            users
                .write_all(lines.as_bytes())
                .map_err(Error::io(&path))?;
        }
        self.until(&["user", &last.address], |_| true)
    }

    /// Gives an account another password while the servers run, and returns when Dovecot wants it.
    pub fn set_password(&self, address: &str, password: &str) -> Result<()> {
        self.change(address, PASSWORD, &plain(password))?;
        self.until(&["auth", "test", address, password], |_| true)
    }

    /// Gives an account another quota while the servers run, and returns when Dovecot minds it.
    pub fn set_quota(&self, address: &str, bytes: Option<u64>) -> Result<()> {
        self.change(address, QUOTA, &quota_rule(bytes))?;
        let rule = bytes.map(|bytes| format!("*:bytes={bytes}"));
        self.until(&["user", address], |printed| match &rule {
            Some(rule) => printed.contains(rule),
            None => !printed.contains("quota_rule"),
        })
    }

    /// Waits until what `doveadm` prints is so: Dovecot looks at the file at most once a second.
    fn until(&self, command: &[&str], is_so: impl Fn(&str) -> bool) -> Result<()> {
        let mut last = Ok(String::new());
        wait_until(Duration::from_secs(10), || {
            last = self.doveadm(command);
            last.as_ref().is_ok_and(|printed| is_so(printed))
        });
        match last {
            Ok(printed) if !is_so(&printed) => Err(Error::Failed {
                command: format!("doveadm {}", command.join(" ")),
                output: printed,
            }),
            last => last.map(drop),
        }
    }

    fn change(&self, address: &str, field: usize, value: &str) -> Result<()> {
        let _lock = self.lock("accounts.lock")?;
        let path = self.directory.join("dc/users");
        let known = fs::read_to_string(&path).map_err(Error::io(&path))?;
        let changed: String = known
            .lines()
            .map(|line| format!("{}\n", with(line, address, field, value)))
            .collect();
        // Dovecot must never see half of it.
        let new = path.with_extension("new");
        fs::write(&new, changed).map_err(Error::io(&new))?;
        fs::rename(&new, &path).map_err(Error::io(&path))
    }

    /// How many IMAP connections are signed in.
    pub fn logins(&self) -> Result<usize> {
        let listed = self.doveadm(&["who", "-1"])?;
        Ok(listed
            .lines()
            .filter(|line| line.contains(" imap "))
            .count())
    }

    /// A domain that no other test has got, for accounts of its own: `t1.test`, `t2.test`, ….
    pub fn own_domain(&self) -> Result<String> {
        Ok(format!("t{}.test", self.next_number()?))
    }

    /// The same, where the server files a copy of each mail that is sent in the sender's Sent
    /// folder, as Gmail does: `t3.copies.test`.
    pub fn own_domain_with_sent_copies(&self) -> Result<String> {
        Ok(format!("t{}.copies.test", self.next_number()?))
    }

    fn next_number(&self) -> Result<u32> {
        let _lock = self.lock("domains.lock")?;
        let path = self.directory.join("domains");
        let used: u32 = fs::read_to_string(&path)
            .ok()
            .and_then(|n| n.parse().ok())
            .unwrap_or(0);
        fs::write(&path, (used + 1).to_string()).map_err(Error::io(&path))?;
        Ok(used + 1)
    }

    /// Held until the file is closed; also by death.
    fn lock(&self, name: &str) -> Result<File> {
        let path = self.directory.join(name);
        let file = File::create(&path).map_err(Error::io(&path))?;
        file.lock().map_err(Error::io(&path))?;
        Ok(file)
    }

    /// Runs `doveadm` against this Dovecot.
    pub(super) fn doveadm(&self, arguments: &[&str]) -> Result<String> {
        let configuration = self.directory.join("dc/dovecot.conf");
        run(Command::new("/usr/bin/doveadm")
            .arg("-c")
            .arg(configuration)
            .args(arguments))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_account_gets_another_password() {
        let line = "ada@sender.test:{PLAIN}old:20001:20001::::";
        assert_eq!(
            with(line, "ada@sender.test", PASSWORD, &plain("new")),
            "ada@sender.test:{PLAIN}new:20001:20001::::"
        );
        assert_eq!(with(line, "da@sender.test", PASSWORD, &plain("new")), line);
    }

    #[test]
    fn a_quota_comes_and_goes() {
        let without = "ada@sender.test:{PLAIN}old:20001:20001::::";
        let line = with(without, "ada@sender.test", QUOTA, &quota_rule(Some(1)));
        assert_eq!(line, format!("{without}userdb_quota_rule=*:bytes=1"));
        assert_eq!(
            with(&line, "ada@sender.test", QUOTA, &quota_rule(None)),
            without
        );
    }

    #[test]
    fn each_account_has_a_line_and_a_user_id_of_its_own() {
        let options = MailOptions {
            prospects: 1,
            ..MailOptions::default()
        };
        assert_eq!(
            initial(&options),
            "ada@sender.test:{PLAIN}secret-ada:20001:20001::::\n\
             bob@sender.test:{PLAIN}secret-bob:20002:20002::::\n\
             full@d1.test:{PLAIN}pw:20003:20003::::userdb_quota_rule=*:bytes=1\n\
             p1@d1.test:{PLAIN}pw:20004:20004::::\n"
        );
    }
}
