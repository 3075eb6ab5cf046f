//! The folder that a demo lives in: only one that the demo itself made is ever emptied.

use std::{
    fs,
    io::{ErrorKind, Write as _},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use overture_domain::CampaignId;
use serde::{Deserialize, Serialize};

/// The file that marks a folder as the demo's.
const MARK: &str = "demo.json";

/// A folder of the demo.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

/// What a demo remembers of itself, once it is complete.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Made {
    /// For who tries it; it opens nothing but this demo.
    pub api_key: String,
    pub campaign: CampaignId,
}

#[derive(Deserialize, Serialize)]
struct Mark {
    /// For who finds the file.
    note: String,
    made: Option<Made>,
}

impl Folder {
    /// A folder of the demo, made where there is none; what it holds already, if it was completed.
    /// What an interrupted start has left goes away.
    ///
    /// # Errors
    /// For a folder with something else in it, or where nothing can be written.
    pub fn open(path: &Path) -> Result<(Self, Option<Made>)> {
        let folder = Self {
            path: path.to_owned(),
        };
        let made = match folder.mark()? {
            Some(Mark {
                made: Some(made), ..
            }) => Some(made),
            Some(_) => {
                folder.empty()?;
                None
            }
            None => None,
        };
        if made.is_none() {
            fs::create_dir_all(path).with_context(|| folder.unusable("can't be made"))?;
            folder.write(None)?;
        }
        Ok((folder, made))
    }

    /// Takes away what a demo has left in a folder.
    ///
    /// # Errors
    /// For a folder that the demo did not make.
    pub fn clear(path: &Path) -> Result<()> {
        let folder = Self {
            path: path.to_owned(),
        };
        match folder.mark()? {
            Some(_) => folder.empty(),
            None => Ok(()),
        }
    }

    /// Remembers that the demo is complete.
    ///
    /// # Errors
    /// When nothing can be written.
    pub fn complete(&self, made: &Made) -> Result<()> {
        self.write(Some(made.clone()))
    }

    /// The mark; None for a folder that is empty or isn't there.
    fn mark(&self) -> Result<Option<Mark>> {
        match fs::read_to_string(self.path.join(MARK)) {
            Ok(text) => {
                let mark = serde_json::from_str(&text);
                let unreadable = || format!("{} can't be read", self.path.join(MARK).display());
                return Ok(Some(mark.with_context(unreadable)?));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| self.unusable("can't be read")),
        }
        match fs::read_dir(&self.path) {
            Ok(mut entries) => {
                ensure!(
                    entries.next().is_none(),
                    "{} holds something that the demo did not make, and it stays as it is: name another folder with --data",
                    self.path.display()
                );
                Ok(None)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                bail!(
                    "{} is no folder: name another one with --data",
                    self.path.display()
                )
            }
            Err(error) => Err(error).with_context(|| self.unusable("can't be read")),
        }
    }

    /// Everything but the mark goes first, so that a removal that breaks off can be repeated.
    fn empty(&self) -> Result<()> {
        let context = || self.unusable("can't be emptied");
        for entry in fs::read_dir(&self.path).with_context(context)? {
            let entry = entry.with_context(context)?;
            if entry.file_name() == MARK {
                continue;
            }
            let is_folder = entry.file_type().with_context(context)?.is_dir();
            let removed = match is_folder {
                true => fs::remove_dir_all(entry.path()),
                false => fs::remove_file(entry.path()),
            };
            removed.with_context(context)?;
        }
        fs::remove_file(self.path.join(MARK)).with_context(context)
    }

    fn write(&self, made: Option<Made>) -> Result<()> {
        let mark = Mark {
            note: "Made by `overture demo`; `overture demo --fresh` deletes this folder."
                .to_owned(),
            made,
        };
        let context = || self.unusable("can't be written to");
        let path = self.path.join(MARK);
        let fresh = path.with_extension("json.new");
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)
            .with_context(context)?;
        file.write_all(&serde_json::to_vec_pretty(&mark)?)
            .with_context(context)?;
        file.sync_all().with_context(context)?;
        fs::rename(&fresh, &path).with_context(context)
    }

    fn unusable(&self, why: &str) -> String {
        format!(
            "the folder {} {why} (name another one with --data)",
            self.path.display()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> Made {
        Made {
            api_key: "ws_x".to_owned(),
            campaign: "cmp_01jnq9x1c4fz3bcx5p4xh8sg4m".parse().expect("an id"),
        }
    }

    #[test]
    fn only_a_folder_of_the_demo_is_emptied() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("data");
        let (folder, found) = Folder::open(&path).unwrap();
        assert!(found.is_none());
        folder.complete(&made()).unwrap();
        fs::write(path.join("overture.db"), "x").unwrap();
        fs::create_dir(path.join("plugins")).unwrap();
        assert_eq!(Folder::open(&path).unwrap().1.unwrap().api_key, "ws_x");
        Folder::clear(&path).unwrap();
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);

        fs::write(path.join("overture.db"), "somebody's").unwrap();
        for refused in [
            Folder::clear(&path).unwrap_err(),
            Folder::open(&path).unwrap_err(),
        ] {
            assert!(refused.to_string().contains("did not make"), "{refused:#}");
        }
        assert!(path.join("overture.db").exists());
    }

    #[test]
    fn an_interrupted_start_begins_anew() {
        let outer = tempfile::tempdir().unwrap();
        Folder::open(outer.path()).unwrap();
        fs::write(outer.path().join("overture.db"), "half").unwrap();
        assert!(Folder::open(outer.path()).unwrap().1.is_none());
        assert!(!outer.path().join("overture.db").exists());
    }
}
