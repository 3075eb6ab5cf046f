//! Nothing is left behind: not when the owner drops its servers, and not when it is killed.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, stdin};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use overture_server_kit::{Durability, MailOptions, start_mail, start_postgres, wait_until};

const LIMIT: Duration = Duration::from_secs(30);

/// Run in a process of its own by the tests below: starts servers, says so and waits.
#[test]
#[ignore = "started by the other tests of this file"]
fn hold_servers() {
    let _postgres;
    let _mail;
    if env::var_os("HOLD_MAIL").is_some() {
        _mail = start_mail(&MailOptions::default()).expect("mail servers");
    } else {
        _postgres = start_postgres(Durability::Off).expect("a server");
    }
    println!("\nholding");
    stdin()
        .read_line(&mut String::new())
        .expect("an end of input");
}

/// A process that holds servers, and their directory.
fn holder(mail: bool) -> (Child, PathBuf) {
    let mut command = Command::new(env::current_exe().expect("this test"));
    command.args([
        "--ignored",
        "--exact",
        "orphans::hold_servers",
        "--nocapture",
    ]);
    if mail {
        command.env("HOLD_MAIL", "1");
    }
    let mut process = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this test");
    let output = BufReader::new(process.stdout.take().expect("a pipe"));
    let held = output
        .lines()
        .map_while(Result::ok)
        .any(|line| line == "holding");
    assert!(held, "the process could not start its servers");
    let prefix = if mail { "mt" } else { "pg" };
    let directory = Path::new("/tmp").join(format!("{prefix}.{}.0", process.id()));
    assert!(directory.is_dir(), "{}", directory.display());
    (process, directory)
}

/// Processes whose command line or working directory names the directory.
fn processes_of(directory: &Path) -> Vec<String> {
    let text = directory.to_string_lossy().into_owned();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("Linux").flatten() {
        let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        let folder = fs::read_link(entry.path().join("cwd")).unwrap_or_default();
        if command.contains(&text) || folder.starts_with(directory) {
            found.push(command);
        }
    }
    found
}

fn check_nothing_is_left(directory: &Path) {
    let gone = wait_until(LIMIT, || {
        !directory.exists() && processes_of(directory).is_empty()
    });
    assert!(
        gone,
        "left: {:?} in {}",
        processes_of(directory),
        directory.display()
    );
}

fn kill_the_holder(mail: bool) {
    let (mut process, directory) = holder(mail);
    assert!(processes_of(&directory).len() > 1, "the servers run");
    process.kill().expect("SIGKILL");
    process.wait().expect("it was ours");
    check_nothing_is_left(&directory);
}

#[test]
fn postgres_does_not_outlive_a_killed_owner() {
    kill_the_holder(false);
}

#[test]
fn mail_servers_do_not_outlive_a_killed_owner() {
    kill_the_holder(true);
}

#[test]
fn dropped_servers_are_gone_at_once() {
    let servers = start_mail(&MailOptions::default()).expect("mail servers");
    let directory = servers.directory.clone();
    assert!(processes_of(&directory).len() > 1, "the servers run");
    drop(servers);
    assert!(!directory.exists(), "{}", directory.display());
    check_nothing_is_left(&directory);
}
