use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Where things lie in the checkout.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
}

impl Workspace {
    /// The checkout that this program was built from.
    pub(crate) fn find() -> Result<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here
            .ancestors()
            .nth(2)
            .context("host/xtask lies in a workspace")?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// The workspace of the guests: plugins, SDK, test guests.
    pub(crate) fn guests(&self) -> PathBuf {
        self.path("plugins")
    }

    /// Where cargo builds the host's workspace.
    pub(crate) fn target(&self) -> PathBuf {
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.path("target"), |dir| self.path(dir))
    }

    /// Where the guests' workspace is built, and what is not to be embedded is packed to. Tests
    /// look here, and builds below, wherever cargo builds the host.
    pub(crate) fn guests_target(&self) -> PathBuf {
        self.path("target/guests")
    }

    /// Where the plugins lie that the binary embeds.
    pub(crate) fn packed_plugins(&self) -> PathBuf {
        self.path("target/plugins")
    }

    /// A path as a person would write it, standing in the checkout.
    pub(crate) fn shown<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }
}
