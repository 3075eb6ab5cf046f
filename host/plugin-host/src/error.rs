//! Why a plugin was not loaded, and why a call of one failed. Every text is written for the
//! plugin's author or the admin: what happened, and what to do.

use std::time::Duration;

use overture_domain::Timestamp;
use overture_plugin_pack::{Kind, PackError};

/// Why a file did not become a plugin of this host.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// No component, no manifest, or a manifest that can't be used.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// Empty, a text, an archive...
    #[error(
        "this is no WebAssembly file; a plugin is the .wasm file that `overture plugin pack` made"
    )]
    NotWasm,
    /// The file is damaged: cut off, or bytes changed.
    #[error("the file is damaged ({0}); get it again, or pack it anew with `overture plugin pack`")]
    Damaged(String),
    /// An interface that no host of this version has.
    #[error(
        "the plugin imports `{import}`, which this host does not have; it offers \
         overture:plugin@{host}: {offered}. {fix}"
    )]
    UnknownImport {
        /// The import as the component writes it.
        import: String,
        /// The version that this host speaks.
        host: &'static str,
        /// The interfaces that a plugin of these kinds may import.
        offered: String,
        /// What to do about it.
        fix: String,
    },
    /// An interface that exists, but that the manifest doesn't ask for (PLG-2).
    #[error(
        "the plugin imports `{import}`, but its plugin.toml does not ask for it; add {ask}, \
         or stop using it in the plugin"
    )]
    NotAsked {
        /// The import as the component writes it.
        import: String,
        /// What to write into `plugin.toml`.
        ask: &'static str,
    },
    /// An interface that plugins of this kind never get (PLG-2).
    #[error(
        "the plugin imports `{import}`, but a {kind} may import only {offered}; \
         remove the call from the plugin"
    )]
    NotForKind {
        /// The import as the component writes it.
        import: String,
        /// The kind that the manifest names.
        kind: Kind,
        /// What it may import.
        offered: String,
    },
    /// A function that the guest imports and this host lacks.
    #[error(
        "the plugin imports `{function}` of overture:plugin@{plugin}, this host speaks \
         overture:plugin@{host} and does not have it; update the host, or build the plugin with \
         the SDK for {host}"
    )]
    UnknownFunction {
        /// `http.send`.
        function: String,
        /// The version in the component.
        plugin: String,
        /// The version of this host.
        host: &'static str,
    },
    /// An imported function has another shape than the host's.
    #[error(
        "what the plugin imports does not fit this host (overture:plugin@{host}): {problem}; \
         build it with the SDK for {host}"
    )]
    ImportMismatch {
        /// The version of this host.
        host: &'static str,
        /// The words of the linker.
        problem: String,
    },
    /// A kind that the manifest names, but that the component doesn't export.
    #[error(
        "plugin.toml says kind \"{kind}\", but the component does not export \
         `overture:plugin/{kind}@{host}`{found}; build it with the SDK for {host}"
    )]
    KindMissing {
        /// The kind.
        kind: Kind,
        /// The version of this host.
        host: &'static str,
        /// " (it exports …)" where it exports something alike.
        found: String,
    },
    /// An exported function is missing or has another shape.
    #[error(
        "`{interface}` of the plugin does not fit this host (overture:plugin@{host}): {problem}; \
         build it with the SDK for {host}"
    )]
    ExportMismatch {
        /// `overture:plugin/formatter@0.1.0`.
        interface: String,
        /// The version of this host.
        host: &'static str,
        /// The words of the linker.
        problem: String,
    },
    /// It needs more memory, tables or instances at its start than any call may have (PLG-3).
    #[error(
        "the plugin needs {needs} {what} to start, the limit is {limit}; \
         build it smaller, or let the admin raise the limit"
    )]
    TooBig {
        /// "bytes of memory", "instances".
        what: &'static str,
        /// What it needs.
        needs: u64,
        /// What it may have.
        limit: u64,
    },
    /// The compiler gave up.
    #[error("the plugin can't be compiled: {0}")]
    Compile(String),
    /// The host itself could not be set up.
    #[error("the plugin host can't start: {0}")]
    Host(String),
}

/// Why a call of a plugin brought no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CallError {
    /// No plugin of this id is loaded.
    #[error("no plugin `{0}` is loaded; see `overture plugin list`")]
    UnknownPlugin(String),
    /// The plugin exists, but it is of another kind.
    #[error("the plugin `{plugin}` is no {kind}")]
    WrongKind {
        /// The plugin's id.
        plugin: String,
        /// What it was called as.
        kind: Kind,
    },
    /// The guest panicked.
    #[error("the plugin panicked: {message}")]
    Panicked {
        /// What the guest's panic said, with file and line where the SDK tells them.
        message: String,
    },
    /// The guest trapped.
    #[error("the plugin crashed: {what}{}", at(frames))]
    Trap {
        /// The trap in words.
        what: String,
        /// The guest's innermost functions, if it carries their names.
        frames: Vec<String>,
    },
    /// The guest called itself until its stack was used up.
    #[error(
        "the plugin used up its stack: it calls itself without end, or goes too deep{}",
        at(frames)
    )]
    StackOverflow {
        /// The guest's innermost functions, if it carries their names.
        frames: Vec<String>,
    },
    /// From call to answer it took longer than it may (PLG-3).
    #[error("the plugin did not answer within {}", seconds(limit))]
    Timeout {
        /// The limit.
        limit: Duration,
    },
    /// It computed longer than it may (PLG-3).
    #[error(
        "the plugin computed longer than {}: an endless loop, or too much work for one call",
        seconds(limit)
    )]
    CpuLimit {
        /// The limit.
        limit: Duration,
    },
    /// It wanted more memory than it may have (PLG-3).
    #[error(
        "the plugin wanted {} MiB of memory, its limit is {} MiB",
        mib(wanted),
        mib(limit)
    )]
    MemoryLimit {
        /// Bytes wanted in all.
        wanted: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// What it was to be given is larger than it may get (PLG-3).
    #[error("the plugin was to be given {size} bytes, its limit is {limit}")]
    InputTooLarge {
        /// Bytes of the input.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// It answered, or passed to the host, more bytes at once than it may (PLG-3).
    #[error("the plugin passed more than {limit} bytes to the host at once; answer less")]
    OutputTooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// It called the host more often than it may (PLG-3).
    #[error("the plugin called the host more than {limit} times; ask for more in one call")]
    TooManyHostCalls {
        /// The limit.
        limit: u32,
    },
    /// It answered something that makes no sense.
    #[error("the plugin gave a bad answer: {what}")]
    BadAnswer {
        /// What is wrong with it.
        what: String,
    },
    /// It says that its settings can't be used. No fault of the plugin.
    #[error("the plugin can't use its settings: {0}")]
    InvalidSettings(String),
    /// It says that the event is not what its kind promises. No fault of the plugin.
    #[error("the plugin can't use the event: {0}")]
    InvalidEvent(String),
    /// It failed so often in a row that it rests (PLG-3).
    #[error(
        "the plugin is in quarantine until {until} after {failures} failures in a row, \
         the last: {last}"
    )]
    Quarantined {
        /// When it is tried again.
        until: Timestamp,
        /// How many failures in a row.
        failures: u32,
        /// The text of the last failure.
        last: String,
    },
}

impl CallError {
    /// Whether the guest had begun: then it may have done anything.
    pub fn was_called(&self) -> bool {
        !matches!(
            self,
            Self::UnknownPlugin(_)
                | Self::WrongKind { .. }
                | Self::InputTooLarge { .. }
                | Self::Quarantined { .. }
        )
    }

    /// A code that stays the same when texts change.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownPlugin(_) => "plugin_unknown",
            Self::WrongKind { .. } => "plugin_wrong_kind",
            Self::Panicked { .. } => "plugin_panicked",
            Self::Trap { .. } => "plugin_trap",
            Self::StackOverflow { .. } => "plugin_stack_overflow",
            Self::Timeout { .. } => "plugin_timeout",
            Self::CpuLimit { .. } => "plugin_cpu_limit",
            Self::MemoryLimit { .. } => "plugin_memory_limit",
            Self::InputTooLarge { .. } => "plugin_input_too_large",
            Self::OutputTooLarge { .. } => "plugin_output_too_large",
            Self::TooManyHostCalls { .. } => "plugin_too_many_host_calls",
            Self::BadAnswer { .. } => "plugin_bad_answer",
            Self::InvalidSettings(_) => "plugin_invalid_settings",
            Self::InvalidEvent(_) => "plugin_invalid_event",
            Self::Quarantined { .. } => "plugin_quarantined",
        }
    }

    /// The plugin did something wrong: this counts toward its quarantine (PLG-3).
    pub fn is_fault(&self) -> bool {
        match self {
            Self::Panicked { .. }
            | Self::Trap { .. }
            | Self::StackOverflow { .. }
            | Self::Timeout { .. }
            | Self::CpuLimit { .. }
            | Self::MemoryLimit { .. }
            | Self::OutputTooLarge { .. }
            | Self::TooManyHostCalls { .. }
            | Self::BadAnswer { .. } => true,
            Self::UnknownPlugin(_)
            | Self::WrongKind { .. }
            | Self::InputTooLarge { .. }
            | Self::InvalidSettings(_)
            | Self::InvalidEvent(_)
            | Self::Quarantined { .. } => false,
        }
    }
}

fn at(frames: &[String]) -> String {
    match frames {
        [] => String::new(),
        frames => format!(" in {}", frames.join(" < ")),
    }
}

fn seconds(limit: &Duration) -> String {
    if limit.subsec_nanos() == 0 {
        format!("{} s", limit.as_secs())
    } else {
        format!("{} ms", limit.as_millis())
    }
}

fn mib(bytes: &u64) -> String {
    let tenths = bytes.saturating_mul(10).div_ceil(1 << 20);
    match tenths % 10 {
        0 => format!("{}", tenths / 10),
        tenth => format!("{}.{tenth}", tenths / 10),
    }
}
