//! `cargo xtask bench plugin`: what a call in a fresh sandbox costs (DESIGN §6).
//!
//! Five runs on two worker threads; each line is the median with the lowest and the highest run.

#![expect(clippy::print_stdout, reason = "a bench prints its numbers")]
#![expect(
    clippy::unwrap_used,
    reason = "a bench stops where something is missing"
)]
#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use overture_domain::{Timestamp, WorkspaceId, rng::SeededRng, time::ManualClock};
use overture_plugin_host::{
    Address, Channel, Classifier, ClassifyContext, Event, FormatContext, Formatter, Header,
    HostConfig, Message, Origin, PluginHost, Scope, Services,
    capabilities::{
        http::{HttpFailure, HttpOut, Request, Response},
        log::TracingLog,
        store::{KvError, KvStore},
    },
};

const RUNS: usize = 5;
const THREADS: usize = 2;
/// Calls in a row whose times are taken.
const TIMED: usize = 20_000;
/// Calls of each task that runs beside others.
const EACH: usize = 25_000;
const TASKS: usize = 4;

fn main() {
    let json = std::env::args().any(|arg| arg == "--json");
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime
        .worker_threads(THREADS)
        .enable_all()
        .build()
        .unwrap();
    let host = host();

    let echo = Work::Format(host.formatter("guest-echo").unwrap());
    let slack = Work::Format(host.formatter("format-slack").unwrap());
    let rules = Work::Classify(host.classifier("classifier-rules").unwrap());
    for (name, work) in [("echo", echo), ("formatter", slack), ("classifier", rules)] {
        let work = Arc::new(work);
        let runs: Vec<Run> = (0..RUNS).map(|_| measure(&runtime, &work)).collect();
        let line = |what: &str, unit: &str, value: fn(&Run) -> f64| {
            print(
                json,
                &format!("plugin.{name}_{what}"),
                unit,
                runs.iter().map(value).collect(),
            );
        };
        line("calls_per_s", "1/s", |run| run.calls_per_s);
        line("p50_us", "µs", |run| run.p50_us);
        line("p99_us", "µs", |run| run.p99_us);
        if name == "formatter" {
            let native: Vec<f64> = (0..RUNS)
                .map(|_| native_micros(&Input::new().event))
                .collect();
            let slower = runs
                .iter()
                .zip(native)
                .map(|(run, native)| run.p50_us / native);
            print(
                json,
                "plugin.formatter_vs_native",
                "ratio",
                slower.collect(),
            );
        }
    }
}

/// The same formatter without a sandbox: the median time of a call. It is a program of the
/// plugins' own workspace, built as they are.
fn native_micros(event: &Event) -> f64 {
    let mut command = Command::new(env!("CARGO"));
    command.args([
        "run",
        "--release",
        "--quiet",
        "--package",
        "format-slack",
        "--example",
        "native",
    ]);
    command
        .arg("--manifest-path")
        .arg(root().join("plugins/Cargo.toml"));
    command
        .arg("--target-dir")
        .arg(root().join("target/guests"));
    let mut native = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    native
        .stdin
        .take()
        .unwrap()
        .write_all(event.data.as_bytes())
        .unwrap();
    let output = native.wait_with_output().unwrap();
    assert!(output.status.success(), "the native formatter did not run");
    String::from_utf8(output.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

struct Run {
    calls_per_s: f64,
    p50_us: f64,
    p99_us: f64,
}

fn measure(runtime: &tokio::runtime::Runtime, work: &Arc<Work>) -> Run {
    let timed = work.clone();
    let mut times = runtime.block_on(async {
        let timed = tokio::spawn(async move {
            let input = Input::new();
            let mut times: Vec<Duration> = Vec::with_capacity(TIMED);
            for _ in 0..TIMED / 10 {
                timed.call(&input).await;
            }
            for _ in 0..TIMED {
                let start = Instant::now();
                timed.call(&input).await;
                times.push(start.elapsed());
            }
            times
        });
        timed.await.unwrap()
    });
    times.sort();
    let micros = |share: usize| times[times.len() * share / 100].as_secs_f64() * 1e6;

    let start = Instant::now();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let work = work.clone();
                tokio::spawn(async move {
                    let input = Input::new();
                    for _ in 0..EACH {
                        work.call(&input).await;
                        // As a real task would: others may run between two calls.
                        tokio::task::consume_budget().await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    let calls_per_s = (TASKS * EACH) as f64 / start.elapsed().as_secs_f64();
    Run {
        calls_per_s,
        p50_us: micros(50),
        p99_us: micros(99),
    }
}

fn print(json: bool, name: &str, unit: &str, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let (value, min, max) = (values[RUNS / 2], values[0], values[RUNS - 1]);
    if json {
        println!(
            r#"{{"name":"{name}","value":{value:.2},"unit":"{unit}","min":{min:.2},"max":{max:.2}}}"#
        );
    } else {
        println!("{name:32} {value:>12.1} {unit:4} ({min:.1} to {max:.1})");
    }
}

enum Work {
    Format(Formatter),
    Classify(Classifier),
}

impl Work {
    async fn call(&self, input: &Input) {
        match self {
            Self::Format(plugin) => {
                let body = plugin
                    .format(input.workspace, &input.event, &input.context)
                    .await;
                assert!(!body.unwrap().body.is_empty());
            }
            Self::Classify(plugin) => {
                let verdicts = plugin
                    .classify(input.workspace, &input.reply, &input.about)
                    .await;
                assert!(!verdicts.unwrap().is_empty());
            }
        }
    }
}

struct Input {
    workspace: WorkspaceId,
    event: Event,
    context: FormatContext,
    reply: Message,
    about: ClassifyContext,
}

impl Input {
    fn new() -> Self {
        let now = Timestamp::from_secs(1_772_442_000);
        let workspace = WorkspaceId::new(now, &SeededRng::new(1));
        let text = "Hello Ada,\n\nthank you for your message. I have read it with interest, but at \
            the moment we have a supplier for this and the contract runs until the summer. We \
            looked at several offers last year, compared them in some detail, and decided for one \
            that fits the way in which our three offices work together; changing that now would \
            cost more than it brings.\n\nYou may write to me again in September, when we plan the \
            budget for the coming year. Until then please take me off your list, so that I don't \
            receive further mails about this topic. If something changes on our side I will come \
            back to you myself. My colleague Bob, who looks after the warehouse, might have other \
            needs than I have; he reads his mail in the afternoon, and prefers short messages with \
            a clear question in the first line.\n\nThe best of luck with your product, and kind \
            regards from a rather rainy north, where spring is late again this year.\n\nCleo";
        let text = text.repeat(2)[..1_024].to_owned();
        let data = format!(
            r#"{{"prospectId":"pro_01kjq5t3k8e9v8z2m4n6p7r8s9","prospectEmail":"cleo@example.test","prospectName":"Cleo Sample","campaignId":"cmp_01kjq5t3k8e9v8z2m4n6p7r8s9","campaignName":"Spring","enrollmentId":"enr_01kjq5t3k8e9v8z2m4n6p7r8s9","mailboxId":"mbx_01kjq5t3k8e9v8z2m4n6p7r8s9","mailboxEmail":"ada@example.com","stepIndex":0,"channel":"email","subject":"Re: Hello","messageId":"<1@example.test>","inboxMessageId":"msg_01kjq5t3k8e9v8z2m4n6p7r8s9","messageText":{},"label":"not_interested","sentiment":"negative","receivedAt":"2026-03-02T09:00:00.000Z"}}"#,
            serde_json::to_string(&text[..400]).unwrap()
        );
        let header = |name: &str, value: &str| Header {
            name: name.into(),
            value: value.into(),
        };
        Self {
            workspace,
            event: Event {
                id: "evt_01kjq5t3k8e9v8z2m4n6p7r8s9".into(),
                kind: "reply.received".into(),
                occurred_at: now,
                workspace_id: workspace.to_string(),
                data,
            },
            context: FormatContext {
                settings: "{}".into(),
                public_url: "https://overture.example.com".into(),
                workspace_name: "Example".into(),
            },
            reply: Message {
                id: "msg_01kjq5t3k8e9v8z2m4n6p7r8s9".into(),
                channel: Channel::Mail,
                sender: Address {
                    name: Some("Cleo".into()),
                    email: "cleo@example.test".into(),
                },
                subject: "Re: Hello".into(),
                headers: vec![
                    header("From", "Cleo <cleo@example.test>"),
                    header("To", "ada@example.com"),
                    header("Subject", "Re: Hello"),
                    header("Message-ID", "<1@example.test>"),
                    header("In-Reply-To", "<0@example.com>"),
                ],
                newest_text: text.clone(),
                text,
                attachments: Vec::new(),
                received_at: now,
            },
            about: ClassifyContext {
                our_subject: Some("Hello".into()),
                our_sent_at: Some(now),
                settings: "{}".into(),
            },
        }
    }
}

fn host() -> PluginHost {
    let services = Services {
        clock: Arc::new(ManualClock::new(Timestamp::from_secs(1_772_442_000))),
        rng: Arc::new(SeededRng::new(1)),
        log: Arc::new(TracingLog),
        store: Arc::new(Nothing),
        http: Arc::new(Nothing),
    };
    let host = PluginHost::new(HostConfig::default(), services).unwrap();
    let target = root().join("target");
    for file in [
        "guests/echo",
        "plugins/format-slack",
        "plugins/classifier-rules",
    ] {
        let path = target.join(file).with_extension("wasm");
        let bytes = std::fs::read(&path)
            .unwrap_or_else(|e| panic!("{}: {e}; run `cargo xtask plugins`", path.display()));
        host.load(&bytes, Origin::Embedded, None).unwrap();
    }
    host
}

/// Pure plugins reach neither store nor web.
struct Nothing;

#[async_trait]
impl KvStore for Nothing {
    async fn get(&self, _: &Scope, _: &str) -> Result<Option<Vec<u8>>, KvError> {
        unreachable!("no plugin of this bench has a store")
    }

    async fn set(&self, _: &Scope, _: &str, _: &[u8], _: u64) -> Result<(), KvError> {
        unreachable!("no plugin of this bench has a store")
    }

    async fn delete(&self, _: &Scope, _: &str) -> Result<(), KvError> {
        unreachable!("no plugin of this bench has a store")
    }

    async fn keys(&self, _: &Scope, _: &str, _: usize) -> Result<Vec<String>, KvError> {
        unreachable!("no plugin of this bench has a store")
    }
}

#[async_trait]
impl HttpOut for Nothing {
    async fn send(&self, _: &Scope, _: Request, _: u64) -> Result<Response, HttpFailure> {
        unreachable!("no plugin of this bench has HTTP")
    }

    async fn secret(&self, _: &Scope, _: &str) -> Option<String> {
        unreachable!("no plugin of this bench has secrets")
    }
}
