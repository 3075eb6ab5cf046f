//! The commands of the README and of the operator's page, as a person types them; the two long ones and the servers excepted,
//! which the test starts itself.

use std::{fs, net::TcpListener, path::Path, process::Stdio, time::Duration};

use overture_testkit::{app, servers};
use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

const README: &str = include_str!("../../README.md");
const OPERATIONS: &str = include_str!("../../host/docs/OPERATIONS.md");
/// All commands together; they take about ten seconds.
const LONGEST: Duration = Duration::from_secs(120);

/// The shell blocks between the heading of the story and the next heading.
fn commands() -> String {
    let story = README
        .split("## The story by hand")
        .nth(1)
        .expect("the README tells the story");
    let story = story
        .split("\n## ")
        .next()
        .expect("a text has a first part");
    blocks(story)
        .filter(|block| !block.contains("cargo xtask"))
        .map(|block| {
            // A person waits until it listens.
            let wait = "until overture campaign list 2>/dev/null; do :; done\n";
            if block.contains("serve &") {
                format!("{block}SERVER=$!\ntrap 'kill $SERVER' EXIT\n{wait}")
            } else {
                block.to_owned()
            }
        })
        .collect()
}

fn blocks(text: &str) -> impl Iterator<Item = &str> {
    text.split("```sh\n").skip(1).map(|rest| {
        let end = rest.find("```").expect("a block of commands ends");
        &rest[..end]
    })
}

#[tokio::test]
async fn the_story_by_hand_works_as_it_is_written() {
    let mail = servers::mail().unwrap_or_else(|error| panic!("{error}"));
    let sender = mail.accounts.first().expect("the kit has senders");
    let folder = tempfile::tempdir().unwrap();
    let variables = format!(
        "CA_FILE='{}'\nSMTP_PORT='{}'\nIMAP_PORT='{}'\nSENDER='{}'\nSENDER_PASSWORD='{}'\nPROSPECT='{}'\n",
        mail.ca_file.display(),
        mail.ports.submission,
        mail.ports.imaps,
        sender.address,
        sender.password,
        servers::prospect_address(7),
    );
    fs::write(folder.path().join("servers.env"), variables).unwrap();

    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut shell = shell(folder.path());
    let mut shell = shell
        .env("OVERTURE__SERVER__LISTEN", format!("127.0.0.1:{port}"))
        .env("OVERTURE_URL", format!("http://127.0.0.1:{port}"))
        .spawn()
        .unwrap();
    let mut input = shell.stdin.take().unwrap();
    input.write_all(commands().as_bytes()).await.unwrap();
    drop(input);
    let ended = timeout(LONGEST, shell.wait_with_output())
        .await
        .expect("the commands end")
        .unwrap();

    let (out, errors) = (
        String::from_utf8_lossy(&ended.stdout),
        String::from_utf8_lossy(&ended.stderr),
    );
    assert!(ended.status.success(), "{out}\n{errors}");
    for line in [
        "smtp: works",
        "imap: works",
        "1 created",
        "running",
        "campaign.status_changed",
    ] {
        assert!(
            out.contains(line),
            "`{line}` is missing in\n{out}\n{errors}"
        );
    }
}

// OPS-1, OPS-4
#[tokio::test]
async fn the_commands_of_the_operators_page_work_as_they_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut shell = shell(folder.path()).spawn().unwrap();
    let mut input = shell.stdin.take().unwrap();
    let commands: String = blocks(OPERATIONS).collect();
    input.write_all(commands.as_bytes()).await.unwrap();
    drop(input);
    let ended = timeout(LONGEST, shell.wait_with_output())
        .await
        .expect("the commands end")
        .unwrap();
    let (out, errors) = (
        String::from_utf8_lossy(&ended.stdout),
        String::from_utf8_lossy(&ended.stderr),
    );
    assert!(ended.status.success(), "{out}\n{errors}");
    for line in [
        "monday.backup",
        "Restored the database",
        "sealed with the current key",
    ] {
        assert!(
            out.contains(line),
            "`{line}` is missing in\n{out}\n{errors}"
        );
    }
    assert!(folder.path().join("another/data/overture.db").exists());
}

/// A shell in a folder, with `overture` on its path; it reads its commands.
fn shell(folder: &Path) -> Command {
    let overture = app::binary();
    let programs = Path::new(&overture)
        .parent()
        .expect("a program lies in a folder")
        .to_owned();
    // It may have another name there.
    let link = folder.join("bin");
    fs::create_dir(&link).expect("the folder is new");
    std::os::unix::fs::symlink(&overture, link.join("overture")).expect("the folder is new");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = Command::new("bash");
    shell
        .args(["-euo", "pipefail"])
        .current_dir(folder)
        .env(
            "PATH",
            format!("{}:{}:{path}", link.display(), programs.display()),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    shell
}
