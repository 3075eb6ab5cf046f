//! One connection, read by lines and by counted bytes, written in whole pieces.

use std::{io, time::Duration};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{BoxedStream, Cause};

/// What is read from the socket at once, at least. There are thousands of connections that wait for
/// one line, and TLS writes zeros into all that it may read into: each waits with so much memory.
const LEAST: usize = 512;

/// And at most.
const MOST: usize = 16 * 1024;

/// A connection with what was read from it and not yet taken. All reading is cancel-safe: what
/// has arrived stays in the buffer.
pub(crate) struct Wire {
    stream: BoxedStream,
    buffer: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(stream: BoxedStream) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// The stream underneath, to put TLS on it. What had arrived early is an attack (RFC 3207
    /// §6): it would be taken for what comes through TLS.
    pub(crate) fn into_stream(self) -> Result<BoxedStream, Cause> {
        if self.buffer.is_empty() {
            Ok(self.stream)
        } else {
            Err(Cause::Injected)
        }
    }

    /// What has arrived and was not taken.
    pub(crate) fn arrived(&self) -> &[u8] {
        &self.buffer
    }

    /// Takes the first `count` bytes of what has arrived.
    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        let rest = self.buffer.split_off(count.min(self.buffer.len()));
        std::mem::replace(&mut self.buffer, rest)
    }

    /// Waits until more has arrived.
    pub(crate) async fn fill(&mut self) -> Result<(), Cause> {
        // As much as there is already: a large answer comes in few reads.
        self.buffer.reserve(self.buffer.len().clamp(LEAST, MOST));
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(0) => Err(Cause::Closed),
            Ok(_) => Ok(()),
            // Hung up without a farewell in TLS: rustls explains that to programmers.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(Cause::Closed),
            Err(error) => Err(error.into()),
        }
    }

    /// The next line without its end. A line longer than `limit` bytes is garbage.
    pub(crate) async fn line(&mut self, limit: usize) -> Result<String, Cause> {
        let mut searched = 0;
        loop {
            if let Some(end) = self.buffer[searched..]
                .iter()
                .position(|&byte| byte == b'\n')
            {
                let line = self.take(searched + end + 1);
                let line = line.strip_suffix(b"\n").unwrap_or(&line);
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                return Ok(String::from_utf8_lossy(line).into_owned());
            }
            searched = self.buffer.len();
            if searched > limit {
                return Err(Cause::Garbage(format!("a line of more than {limit} bytes")));
            }
            self.fill().await?;
        }
    }

    /// Writes all of `bytes` and flushes.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), Cause> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await?;
        Ok(())
    }

    /// Ends the stream in order, so that the other side does not see a broken connection.
    pub(crate) async fn close(&mut self) {
        // Nobody waits for this; a peer that is gone has closed it already.
        drop(self.stream.shutdown().await);
    }
}

/// `work` within `limit`.
pub(crate) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, Cause>>,
) -> Result<T, Cause> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result,
        Err(_) => Err(Cause::Timeout(limit)),
    }
}
