//! vipkit as it is installed on a host: programs, a configuration, and the folders of sockets and state that its
//! daemons share. What runs of it is in `daemon`.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::binary;
use super::host::Host;
use super::process::{Ran, run};

/// A user that has no rights at all.
const STRANGER: &str = "61235";

/// An installation.
#[derive(Debug)]
pub struct Installation {
    host: Host,
    folder: PathBuf,
}

impl Installation {
    /// Makes one of these programs and vipctl. `name` is that of its folder on the host.
    #[must_use]
    pub fn new(host: &Host, name: &str, programs: &[&str], config: &str) -> Self {
        let installation = Self { host: host.clone(), folder: host.folder().join(name) };
        let folders = [installation.folder(), &installation.runtime_folder(), &installation.state_folder()];
        for folder in folders {
            DirBuilder::new().mode(0o755).create(folder).unwrap();
        }
        // Their users need not be able to reach the folder that they were built in.
        for program in programs.iter().chain(&["vipctl"]) {
            let (from, to) = (binary(program), installation.program(program));
            fs::hard_link(&from, &to).or_else(|_| fs::copy(&from, &to).map(drop)).unwrap();
        }
        installation.configure(config);
        installation
    }

    /// Writes its configuration; what runs does not notice.
    pub fn configure(&self, config: &str) {
        fs::write(self.config_path(), config).unwrap();
    }

    /// Its configuration.
    #[must_use]
    pub fn config_path(&self) -> PathBuf {
        self.folder.join("vipkit.toml")
    }

    /// Its host.
    #[must_use]
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Folder of the sockets.
    #[must_use]
    pub fn runtime_folder(&self) -> PathBuf {
        self.folder.join("run")
    }

    /// Folder of the folders in which daemons keep what they must remember.
    #[must_use]
    pub fn state_folder(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// One of its programs.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A program that knows where the folders are. `before` is what comes before it on the line.
    #[must_use]
    pub fn command(&self, before: &[&str], program: &Path) -> Command {
        let line = [before, &[program.to_str().unwrap()]].concat();
        let mut command = self.host.command(&line);
        command.env("VIPKIT_RUNTIME_DIR", self.runtime_folder()).env("VIPKIT_STATE_DIR", self.state_folder());
        command
    }

    /// Runs vipctl for it, as root.
    pub fn vipctl(&self, arguments: &[&str]) -> Ran {
        run(self.command(&[], &self.program("vipctl")).args(arguments))
    }

    /// Runs vipctl for it as a user who has no rights.
    pub fn vipctl_as_stranger(&self, arguments: &[&str]) -> Ran {
        self.vipctl_as(STRANGER, STRANGER, arguments)
    }

    /// Runs vipctl for it as a user in a group.
    pub fn vipctl_as(&self, user: &str, group: &str, arguments: &[&str]) -> Ran {
        let user = ["setpriv", "--reuid", user, "--regid", user, "--groups", group];
        run(self.command(&user, &self.program("vipctl")).args(arguments))
    }

    /// Gives a folder or file to a user.
    pub fn give(&self, path: &Path, uid: u32) {
        chown(path, Some(uid), Some(uid)).unwrap();
    }
}
