//! What a process wrote to its error output.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::ChildStderr,
    sync::watch,
};

/// Lines shown when something failed.
const TAIL: usize = 60;

pub(super) struct Log {
    text: Arc<Mutex<String>>,
    ended: watch::Receiver<bool>,
}

impl Log {
    /// Reads until the process ends.
    pub(super) fn collect(output: ChildStderr) -> Self {
        let text = Arc::<Mutex<String>>::default();
        let (end, ended) = watch::channel(false);
        let log = Self {
            text: Arc::clone(&text),
            ended,
        };
        tokio::spawn(async move {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let mut text = text.lock().unwrap_or_else(PoisonError::into_inner);
                text.push_str(&line);
                text.push('\n');
            }
            end.send_replace(true);
        });
        log
    }

    /// Waits until the process has written its last line, but not for ever.
    pub(super) async fn ended(&self, limit: Duration) {
        let mut ended = self.ended.clone();
        // What is there by then is shown.
        let _ = tokio::time::timeout(limit, ended.wait_for(|ended| *ended)).await;
    }

    pub(super) fn text(&self) -> String {
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        text.clone()
    }

    pub(super) fn tail(&self) -> String {
        let text = self.text();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }
}
