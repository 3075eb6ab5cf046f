//! The Debian package, put together by `dpkg-deb`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{output, run};
use crate::workspace::Workspace;

use super::{copy, packaging};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Builds the package; its path.
pub(super) fn build(workspace: &Workspace, dist: &Path, program: &Path) -> Result<PathBuf> {
    let stage = dist.join("stage");
    if stage.exists() {
        fs::remove_dir_all(&stage).with_context(|| stage.display().to_string())?;
    }
    let from = packaging(workspace);
    copy(program, &stage.join("usr/bin/overture"), 0o755)?;
    let unit = stage.join("lib/systemd/system/overture.service");
    copy(&from.join("overture.service"), &unit, 0o644)?;
    let settings = stage.join("etc/overture/overture.toml");
    copy(&from.join("overture.toml"), &settings, 0o640)?;
    let docs = stage.join("usr/share/doc/overture");
    copy(&workspace.path("LICENSE"), &docs.join("copyright"), 0o644)?;
    for page in ["CONFIG.md", "LOGGING.md", "METRICS.md", "OPERATIONS.md"] {
        let page = (workspace.path("host/docs").join(page), docs.join(page));
        copy(&page.0, &page.1, 0o644)?;
    }
    for script in ["postinst", "prerm", "postrm"] {
        let to = stage.join("DEBIAN").join(script);
        copy(&from.join(script), &to, 0o755)?;
    }
    let architecture = output(Command::new("dpkg").arg("--print-architecture"))
        .context("dpkg is needed to make a Debian package")?;
    let architecture = architecture.trim();
    let kib = size_of(&stage)?.div_ceil(1024);
    let control = format!(
        "Package: overture\nVersion: {VERSION}\nArchitecture: {architecture}\nSection: mail\nPriority: optional\n\
         Maintainer: Overture <overture@example.com>\nInstalled-Size: {kib}\n\
         Depends: libc6 (>= {}), libgcc-s1, passwd, libc-bin\nRecommends: ca-certificates\nSuggests: postgresql-client\n\
         Description: self-hosted outreach platform\n \
         Cold-email campaigns with safety caps, mailboxes and replies, driven over a REST\n \
         API. Everything that talks to the outside world is a plugin in a sandbox.\n",
        glibc(program)?
    );
    fs::write(stage.join("DEBIAN/control"), control)?;
    fs::write(
        stage.join("DEBIAN/conffiles"),
        "/etc/overture/overture.toml\n",
    )?;
    let package = dist.join(format!("overture_{VERSION}_{architecture}.deb"));
    run(Command::new("dpkg-deb")
        .args(["--root-owner-group", "--build"])
        .arg(&stage)
        .arg(&package))?;
    Ok(package)
}

/// The newest version of glibc that the program asks for.
fn glibc(program: &Path) -> Result<String> {
    let references = output(Command::new("objdump").arg("-p").arg(program))
        .context("objdump comes with binutils: apt-get install binutils")?;
    newest_glibc(&references)
        .context("the program asks for no version of glibc: is it a static one?")
}

fn newest_glibc(references: &str) -> Option<String> {
    // By this name a program asks for a glibc that reads packed relocations.
    let references = references.replace("GLIBC_ABI_DT_RELR", "GLIBC_2.36");
    let versions = references.split("GLIBC_").skip(1).filter_map(|rest| {
        let version = rest
            .split(|c: char| !c.is_ascii_digit() && c != '.')
            .next()?;
        let numbers: Option<Vec<u32>> = version.split('.').map(|n| n.parse().ok()).collect();
        Some((numbers?, version.to_owned()))
    });
    versions.max().map(|(_, version)| version)
}

fn size_of(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        bytes += match (kind.is_dir(), kind.is_file()) {
            (true, _) => size_of(&entry.path())?,
            (_, true) => entry.metadata()?.len(),
            _ => bail!("{} is neither file nor folder", entry.path().display()),
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::newest_glibc;

    #[test]
    fn the_newest_version_is_by_number() {
        let references = "0x1 0x00 02 GLIBC_2.9\n0x2 0x00 03 GLIBC_2.34\n0x3 0x00 04 GLIBC_2.2.5\n";
        assert_eq!(newest_glibc(references).as_deref(), Some("2.34"));
        let packed = format!("{references}0x4 0x00 05 GLIBC_ABI_DT_RELR\n");
        assert_eq!(newest_glibc(&packed).as_deref(), Some("2.36"));
        assert_eq!(newest_glibc("nothing"), None);
    }
}
