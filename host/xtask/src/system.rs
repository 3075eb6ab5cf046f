//! What the machine must have installed, and how it gets there.

use std::env;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::command::{run, succeeds};

/// Something that a Debian package brings.
struct Need {
    /// A program of it: in `PATH`, or at an absolute path.
    program: &'static str,
    packages: &'static str,
}

const FOR_TESTS: &[Need] = &[
    Need {
        program: "cc",
        packages: "gcc libc6-dev",
    },
    Need {
        program: "openssl",
        packages: "openssl",
    },
    Need {
        program: "/usr/lib/dovecot/imap",
        packages: "dovecot-imapd",
    },
    Need {
        program: "/usr/lib/dovecot/lmtp",
        packages: "dovecot-lmtpd",
    },
    Need {
        program: "/usr/sbin/postfix",
        packages: "postfix",
    },
    Need {
        program: "/usr/lib/postgresql",
        packages: "postgresql",
    },
];

/// Installs what tests need when that may be done, and says the command otherwise.
pub(crate) fn install_for_tests() -> Result<()> {
    let missing = missing(FOR_TESTS, exists);
    if missing.is_empty() {
        return Ok(());
    }
    let install = format!("apt-get install -y {}", missing.join(" "));
    if !succeeds(Command::new("sh").args(["-c", "test $(id -u) = 0 && command -v apt-get"])) {
        bail!("the tests need what is not installed; as root: {install}");
    }
    eprintln!("installing what the tests need: {}", missing.join(" "));
    let apt_get = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive");
        run(&mut command)
    };
    apt_get(&["update", "-q"])?;
    let arguments: Vec<_> = ["install", "-y", "-q"].into_iter().chain(missing).collect();
    apt_get(&arguments)
}

fn missing(needs: &[Need], exists: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let missing = needs.iter().filter(|need| !exists(need.program));
    missing.flat_map(|need| need.packages.split(' ')).collect()
}

fn exists(program: &str) -> bool {
    if program.starts_with('/') {
        return Path::new(program).exists();
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_packages_of_missing_programs_are_installed() {
        let missing = missing(FOR_TESTS, |program| {
            !["cc", "/usr/sbin/postfix"].contains(&program)
        });
        assert_eq!(missing, ["gcc", "libc6-dev", "postfix"]);
    }

    #[test]
    fn programs_are_looked_up_in_path() {
        assert!(exists("sh"));
        assert!(!exists("no-such-program"));
        assert!(!exists("/nonexistent/program"));
    }
}
