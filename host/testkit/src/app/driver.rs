//! The other end of `serve --clock unix:PATH`: sets the time, asks what comes next.

use std::{io, path::Path};

use overture_domain::Timestamp;
use overture_engine::Failpoint;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
    sync::Mutex,
};

/// A connection to the clock of a process.
pub struct Driver(Mutex<BufReader<UnixStream>>);

/// What the process says about its time.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Status {
    /// What its clock shows.
    pub now: Timestamp,
    /// The earliest moment at which it wants to act; none when it waits for the outside.
    pub next: Option<Timestamp>,
    /// How many pieces of work go on or are about to begin.
    pub under_way: usize,
    /// For whom of these work stands at the failpoint where it is held.
    pub held: Vec<String>,
}

impl Driver {
    /// Connects to the socket that the process made.
    ///
    /// # Errors
    /// While nobody listens there.
    pub async fn connect(socket: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(socket).await?;
        Ok(Self(Mutex::new(BufReader::new(stream))))
    }

    /// Sets the clock; it never goes back.
    ///
    /// # Panics
    /// When the process is gone.
    pub async fn set(&self, now: Timestamp) -> Status {
        self.request(&json!({ "now": now })).await
    }

    /// Asks what comes next, and whether anything is under way.
    ///
    /// # Panics
    /// When the process is gone.
    pub async fn ask(&self) -> Status {
        self.request(&json!({})).await
    }

    /// Holds all work that reaches a failpoint there (`overture_engine::Failpoint`), until the
    /// process is killed.
    ///
    /// # Panics
    /// When the process is gone.
    pub async fn hold(&self, failpoint: Failpoint) -> Status {
        self.request(&json!({ "hold": failpoint })).await
    }

    async fn request(&self, request: &Value) -> Status {
        let mut stream = self.0.lock().await;
        let exchange = async {
            stream.write_all(format!("{request}\n").as_bytes()).await?;
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            serde_json::from_str(&line).map_err(io::Error::from)
        };
        exchange
            .await
            .unwrap_or_else(|error| panic!("the driven clock does not answer: {error}"))
    }
}
