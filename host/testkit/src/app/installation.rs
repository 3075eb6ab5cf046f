//! A folder with a configuration, in which `overture` is run.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
};

use tempfile::TempDir;
use tokio::process::Command;

/// Where `overture` is installed for one test; the folder goes away with the last of its clones.
#[derive(Clone)]
pub struct Installation {
    binary: PathBuf,
    folder: Arc<TempDir>,
}

/// `overture` as it is released: from `OVERTURE_BIN`, else what cargo built last.
pub fn binary() -> PathBuf {
    find("OVERTURE_BIN", "cargo build -p overture")
}

/// `overture` with the feature `test-clock`: from `OVERTURE_BIN_DRIVEN`, else what cargo built
/// last.
pub fn driven_binary() -> PathBuf {
    let build = "cargo build -p overture --features test-clock";
    find("OVERTURE_BIN_DRIVEN", build)
}

fn find(variable: &str, build: &str) -> PathBuf {
    if let Some(path) = env::var_os(variable) {
        return path.into();
    }
    // Tests lie in target/debug/deps, beside the folder of programs.
    let test = env::current_exe().expect("a process knows its file");
    let built = test.ancestors().nth(2).map(|debug| debug.join("overture"));
    built.filter(|path| path.exists()).unwrap_or_else(|| {
        panic!("there is no overture to test: run `cargo xtask test`, or `{build}` (or name it in {variable})")
    })
}

impl Installation {
    /// A folder with `overture.toml`: `config`, the database at `url`, any free port.
    ///
    /// # Panics
    /// When the folder can't be made.
    pub fn new(binary: PathBuf, config: &str, url: &str) -> Self {
        let tables = format!(
            "{config}\n[database]\nurl = \"{url}\"\n[server]\nlisten = \"127.0.0.1:0\"\nrequests_per_minute = 100000\n[log]\nlevel = \"info\"\n"
        );
        let installation = Self::bare(binary);
        installation.write("overture.toml", &tables);
        installation
    }

    /// An empty folder.
    ///
    /// # Panics
    /// When it can't be made.
    pub fn bare(binary: PathBuf) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        Self {
            binary,
            folder: Arc::new(folder),
        }
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of the folder.
    ///
    /// # Panics
    /// When it can't be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("folders can be made");
        fs::write(&path, content).expect("files can be written");
        path
    }

    /// A command in the folder, with nothing of the test's environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(arguments)
            .env_clear()
            // People of tests live at made-up domains.
            .env("OVERTURE__MAIL__CHECK_ROUTING", "false")
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// The same through another program, such as `/usr/bin/setpriv --reuid=65534`.
    pub fn command_through(&self, through: &[&str], arguments: &[&str]) -> Command {
        let mut command = Command::new(through[0]);
        command
            .args(&through[1..])
            .arg(&self.binary)
            .args(arguments)
            .env_clear()
            // People of tests live at made-up domains.
            .env("OVERTURE__MAIL__CHECK_ROUTING", "false")
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs a command to its end.
    pub async fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments), arguments).await
    }
}

/// How a command ended.
#[derive(Clone, Debug)]
pub struct Ran {
    line: String,
    pub ok: bool,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Runs a command to its end.
    ///
    /// # Panics
    /// When it can't be run.
    pub async fn of(mut command: Command, arguments: &[&str]) -> Self {
        let output = command.output().await.expect("overture can be run");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self {
            line: format!("overture {}", arguments.join(" ")),
            ok: output.status.success(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// What it printed.
    ///
    /// # Panics
    /// When it failed.
    pub fn success(&self) -> &str {
        assert!(self.ok, "{} failed:\n{}", self.line, self.stderr);
        &self.stdout
    }

    /// What it wrote to its error output.
    ///
    /// # Panics
    /// When it succeeded.
    pub fn failure(&self) -> &str {
        assert!(
            !self.ok,
            "{} should fail, but says:\n{}",
            self.line, self.stdout
        );
        &self.stderr
    }
}
