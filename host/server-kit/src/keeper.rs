use std::fs;
use std::ops::Deref;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::{Error, Result};

/// Servers that run as long as this value lives, and how to reach them.
#[derive(Debug)]
pub struct Running<T> {
    reach: T,
    _keeper: Keeper,
}

impl<T> Running<T> {
    pub(crate) fn new(reach: T, keeper: Keeper) -> Self {
        Self {
            reach,
            _keeper: keeper,
        }
    }
}

impl<T> Deref for Running<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.reach
    }
}

/// A process that starts servers, waits until its standard input closes, stops them and removes
/// their directory.
///
/// We hold the other end of that pipe, so it closes when we drop it and also when we are killed:
/// no server outlives us. The keeper is its servers' parent, which makes the process ids that it
/// signals certain.
#[derive(Debug)]
pub(crate) struct Keeper {
    process: Child,
}

/// What the keeper runs; `{start}` and `{stop}` see the directory as `$1`. It ignores the
/// terminal's signals because its parent gets them too and then closes the pipe.
const SCRIPT: &str = r#"
trap '' INT HUP
end() {
    trap '' TERM
    {stop}
    wait
    rm -rf "$1"
}
trap 'end "$1"; exit' TERM
{start}
read -r _
end "$1"
"#;

impl Keeper {
    /// Starts servers whose files lie in `directory`, which the keeper removes in the end.
    pub(crate) fn start(directory: &Path, start: &str, stop: &str) -> Result<Self> {
        let log = directory.join("keeper.log");
        let output = fs::File::create(&log).map_err(Error::io(&log))?;
        let process = Command::new("/bin/sh")
            .arg("-c")
            .arg(SCRIPT.replace("{start}", start).replace("{stop}", stop))
            .arg("keeper")
            .arg(directory)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(output)
            .process_group(0)
            .spawn()
            .map_err(Error::io("/bin/sh"))?;
        Ok(Self { process })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        // Waiting can only fail when somebody else has waited; then there is nothing to wait for.
        let _ = self.process.wait();
    }
}
