//! Files of a daemon's own: what it leaves for its successor, and what lasts until the next boot at most.
//! `VIPKIT_STATE_DIR` and `VIPKIT_RUNTIME_DIR` move them. Touches a disk, so it may wait.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::{env, io};

use thiserror::Error;
use vipkit_control::place::RUNTIME_DIR_VARIABLE;
use vipkit_linux::state_file;

/// Folder of the state files; in it, each daemon has a folder with its name.
const STATE_DIR: &str = "/var/lib/vipkit";
const STATE_DIR_VARIABLE: &str = "VIPKIT_STATE_DIR";

/// What is wrong with a file of the daemon's own.
#[derive(Debug, Error)]
pub enum StateError {
    /// Its folder cannot be made.
    #[error("cannot make {}: make it writable for {daemon}, or set {variable}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Whose it is.
        daemon: &'static str,
        /// What names another.
        variable: &'static str,
        /// Why.
        source: io::Error,
    },
    /// It cannot be claimed.
    #[error("{}", path.display())]
    Claim {
        /// The lock.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is another process's.
    #[error("{} is used by another {daemon}: give each its own {STATE_DIR_VARIABLE}", path.display())]
    InUse {
        /// The lock.
        path: PathBuf,
        /// The daemon.
        daemon: &'static str,
    },
    /// It cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The file that a daemon leaves for its successor.
#[derive(Clone, Debug)]
pub struct StateFile {
    daemon: &'static str,
    path: PathBuf,
}

impl StateFile {
    /// The daemon's file of that name. Nothing happens yet.
    #[must_use]
    pub fn new(daemon: &'static str, name: &str) -> Self {
        let base = env::var_os(STATE_DIR_VARIABLE).map_or_else(|| STATE_DIR.into(), PathBuf::from);
        Self::below(&base, daemon, name)
    }

    fn below(base: &Path, daemon: &'static str, name: &str) -> Self {
        Self { daemon, path: base.join(daemon).join(name) }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps it from other processes of the same daemon, as long as the result lives: two of them would forget each
    /// other's state. Makes the folder.
    ///
    /// # Errors
    /// [`StateError::InUse`], or the file system's.
    pub fn claim(&self) -> Result<File, StateError> {
        make_folder_of(&self.path, self.daemon, STATE_DIR_VARIABLE)?;
        let path = self.path.with_extension("lock");
        match state_file::claim(&path) {
            Ok(Some(claim)) => Ok(claim),
            Ok(None) => Err(StateError::InUse { path, daemon: self.daemon }),
            Err(source) => Err(StateError::Claim { path, source }),
        }
    }

    /// Its contents, `None` if there are none.
    ///
    /// # Errors
    /// More than `max` bytes, or the file system's.
    pub fn read(&self, max: usize) -> io::Result<Option<Vec<u8>>> {
        state_file::read(&self.path, max)
    }

    /// Replaces it as a whole, and makes its folder if that is gone.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&self, contents: &[u8]) -> Result<(), StateError> {
        make_folder_of(&self.path, self.daemon, STATE_DIR_VARIABLE)?;
        state_file::write(&self.path, contents)
            .map_err(|source| StateError::Write { path: self.path.clone(), source })
    }
}

/// Path of the daemon's file of that name on tmpfs, in a folder of its own, which is made.
///
/// # Errors
/// [`StateError::Folder`].
pub fn runtime_file(daemon: &'static str, name: &str) -> Result<PathBuf, StateError> {
    let path = match env::var_os(RUNTIME_DIR_VARIABLE) {
        Some(base) => PathBuf::from(base).join(format!("{daemon}.{name}")),
        None => PathBuf::from(format!("/run/vipkit-{daemon}/{name}")),
    };
    make_folder_of(&path, daemon, RUNTIME_DIR_VARIABLE)?;
    Ok(path)
}

fn make_folder_of(path: &Path, daemon: &'static str, variable: &'static str) -> Result<(), StateError> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder).map_err(|source| StateError::Folder {
        folder: folder.to_owned(),
        daemon,
        variable,
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_even_if_the_folder_went_meanwhile() {
        let base = tempfile::tempdir().unwrap();
        let file = StateFile::below(base.path(), "vrrpd", "ledger.json");
        assert_eq!(file.read(10).unwrap(), None);
        for _ in 0..2 {
            file.write(b"{}").unwrap();
            assert_eq!(fs::read(base.path().join("vrrpd/ledger.json")).unwrap(), b"{}");
            assert_eq!(file.read(2).unwrap().unwrap(), b"{}");
            assert_eq!(file.read(1).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
            fs::remove_dir_all(base.path().join("vrrpd")).unwrap();
        }
    }

    #[test]
    fn a_state_file_has_one_user() {
        let base = tempfile::tempdir().unwrap();
        let file = StateFile::below(base.path(), "vrrpd", "ledger.json");
        let claim = file.claim().unwrap();
        let error = file.claim().unwrap_err();
        let lock = base.path().join("vrrpd/ledger.lock");
        let expected =
            format!("{} is used by another vrrpd: give each its own VIPKIT_STATE_DIR", lock.display());
        assert_eq!(error.to_string(), expected);
        drop(claim);
        file.claim().unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_made_says_what_to_do() {
        let base = tempfile::tempdir().unwrap();
        fs::write(base.path().join("vrrpd"), "").unwrap();
        let error = StateFile::below(base.path(), "vrrpd", "ledger.json").write(b"").unwrap_err().to_string();
        let expected = format!(
            "cannot make {}: make it writable for vrrpd, or set VIPKIT_STATE_DIR",
            base.path().join("vrrpd").display()
        );
        assert_eq!(error, expected);
    }
}
