//! A director: a host with all three daemons, each run as its own user with a socket that was made for it, as under
//! systemd, and the table of its kernel as ipvsadm(8) shows it.

use std::rc::Rc;

use super::daemon::{Daemon, HEALTHCHECKD, IPVS_SYNC, Kind, VRRPD};
use super::host::Host;
use super::installation::Installation;
use super::process::Ran;

/// The daemons in the order in which they are started.
const KINDS: [Kind; 3] = [HEALTHCHECKD, IPVS_SYNC, VRRPD];

/// A director.
#[derive(Debug)]
pub struct Director {
    installation: Rc<Installation>,
    daemons: [Daemon; 3],
}

impl Director {
    /// One on which all of them run.
    #[must_use]
    pub fn started(host: &Host, config: &str) -> Self {
        let mut director = Self::new(host, config);
        director.daemons.iter_mut().for_each(Daemon::start);
        director
    }

    /// One on which nothing runs yet.
    #[must_use]
    pub fn new(host: &Host, config: &str) -> Self {
        let programs = KINDS.map(|kind| kind.name);
        let installation = Rc::new(Installation::new(host, "vipkit", &programs, config));
        let daemons = KINDS.map(|kind| Daemon::with_socket(kind, installation.clone()));
        Self { installation, daemons }
    }

    /// Its host.
    #[must_use]
    pub fn host(&self) -> &Host {
        self.installation.host()
    }

    /// One of its daemons by name.
    pub fn daemon(&mut self, name: &str) -> &mut Daemon {
        self.daemons.iter_mut().find(|daemon| daemon.name() == name).expect("the name of a daemon")
    }

    /// Ends all of them by SIGKILL.
    pub fn kill(&mut self) {
        self.daemons.iter_mut().for_each(Daemon::kill);
    }

    /// Writes the configuration of all of them; what runs does not notice.
    pub fn configure(&self, config: &str) {
        self.installation.configure(config);
    }

    /// Runs vipctl on it, as root.
    pub fn vipctl(&self, arguments: &[&str]) -> Ran {
        self.installation.vipctl(arguments)
    }

    /// The table of its kernel.
    #[must_use]
    pub fn table(&self) -> Vec<String> {
        table(self.host())
    }
}

/// The table of a host's kernel: a line for each service and server, as `ipvsadm -Sn` prints them, in order.
#[must_use]
pub fn table(host: &Host) -> Vec<String> {
    let ran = host.run(&["ipvsadm", "-S", "-n"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let mut lines: Vec<String> = ran.stdout.lines().map(|line| line.trim().to_owned()).collect();
    lines.sort();
    lines
}
