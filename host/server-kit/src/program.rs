//! Programs and users of the system that the servers need.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Error, Result};

/// Runs a helper program to its end and returns its standard output.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .current_dir("/")
        .output()
        .map_err(Error::io(&name))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let arguments: Vec<_> = command.get_args().map(|a| a.to_string_lossy()).collect();
    Err(Error::Failed {
        command: format!("{name} {}", arguments.join(" ")),
        output: text + &String::from_utf8_lossy(&output.stderr),
    })
}

/// The path, if such a file exists.
pub(crate) fn installed(
    path: impl Into<PathBuf>,
    program: &'static str,
    install: &'static str,
) -> Result<PathBuf> {
    let path = path.into();
    if path.is_file() {
        Ok(path)
    } else {
        Err(Error::Missing { program, install })
    }
}

/// Whether this process runs as root.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// User and group ids of a system user.
pub(crate) fn user(name: &'static str, install: &'static str) -> Result<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").map_err(Error::io("/etc/passwd"))?;
    ids(&users, name).ok_or(Error::NoUser {
        user: name,
        install,
    })
}

fn ids(users: &str, name: &str) -> Option<(u32, u32)> {
    let line = users
        .lines()
        .find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// The last lines of log files, for an error message.
pub(crate) fn tails(files: &[PathBuf]) -> String {
    let tail = |file: &PathBuf| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    };
    let parts: Vec<_> = files
        .iter()
        .map(tail)
        .filter(|text| !text.is_empty())
        .collect();
    if parts.is_empty() {
        "(its log is empty)".into()
    } else {
        parts.join("\n")
    }
}

/// Creates a directory under /tmp that nobody used before. Short, because paths of unix sockets
/// must stay under 108 bytes; with the process id in it, because it is not random.
pub(crate) fn temporary_directory(prefix: &str) -> Result<PathBuf> {
    for attempt in 0.. {
        let path = Path::new("/tmp").join(format!("{prefix}.{}.{attempt}", std::process::id()));
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::io(path)(error)),
        }
    }
    unreachable!("the loop has no end")
}

pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(Error::io(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_from_the_line_of_that_name() {
        let users = "root:x:0:0:root:/root:/bin/sh\npostfixer:x:1:2::/:\npostfix:x:105:113::/:\n";
        assert_eq!(ids(users, "postfix"), Some((105, 113)));
        assert_eq!(ids(users, "post"), None);
    }

    #[test]
    fn a_missing_program_is_an_error_with_the_command_that_installs_it() {
        let error = installed(
            "/nonexistent/dovecot",
            "Dovecot",
            "apt-get install -y dovecot-imapd",
        )
        .expect_err("it does not exist");
        assert_eq!(
            error.to_string(),
            "Dovecot is not installed; this installs it: apt-get install -y dovecot-imapd"
        );
    }
}
