use std::path::PathBuf;

/// What can keep a server from starting.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program is not installed.
    #[error("{program} is not installed; this installs it: {install}")]
    Missing {
        program: &'static str,
        install: &'static str,
    },

    /// Dovecot's configuration language changed with 2.4; ours is that of 2.3.
    #[error(
        "Dovecot {found} is installed, but the test kit writes the configuration of Dovecot 2.3 \
         (2.4 has another language); use Debian 12's packages"
    )]
    DovecotVersion { found: String },

    /// Postfix and Dovecot change users, which only root may.
    #[error("Postfix and Dovecot start only as root; run the tests as root, for example with sudo")]
    NeedsRoot,

    /// A system user that a package creates is not there.
    #[error("the system has no user {user}; this creates it: {install}")]
    NoUser {
        user: &'static str,
        install: &'static str,
    },

    /// The servers did not come up in time.
    #[error("{server} did not start:\n{log}")]
    NotStarted { server: &'static str, log: String },

    /// A helper program ended with an error.
    #[error("{command} failed:\n{output}")]
    Failed { command: String, output: String },

    /// A file or process could not be handled.
    #[error("{path}: {source}")]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },

    /// What `OVERTURE_TEST_MAIL` names can't be read.
    #[error("{variable} names {path}, which can't be read: {reason}")]
    Handover {
        variable: &'static str,
        path: PathBuf,
        reason: String,
    },

    /// The process's shared servers failed to start before; the text says why.
    #[error("{0}")]
    Shared(String),
}

impl Error {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
