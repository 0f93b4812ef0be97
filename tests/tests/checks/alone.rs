//! healthcheckd alone on a host, with a folder for what checks read and write. Must not know a kind of check.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use vipkit_control::health::{Check, State};
use vipkit_tests::lab::Lab;
use vipkit_tests::lab::daemon::HEALTHCHECKD;
use vipkit_tests::lab::healthcheckd::Healthcheckd;
use vipkit_tests::lab::host::Host;

/// For what happens at once, on a busy machine. A run that is new may come ten seconds after the start.
pub const SOON: Duration = Duration::from_secs(15);
/// What starts may be late by, on a busy machine.
pub const LATE: Duration = Duration::from_secs(1);

/// The host.
pub struct Alone {
    pub healthcheckd: Healthcheckd,
    pub host: Host,
    /// Dropped last: it removes the host.
    pub lab: Lab,
}

impl Alone {
    /// One that runs, configured for a folder of this host.
    pub fn started(config: impl FnOnce(&Path) -> String) -> Self {
        let mut alone = Self::new(config);
        alone.healthcheckd.start();
        alone
    }

    /// One that does not run yet.
    pub fn new(config: impl FnOnce(&Path) -> String) -> Self {
        let lab = Lab::new();
        let host = lab.host("lvs", 5);
        let folder = host.folder().join("files");
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
        let healthcheckd = Healthcheckd::new(HEALTHCHECKD, &host, &config(&folder));
        Self { healthcheckd, host, lab }
    }

    /// A file that scripts may write.
    pub fn file(&self, name: &str) -> PathBuf {
        self.host.folder().join("files").join(name)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.healthcheckd.figures().running.pid
    }

    /// Waits until a check is shown as it should be.
    pub fn wait_for(&self, name: &str, what: &str, limit: Duration, is_so: impl Fn(&Check) -> bool) -> Check {
        let mut shown = self.healthcheckd.check(name);
        self.lab.wait(&format!("{name} {what}"), limit, || {
            shown = self.healthcheckd.check(name);
            is_so(&shown)
        });
        shown
    }

    /// Waits until this is what was found.
    pub fn wait_for_state(&self, name: &str, state: State, limit: Duration) -> Check {
        self.wait_for(name, &format!("is {state:?}"), limit, |check| check.state == state)
    }

    /// Reloads by `vipctl reload`.
    ///
    /// # Panics
    /// If that is refused.
    pub fn reload(&self, config: &str) {
        self.healthcheckd.configure(config);
        let ran = self.healthcheckd.vipctl(&["reload"]);
        assert_eq!(ran.code, 0, "{ran:?}");
    }
}

/// How often the only run of a check was done.
pub fn rounds(check: &Check) -> u64 {
    let counters = &check.runs[0].counters;
    counters["passed"] + counters["failed"] + counters["could_not_run"]
}
