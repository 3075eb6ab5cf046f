//! What a guest may ask of the host, one module each: its trait, its checks, its limits (PLG-2).
//!
//! The engine implements the traits; the modules hold what no implementation may forget: grants,
//! counts and cuts. A refusal is an error value in the guest, never a trap.

pub mod clock;
pub mod http;
pub mod log;
pub mod mailbox;
pub mod random;
pub mod store;

use std::sync::Arc;

use overture_domain::{Clock, Rng, WorkspaceId};

use crate::error::CallError;

/// Whose call it is: a plugin in a workspace. Stores, logs and quarantines are kept by it (WS-1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The plugin's id.
    pub plugin: Arc<str>,
    /// The workspace that it works for.
    pub workspace: WorkspaceId,
}

/// What the capabilities stand on.
#[derive(Clone)]
pub struct Services {
    /// The time that guests see.
    pub clock: Arc<dyn Clock>,
    /// The chance that guests see.
    pub rng: Arc<dyn Rng>,
    /// Where their log lines go.
    pub log: Arc<dyn log::GuestLog>,
    /// Where they keep values.
    pub store: Arc<dyn store::KvStore>,
    /// Their way out.
    pub http: Arc<dyn http::HttpOut>,
}

/// Counts the calls of the host by one call of a guest (PLG-3).
#[derive(Debug)]
pub(crate) struct HostCalls {
    left: u32,
    limit: u32,
}

impl HostCalls {
    pub(crate) fn new(limit: u32) -> Self {
        Self { left: limit, limit }
    }

    /// One more. Past the limit the guest is stopped: it had its answers, and ever more calls
    /// are a loop that the CPU limit would see too late.
    pub(crate) fn count(&mut self) -> wasmtime::Result<()> {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(Stop(CallError::TooManyHostCalls { limit: self.limit }).into()),
        }
    }
}

/// Ends the guest with this error: how a limit passes through wasmtime.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct Stop(pub(crate) CallError);
