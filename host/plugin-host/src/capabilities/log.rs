//! The capability `log`: lines of a plugin, counted and cut.

use crate::{bindings::overture::plugin::log as wit, capabilities::Scope, state::GuestState};

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For the author.
    Debug,
    /// For the curious.
    Info,
    /// Something is odd.
    Warn,
    /// Something failed.
    Error,
}

/// Where the lines of plugins go.
pub trait GuestLog: Send + Sync {
    /// One line, already cut to its limit.
    fn line(&self, scope: &Scope, level: Level, text: &str);

    /// After a call: so many further lines were dropped, because the call had used up its lines.
    fn dropped(&self, scope: &Scope, lines: u32) {
        self.line(
            scope,
            Level::Warn,
            &format!("{lines} more log lines dropped in one call"),
        );
    }
}

/// Sends every line to `tracing`, with the plugin's id as a field.
#[derive(Debug, Default)]
pub struct TracingLog;

impl GuestLog for TracingLog {
    fn line(&self, scope: &Scope, level: Level, text: &str) {
        let (plugin, workspace) = (&scope.plugin, scope.workspace);
        match level {
            Level::Debug => tracing::debug!(%plugin, %workspace, "{text}"),
            Level::Info => tracing::info!(%plugin, %workspace, "{text}"),
            Level::Warn => tracing::warn!(%plugin, %workspace, "{text}"),
            Level::Error => tracing::error!(%plugin, %workspace, "{text}"),
        }
    }
}

/// The lines of one call.
#[derive(Debug)]
pub(crate) struct LogBook {
    left: u32,
    line_bytes: usize,
    dropped: u32,
    last_error: Option<String>,
}

impl LogBook {
    pub(crate) fn new(lines: u32, line_bytes: usize) -> Self {
        Self {
            left: lines,
            line_bytes,
            dropped: 0,
            last_error: None,
        }
    }

    pub(crate) fn dropped(&self) -> u32 {
        self.dropped
    }

    /// The last line at the level of errors: of a guest that panicked, the SDK's hook wrote it.
    pub(crate) fn last_error(&mut self) -> Option<String> {
        self.last_error.take()
    }
}

impl wit::Host for GuestState {
    fn write(&mut self, level: wit::Level, message: String) -> wasmtime::Result<()> {
        let line = cut(&message, self.log.line_bytes);
        if level == wit::Level::Error {
            self.log.last_error = Some(line.to_owned());
        }
        // Not counted as a call of the host: a talkative plugin is cut, not stopped. The time
        // that dropping takes is charged to the guest's CPU.
        let Some(left) = self.log.left.checked_sub(1) else {
            self.log.dropped = self.log.dropped.saturating_add(1);
            return Ok(());
        };
        self.log.left = left;
        let level = match level {
            wit::Level::Debug => Level::Debug,
            wit::Level::Info => Level::Info,
            wit::Level::Warn => Level::Warn,
            wit::Level::Error => Level::Error,
        };
        self.services.log.line(&self.scope, level, line);
        Ok(())
    }
}

/// At most `bytes` of a text, not in the middle of a character.
fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}
