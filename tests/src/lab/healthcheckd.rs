//! healthcheckd alone on a host, and what vipctl shows of its checks.

use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use serde::de::DeserializeOwned;
use vipkit_control::call::NoParameters;
use vipkit_control::health::{self, Check, GetDaemonReply, ListReply, Report, RunReply};

use super::daemon::{Daemon, HEALTHCHECKD, Kind};
use super::host::Host;
use super::installation::Installation;

/// What the drop-in for marks adds.
pub const MAY_MARK: Kind = HEALTHCHECKD.with_capabilities("-all,+net_raw");

/// A healthcheckd, running or not.
#[derive(Debug)]
pub struct Healthcheckd(Daemon);

impl Healthcheckd {
    /// One that runs, as its unit runs it.
    #[must_use]
    pub fn started(host: &Host, config: &str) -> Self {
        let mut healthcheckd = Self::new(HEALTHCHECKD, host, config);
        healthcheckd.start();
        healthcheckd
    }

    /// One that does not run yet.
    #[must_use]
    pub fn new(kind: Kind, host: &Host, config: &str) -> Self {
        Self(Daemon::new(kind, Rc::new(Installation::new(host, "vipkit", &[kind.name], config))))
    }

    /// Its checks, as `vipctl health --json` shows them.
    #[must_use]
    pub fn checks(&self) -> Vec<Check> {
        self.shown::<ListReply>(&["health", "--json"]).checks
    }

    /// A check, as `vipctl health NAME --json` shows it.
    #[must_use]
    pub fn check(&self, name: &str) -> Check {
        let shown: ListReply = self.shown(&["health", name, "--json"]);
        shown.checks.into_iter().next().expect("the check that was asked for")
    }

    /// Runs a check once by `vipctl health run NAME --json`: how its parts went.
    #[must_use]
    pub fn run(&self, name: &str) -> Vec<Report> {
        self.shown::<RunReply>(&["health", "run", name, "--json"]).reports
    }

    /// What it says of itself.
    #[must_use]
    pub fn figures(&self) -> health::Daemon {
        self.call::<_, GetDaemonReply>(health::GET_DAEMON, &NoParameters {}).unwrap().daemon
    }

    fn shown<T: DeserializeOwned>(&self, arguments: &[&str]) -> T {
        let ran = self.vipctl(arguments);
        let read = serde_json::from_str(&ran.stdout);
        read.unwrap_or_else(|error| panic!("vipctl {arguments:?}: {error}: {ran:?}\n{}", self.log()))
    }
}

impl Deref for Healthcheckd {
    type Target = Daemon;

    fn deref(&self) -> &Daemon {
        &self.0
    }
}

impl DerefMut for Healthcheckd {
    fn deref_mut(&mut self) -> &mut Daemon {
        &mut self.0
    }
}
