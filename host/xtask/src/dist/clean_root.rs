//! The package in a root that holds nothing but what dpkg and its scripts need: installed, its unit
//! verified, the unit's command run as the unit's user, removed.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::command::{announce, output, run};

use super::copy;

/// What the package's scripts call, and what looks at the result.
const PROGRAMS: &[&str] = &[
    "sh", "getent", "useradd", "mkdir", "chown", "chmod", "rm", "cat", "true",
];
/// Packages that are there before, as on every Debian.
const PRESENT: &[&str] = &["libc6", "libgcc-s1", "passwd", "libc-bin"];
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// Installs and runs the package.
pub(super) fn check(package: &Path) -> Result<()> {
    let root = Root::make(&package.with_file_name("root"))?;
    root.dpkg(&["-i"], package.as_os_str().to_str())?;
    let unit = root.0.join("lib/systemd/system/overture.service");
    let unit_text = fs::read_to_string(&unit).with_context(|| unit.display().to_string())?;
    verify(&unit_text)?;
    let mut server = root.serve(&unit_text)?;
    let answered = ask(&server.url, "/readyz");
    let log = server.stop()?;
    let answer = answered.with_context(|| log.clone())?;
    ensure!(answer.ends_with("ok"), "it is not ready: {answer}\n{log}");
    root.belongs_to_its_user("var/lib/overture/overture.db")?;
    root.dpkg(&["--purge"], Some("overture"))?;
    ensure!(
        !root.0.join("usr/bin/overture").exists(),
        "the program stays after its package is gone"
    );
    ensure!(
        root.0.join("var/lib/overture/overture.db").exists(),
        "the data must stay when the package goes"
    );
    println!("the package was installed in a clean root, served as its user, and removed");
    Ok(())
}

/// `systemd-analyze verify`, where systemd is installed.
fn verify(unit: &str) -> Result<()> {
    // It wants the program and the user of the unit on this machine; everything else is as released.
    let own = unit
        .replace("ExecStart=/usr/bin/overture", "ExecStart=/bin/true")
        .replace("User=overture", "User=root")
        .replace("Group=overture", "Group=root")
        .replace("Documentation=file", "# Documentation=file");
    let file = std::env::temp_dir().join(format!("overture-verify-{}.service", std::process::id()));
    fs::write(&file, own)?;
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no"]).arg(&file);
    let shown = announce(&verify);
    let ended = verify.output();
    fs::remove_file(&file)?;
    let ended = match ended {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("the unit is not verified: systemd-analyze is not installed here");
            return Ok(());
        }
        ended => ended.with_context(|| shown.clone())?,
    };
    let said = String::from_utf8_lossy(&ended.stderr);
    // What it says of other units of this machine is not ours.
    let ours: Vec<_> = said
        .lines()
        .filter(|line| line.contains("overture-verify"))
        .collect();
    if !ours.is_empty() || (!ended.status.success() && said.trim().is_empty()) {
        bail!("{shown}: {}", ours.join("\n"));
    }
    println!("systemd-analyze has nothing to say about the unit");
    Ok(())
}

/// A root file system of the bare minimum.
struct Root(PathBuf);

impl Root {
    fn make(folder: &Path) -> Result<Self> {
        let context = || format!("{} can't be made; run it as root", folder.display());
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(context)?;
        }
        for name in [
            "usr/bin",
            "usr/sbin",
            "usr/lib",
            "usr/lib64",
            "etc",
            "tmp",
            "dev",
            "var/lib/dpkg/info",
            "var/lib/dpkg/updates",
            "var/lib/dpkg/triggers",
            "var/log",
        ] {
            fs::create_dir_all(folder.join(name)).with_context(context)?;
        }
        for name in ["bin", "sbin", "lib", "lib64"] {
            std::os::unix::fs::symlink(format!("usr/{name}"), folder.join(name))
                .with_context(context)?;
        }
        let root = Self(folder.to_owned());
        for program in PROGRAMS {
            root.bring(program)?;
        }
        let etc = [
            ("passwd", "root:x:0:0:root:/root:/bin/sh\n"),
            ("group", "root:x:0:\n"),
            ("shadow", "root:*:1::::::\n"),
            ("gshadow", "root:*::\n"),
            (
                "login.defs",
                "SYS_UID_MIN 100\nSYS_UID_MAX 999\nSYS_GID_MIN 100\nSYS_GID_MAX 999\n",
            ),
            (
                "nsswitch.conf",
                "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n",
            ),
            ("hosts", "127.0.0.1 localhost\n"),
            ("resolv.conf", "nameserver 127.0.0.1\n"),
        ];
        for (name, text) in etc {
            fs::write(folder.join("etc").join(name), text).with_context(context)?;
        }
        let null = folder.join("dev/null");
        run(Command::new("mknod")
            .args(["-m", "666"])
            .arg(null)
            .args(["c", "1", "3"]))?;
        let mut status = String::new();
        for package in PRESENT {
            let known = output(Command::new("dpkg-query").args(["-s", package]))?;
            status += known.trim_end();
            status += "\n\n";
        }
        fs::write(folder.join("var/lib/dpkg/status"), status)?;
        Ok(root)
    }

    /// A program of this machine, and the libraries that it loads.
    fn bring(&self, program: &str) -> Result<()> {
        let found = PATH
            .split(':')
            .map(|folder| Path::new(folder).join(program))
            .find(|path| path.exists());
        let found = found.with_context(|| format!("{program} is not installed here"))?;
        let to = self.0.join(found.strip_prefix("/")?);
        copy(&fs::canonicalize(&found)?, &to, 0o755)?;
        let libraries = output(Command::new("ldd").arg(&found))?;
        for library in libraries
            .split_whitespace()
            .filter(|word| word.starts_with('/'))
        {
            let library = Path::new(library);
            let to = self.0.join(library.strip_prefix("/")?);
            if !to.exists() {
                copy(&fs::canonicalize(library)?, &to, 0o755)?;
            }
        }
        Ok(())
    }

    fn dpkg(&self, arguments: &[&str], subject: Option<&str>) -> Result<()> {
        let mut dpkg = Command::new("dpkg");
        dpkg.arg(format!("--root={}", self.0.display()))
            .args(arguments)
            .args(subject)
            .env("PATH", PATH)
            .env("DEBIAN_FRONTEND", "noninteractive");
        run(&mut dpkg)
    }

    /// Runs the unit's command as the unit's user, where the unit says.
    fn serve(&self, unit: &str) -> Result<Server> {
        let setting = |name: &str| {
            let mut lines = unit
                .lines()
                .filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            lines
                .next()
                .with_context(|| format!("the unit has no {name}"))
        };
        // The program's own libraries are not among those of the scripts.
        for library in output(Command::new("ldd").arg(self.0.join("usr/bin/overture")))?
            .split_whitespace()
            .filter(|word| word.starts_with('/'))
        {
            let library = Path::new(library);
            let to = self.0.join(library.strip_prefix("/")?);
            if !to.exists() {
                copy(&fs::canonicalize(library)?, &to, 0o755)?;
            }
        }
        let (user, group) = (setting("User")?, setting("Group")?);
        let script = format!(
            "cd {} && umask {} && exec {}",
            setting("WorkingDirectory")?,
            setting("UMask")?,
            setting("ExecStart")?
        );
        let mut command = Command::new("chroot");
        command
            .arg(format!("--userspec={user}:{group}"))
            .arg(&self.0)
            .args(["/bin/sh", "-c", &script])
            .env_clear()
            .env("PATH", PATH)
            .env("OVERTURE__SERVER__LISTEN", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        announce(&command);
        let mut process = command.spawn().context("chroot can't be run")?;
        let output = process.stdout.take().context("it is a pipe")?;
        let mut first = String::new();
        BufReader::new(output).read_line(&mut first)?;
        let Some(url) = first.trim().strip_prefix("listening on http://") else {
            let mut said = String::new();
            if let Some(mut errors) = process.stderr.take() {
                errors.read_to_string(&mut said)?;
            }
            process.wait()?;
            bail!("the unit's command does not serve: {first}{said}");
        };
        Ok(Server {
            url: url.to_owned(),
            process,
        })
    }

    fn belongs_to_its_user(&self, file: &str) -> Result<()> {
        use std::os::unix::fs::MetadataExt;
        let passwd = fs::read_to_string(self.0.join("etc/passwd"))?;
        let line = passwd
            .lines()
            .find_map(|line| line.strip_prefix("overture:x:"));
        let uid = line.and_then(|rest| rest.split(':').next()?.parse().ok());
        let owner = fs::metadata(self.0.join(file))?;
        ensure!(
            uid.is_some_and(|uid: u32| uid > 0 && uid == owner.uid()),
            "{file} belongs to {}, and overture is {uid:?}",
            owner.uid()
        );
        ensure!(owner.mode() & 0o077 == 0, "{file} can be read by others");
        Ok(())
    }
}

/// The unit's command.
struct Server {
    url: String,
    process: Child,
}

impl Server {
    /// Tells it to stop as systemd does; its log.
    fn stop(&mut self) -> Result<String> {
        let id = self.process.id().to_string();
        run(Command::new("kill").args(["-TERM", &id]))?;
        let mut log = String::new();
        if let Some(mut errors) = self.process.stderr.take() {
            errors.read_to_string(&mut log)?;
        }
        let status = self.process.wait()?;
        ensure!(status.success(), "it does not stop well ({status}):\n{log}");
        Ok(log)
    }
}

/// `GET path`, by hand: this crate has no HTTP client.
fn ask(address: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.trim().to_owned())
}
