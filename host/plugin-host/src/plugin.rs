//! A plugin as the host holds it: checked, compiled, with what it may do.

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use overture_plugin_pack::{Kind, Manifest};
use wasmtime::component::InstancePre;

use crate::{
    breaker::{Breaker, Quarantine},
    classifier::ClassifierExports,
    error::CallError,
    formatter::FormatterExports,
    grants::Grants,
    limits::Limits,
    mail_provider::MailProviderExports,
    network_provider::NetworkProviderExports,
    runtime::Class,
    state::{GuestState, Policy},
    stats::{Counters, Stats},
};

/// Where a plugin came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It travels inside the binary.
    Embedded,
    /// A file in `plugins.folder`.
    File(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => f.write_str("built in"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// What is known about a loaded plugin.
#[derive(Clone, Debug)]
pub struct PluginInfo {
    /// What it says about itself.
    pub manifest: Manifest,
    /// SHA-256 of its file, in hex.
    pub digest: String,
    /// Where it came from.
    pub origin: Origin,
    /// What it may do.
    pub grants: Grants,
    /// What one call may use.
    pub limits: Limits,
    /// What its calls cost, and how they ended.
    pub stats: Stats,
    /// Where it rests at present (PLG-3).
    pub quarantines: Vec<Quarantine>,
}

/// One loaded plugin.
pub(crate) struct Plugin {
    pub(crate) id: Arc<str>,
    pub(crate) manifest: Manifest,
    pub(crate) digest: String,
    pub(crate) origin: Origin,
    pub(crate) class: Class,
    pub(crate) code: InstancePre<GuestState>,
    pub(crate) exports: Exports,
    pub(crate) policy: RwLock<Arc<Policy>>,
    pub(crate) breaker: Breaker,
    pub(crate) stats: Counters,
}

impl Plugin {
    pub(crate) fn policy(&self) -> Arc<Policy> {
        self.policy
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn set_policy(&self, policy: Policy) {
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(policy);
    }
}

/// The functions of a plugin, for each kind that it is.
pub(crate) struct Exports {
    pub(crate) plugin: Arc<str>,
    pub(crate) formatter: Option<FormatterExports>,
    pub(crate) classifier: Option<ClassifierExports>,
    pub(crate) mail_provider: Option<MailProviderExports>,
    pub(crate) network_provider: Option<NetworkProviderExports>,
}

impl Exports {
    pub(crate) fn formatter(&self) -> Result<&FormatterExports, CallError> {
        self.formatter
            .as_ref()
            .ok_or_else(|| self.wrong(Kind::Formatter))
    }

    pub(crate) fn classifier(&self) -> Result<&ClassifierExports, CallError> {
        self.classifier
            .as_ref()
            .ok_or_else(|| self.wrong(Kind::Classifier))
    }

    pub(crate) fn mail_provider(&self) -> Result<&MailProviderExports, CallError> {
        self.mail_provider
            .as_ref()
            .ok_or_else(|| self.wrong(Kind::MailProvider))
    }

    pub(crate) fn network_provider(&self) -> Result<&NetworkProviderExports, CallError> {
        self.network_provider
            .as_ref()
            .ok_or_else(|| self.wrong(Kind::NetworkProvider))
    }

    fn wrong(&self, kind: Kind) -> CallError {
        CallError::WrongKind {
            plugin: self.plugin.to_string(),
            kind,
        }
    }
}
