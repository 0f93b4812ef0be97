//! What a daemon tells of itself, whatever its job.

use std::io;
use std::path::{Path, PathBuf};

use vipkit_config::Config;
use vipkit_control::common::Running;
use vipkit_core::epoch::Epoch;
use vipkit_core::units::Mono;

use crate::clock::{WallClock, now};
use crate::log::{Dropped, Log};

/// The running daemon and the configuration it runs on.
#[derive(Debug)]
pub struct Identity {
    version: &'static str,
    started: Mono,
    config_path: PathBuf,
    node: String,
    digest: String,
    log_records_dropped: Dropped,
    wall_clock: WallClock,
}

impl Identity {
    /// A daemon of this version that starts now; call [`configured`](Self::configured) before it is shown.
    ///
    /// # Errors
    /// The configuration's path is relative, and the working directory is gone.
    pub fn new(version: &'static str, config_path: &Path, log: &Log) -> io::Result<Self> {
        Ok(Self {
            version,
            started: now(),
            config_path: std::path::absolute(config_path)?,
            node: String::new(),
            digest: String::new(),
            log_records_dropped: log.dropped(),
            wall_clock: WallClock::default(),
        })
    }

    /// It goes over to this configuration.
    pub fn configured(&mut self, config: &Config) {
        self.node = config.node.name.clone().unwrap_or_else(host_name);
        self.digest = config.digest.to_string();
    }

    /// The configuration's path, absolute.
    #[must_use]
    pub fn config_path(&self) -> &Path {
        &self.config_path
    }

    /// The configuration's digest.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Wall time of the moment zero, for all that is shown.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.wall_clock.epoch()
    }

    /// As it is shown.
    #[must_use]
    pub fn running(&self) -> Running {
        Running {
            node: self.node.clone(),
            version: self.version.to_owned(),
            pid: std::process::id(),
            started: self.epoch().time(self.started),
            config: self.config_path.display().to_string(),
            digest: self.digest.clone(),
            log_records_dropped: self.log_records_dropped.count(),
        }
    }
}

/// The host's name, from memory: /proc is no disk.
fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}
