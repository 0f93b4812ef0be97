//! The memory on disk: /var/lib/vipkit/realserver.json, `VIPKIT_STATE_DIR` moves it. One vipctl at a time.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use vipkit_control::common::Notice;
use vipkit_linux::state_file;

use super::memory::Memory;

/// Environment variable that names another folder.
pub const STATE_DIR_VARIABLE: &str = "VIPKIT_STATE_DIR";
const STATE_DIR: &str = "/var/lib/vipkit";
/// Most bytes of a memory: two settings of some thousands of interfaces.
const BYTES_MAX: usize = 4 << 20;

/// The memory's place, as long as it is ours.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    _lock: File,
}

impl Store {
    /// Takes it.
    ///
    /// # Errors
    /// Another vipctl has it, or the folder cannot be used.
    pub fn open() -> Result<Self, Notice> {
        let folder = env::var_os(STATE_DIR_VARIABLE).map_or_else(|| STATE_DIR.into(), PathBuf::from);
        let lock = fs::create_dir_all(&folder)
            .and_then(|()| state_file::claim(&folder.join("realserver.lock")))
            .map_err(|error| unusable(&folder, &error))?;
        let lock = lock.ok_or_else(|| Notice {
            what: "another `vipctl realserver` is at work".to_owned(),
            remedy: "wait for its end, and try again".to_owned(),
        })?;
        Ok(Self { path: folder.join("realserver.json"), _lock: lock })
    }

    /// What is remembered; `None` if there is nothing, or nothing that can be read.
    ///
    /// # Errors
    /// The file system's.
    pub fn read(&self) -> Result<Option<Memory>, Notice> {
        match state_file::read(&self.path, BYTES_MAX) {
            Ok(bytes) => Ok(bytes.and_then(|bytes| Memory::parse(&bytes))),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Ok(None),
            Err(error) => Err(unusable(&self.path, &error)),
        }
    }

    /// Remembers; nothing to remember is no file.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&self, memory: &Memory) -> Result<(), Notice> {
        let written = if *memory == Memory::default() {
            match fs::remove_file(&self.path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                removed => removed,
            }
        } else {
            memory.to_bytes().map_err(io::Error::from).and_then(|bytes| state_file::write(&self.path, &bytes))
        };
        written.map_err(|error| unusable(&self.path, &error))
    }
}

fn unusable(path: &Path, error: &io::Error) -> Notice {
    Notice {
        what: format!("{}: {error}: how the settings were cannot be remembered", path.display()),
        remedy: format!("make the folder writable, or name another in {STATE_DIR_VARIABLE}"),
    }
}
