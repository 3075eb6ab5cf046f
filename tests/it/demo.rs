//! `overture demo`: what must come of the sandbox's people comes of them, and the check sees when one
//! of them behaves otherwise (OPS-6).

use std::{process::Stdio, time::Duration};

use overture_testkit::app::{Api, Installation, binary};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

/// Few people, so that it is quick.
const FEW: &str = r#"
seed = 3
[[people]]
email = "ada@example.com"
does = "open, meeting"
[[people]]
email = "bob@example.com"
does = "silent"
[[people]]
email = "eve@example.com"
does = "ooo:4, unsub"
"#;

#[tokio::test]
async fn the_story_in_the_sandbox_is_as_the_behaviours_lead_to() {
    let ran = Installation::bare(binary()).run(&["demo", "--once"]).await;
    let out = ran.success();
    for row in [
        "replied: meeting request",
        "out of office, resumed",
        "webhooks delivered",
    ] {
        assert!(out.contains(row), "{out}");
    }
    assert!(!out.contains("DIFFERENT"), "{out}");
}

#[tokio::test]
async fn another_behaviour_is_seen() {
    let installation = Installation::bare(binary());
    installation.write("few.toml", FEW);
    let once = ["demo", "--once", "--people", "few.toml"];
    let first = installation.run(&once).await;
    let again = installation.run(&once).await;
    // OPS-6: the same every time, to the words of an answer.
    let meets =
        "ada@example.com wants to meet: Happy to have a chat. Does Tuesday at 3pm work for you?";
    assert!(first.success().contains(meets) && again.success().contains(meets));
    assert!(
        first
            .success()
            .contains("replied: meeting request           1         1")
    );

    let altered = [&once[..], &["--alter", "bob@example.com=reply"]].concat();
    let ran = installation.run(&altered).await;
    let said = ran.failure();
    assert!(
        said.contains("not what the people's behaviours lead to"),
        "{said}"
    );
    assert!(
        ran.stdout
            .contains("replied: interested                0         1   DIFFERENT"),
        "{}",
        ran.stdout
    );
}

#[tokio::test]
async fn a_file_of_people_is_checked() {
    let installation = Installation::bare(binary());
    installation.write("few.toml", FEW.replace("ooo:4, unsub", "ooo:4, dances"));
    let ran = installation
        .run(&["demo", "--once", "--people", "few.toml"])
        .await;
    let said = ran.failure();
    assert!(
        said.contains("the people of few.toml can't be used: people[2] (eve@example.com): nobody is called \"dances\""),
        "{said}"
    );
}

/// `overture demo` as a process.
struct Demo {
    process: Child,
    url: String,
    key: String,
    campaign: String,
    /// Open for as long as the process may print.
    _out: Lines<BufReader<ChildStdout>>,
}

impl Demo {
    async fn start(installation: &Installation, more: &[&str]) -> Self {
        let listen = ["demo", "--listen", "127.0.0.1:0", "--people", "few.toml"];
        let mut process = installation
            .command(&[&listen[..], more].concat())
            .stdout(Stdio::piped())
            .spawn()
            .expect("overture can be run");
        let mut lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let mut said = Vec::new();
        let started = tokio::time::timeout(Duration::from_secs(180), async {
            while let Some(line) = lines.next_line().await.expect("text") {
                said.push(line);
                if said
                    .last()
                    .is_some_and(|line| line.contains("events --follow"))
                {
                    return;
                }
            }
        });
        started.await.expect("the demo starts");
        let after = |what: &str| {
            let line = said.iter().find_map(|line| line.trim().strip_prefix(what));
            line.unwrap_or_else(|| panic!("no {what}: {said:?}"))
                .trim()
                .to_owned()
        };
        let pause = said.iter().find(|line| line.ends_with("/pause"));
        let campaign = pause
            .and_then(|line| line.rsplit('/').nth(1))
            .expect("a campaign");
        Self {
            url: after("address"),
            key: after("API key"),
            campaign: campaign.to_owned(),
            process,
            _out: lines,
        }
    }

    async fn stats(&self) -> serde_json::Value {
        let path = format!("/campaigns/{}/stats", self.campaign);
        Api::new(&self.url, &self.key).get(&path).await
    }

    async fn stop(mut self) {
        let id = self.process.id().expect("it runs").to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status().await;
        assert!(told.is_ok_and(|status| status.success()), "kill works");
        let ended = tokio::time::timeout(Duration::from_secs(60), self.process.wait()).await;
        assert!(ended.expect("it ends").expect("it was ours").success());
    }
}

#[tokio::test]
async fn a_demo_goes_on_where_it_was_and_starts_over_when_told() {
    let installation = Installation::bare(binary());
    installation.write("few.toml", FEW);
    let first = Demo::start(&installation, &[]).await;
    let (key, campaign, stats) = (
        first.key.clone(),
        first.campaign.clone(),
        first.stats().await,
    );
    // Ten days have passed: everybody got their mails, as their behaviours say.
    assert_eq!(
        (&stats["sent"], &stats["replied"]),
        (&7.into(), &1.into()),
        "{stats}"
    );
    assert_eq!(stats["unsubscribed"], 1, "{stats}");

    let taken = first
        .url
        .strip_prefix("http://")
        .expect("an address")
        .to_owned();
    let other = installation
        .run(&["demo", "--data", "other", "--listen", &taken])
        .await;
    assert!(
        other
            .failure()
            .contains("`--listen 127.0.0.1:0` takes any free port"),
        "{}",
        other.stderr
    );
    let beside = installation
        .run(&["demo", "--fresh", "--listen", "127.0.0.1:0"])
        .await;
    assert!(
        beside.failure().contains("another `overture serve`"),
        "{}",
        beside.stderr
    );
    first.stop().await;

    let second = Demo::start(&installation, &[]).await;
    assert_eq!((&second.key, &second.campaign), (&key, &campaign));
    assert_eq!(second.stats().await["sent"], 7);
    second.stop().await;

    let fresh = Demo::start(&installation, &["--fresh", "--days", "1"]).await;
    assert!(fresh.key != key && fresh.campaign != campaign);
    fresh.stop().await;
}

#[tokio::test]
async fn a_folder_that_the_demo_did_not_make_stays_as_it_is() {
    let installation = Installation::bare(binary());
    let kept = installation.write("data/overture.db", "somebody's");
    for more in [&[][..], &["--fresh"]] {
        let arguments = [&["demo", "--listen", "127.0.0.1:0"][..], more].concat();
        let ran = installation.run(&arguments).await;
        assert!(
            ran.failure()
                .contains("holds something that the demo did not make"),
            "{}",
            ran.stderr
        );
    }
    assert_eq!(
        std::fs::read_to_string(kept).expect("it is there"),
        "somebody's"
    );
}
