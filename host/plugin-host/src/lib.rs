//! Sandboxes for plugins: wasmtime, grants, limits, one module per capability (PLG-1..3).
//!
//! [`PluginHost::load`] takes a file that `overture plugin pack` made, reads its manifest, checks
//! its imports against what the manifest asks for and its exports against its kinds, compiles it
//! or finds it in the [`CodeCache`], and runs nothing of it. Then a typed handle calls it:
//!
//! ```text
//! host.formatter("format-slack")?.format(workspace, &event, &context).await
//! host.classifier("classifier-rules")?.classify(workspace, &message, &context).await
//! host.mail_provider("provider-smtp")?.send(workspace, account, outgoing).await
//! host.network_provider("provider-example")?.invite(workspace, &account, profile, note).await
//! ```
//!
//! Every call has a sandbox of its own, which ends with it: a fresh store from a pool, under
//! [`Limits`] of memory, CPU, time, bytes, calls and log lines. However a guest ends, the host
//! and the next call are untouched, and the caller gets a [`CallError`] with a stable code.
//! A plugin that fails again and again in a workspace rests there for a while.
//!
//! What guests may ask of the host stands in [`capabilities`]: this crate counts, cuts and checks
//! grants, the engine implements the small traits behind them. A refusal is a value in the
//! guest, never a trap.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`host`](PluginHost) | the loaded plugins, grants, limits, handles |
//! | `formatter`, `classifier`, `mail_provider`, `network_provider` | the calls of each kind and their records |
//! | `inspect`, `report` | loading: manifest, imports, exports; [`check`] |
//! | `call`, `meter`, `limiter` | one call and its limits |
//! | `runtime` | engines, pools, the epoch's ticker |
//! | `cache` | compiled code on disk |
//! | `breaker`, `stats` | quarantine and numbers |

mod bindings;
mod breaker;
mod cache;
mod call;
pub mod capabilities;
mod classifier;
mod compiler;
mod error;
mod exports;
mod formatter;
mod grants;
mod host;
mod inspect;
mod limiter;
mod limits;
mod mail_provider;
mod meter;
mod network_provider;
mod plugin;
mod report;
mod runtime;
mod state;
mod stats;
mod types;

pub use breaker::Quarantine;
pub use cache::CodeCache;
pub use capabilities::{Scope, Services};
pub use classifier::{Classifier, ClassifyContext, Verdict};
pub use compiler::{Compiler, compile};
pub use error::{CallError, LoadError};
pub use formatter::{FormatContext, Formatted, Formatter};
pub use grants::Grants;
pub use host::{HostConfig, PluginHost};
pub use inspect::{WIT_VERSION, manifest};
pub use limits::Limits;
pub use mail_provider::{
    AuthKind, Incoming, Leg, LegProblem, MailProvider, Preset, Problem, SendOutcome, Sent, Server,
    Signal, SignalKind, SyncPage, TlsMode,
};
pub use network_provider::{
    Acceptance, AccountState, AccountStatus, Done, Invited, NetworkAccount, NetworkPage,
    NetworkProblem, NetworkProvider, NetworkSignal, Profile, Received,
};
pub use plugin::{Origin, PluginInfo};
pub use report::{Report, check};
pub use runtime::Class;
pub use stats::Stats;
pub use types::{Address, Attachment, Channel, Event, Header, Label, Message};

/// What plugins say about themselves, as `overture-plugin-pack` reads it.
pub use overture_plugin_pack::{Capabilities, Kind, Manifest};
