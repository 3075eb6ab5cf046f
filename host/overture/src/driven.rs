//! Driven time for whole-system tests (feature `test-clock`): `serve --clock unix:PATH`.
//!
//! The driver connects to the socket and writes one JSON request a line; each is answered by one
//! line:
//!
//! | request | answer |
//! | --- | --- |
//! | `{"now":"2026-03-02T09:00:00Z"}` | `{"now":"…"}` after the clock shows it; it never goes back |
//! | `{}` | `{"now":"…","next":"…" or null,"underWay":N,"held":["…"]}`: the earliest moment at which a part wants to act, how many parts or pieces of work are busy or about to be, and for whom work is held |
//! | `{"hold":"body_sent"}` | the same; from now on all work that reaches this failpoint is held there until the process is killed |
//!
//! A driver lets real side effects settle, waits until nothing is under way, and jumps to `next`.

use std::{future::Future, path::Path, pin::Pin, sync::Arc};

use anyhow::{Context, Result};
use overture_domain::{Clock, Timestamp};
use overture_engine::{Failpoint, failpoints};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::watch,
};

use crate::{clock::Time, loops::Loops};

/// A clock that a driver sets.
#[derive(Debug)]
pub struct DrivenClock(watch::Sender<Timestamp>);

impl DrivenClock {
    /// A clock that shows `now` until a driver moves it.
    pub fn new(now: Timestamp) -> Self {
        Self(watch::Sender::new(now))
    }

    fn set(&self, now: Timestamp) {
        self.0.send_if_modified(|shown| {
            let later = now > *shown;
            if later {
                *shown = now;
            }
            later
        });
    }
}

impl Clock for DrivenClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }
}

impl Time for DrivenClock {
    fn reached(&self, at: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let mut shown = self.0.subscribe();
        Box::pin(async move {
            // The sender lives in `self`: waiting can't fail.
            let _ = shown.wait_for(|now| *now >= at).await;
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    now: Option<Timestamp>,
    hold: Option<Failpoint>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    now: Timestamp,
    next: Option<Timestamp>,
    under_way: usize,
    held: Vec<String>,
}

/// Listens for drivers at `path`.
///
/// # Errors
/// When the socket can't be made.
pub fn listen(path: &Path, clock: Arc<DrivenClock>, loops: Arc<Loops>) -> Result<()> {
    let listener = UnixListener::bind(path)
        .with_context(|| format!("the clock's socket {} can't be made", path.display()))?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (clock, loops) = (Arc::clone(&clock), Arc::clone(&loops));
            tokio::spawn(async move {
                if let Err(error) = answer(stream, &clock, &loops).await {
                    tracing::warn!(%error, "the driver of the clock was not understood");
                }
            });
        }
    });
    Ok(())
}

async fn answer(stream: UnixStream, clock: &DrivenClock, loops: &Loops) -> Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    while let Some(line) = lines.next_line().await? {
        let request: Request = serde_json::from_str(&line)?;
        if let Some(now) = request.now {
            clock.set(now);
        }
        if let Some(failpoint) = request.hold {
            failpoints::hold(failpoint);
        }
        let now = clock.now();
        let answer = Answer {
            now,
            next: loops.next(),
            under_way: loops.busy(now),
            held: failpoints::held(),
        };
        let mut line = serde_json::to_vec(&answer)?;
        line.push(b'\n');
        write.write_all(&line).await?;
    }
    Ok(())
}
