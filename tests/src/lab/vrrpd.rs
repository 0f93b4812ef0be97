//! vrrpd on a host, with what can be asked of it.

use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use vipkit_control::client::ClientError;
use vipkit_control::common::ListParameters;
use vipkit_control::vrrp::{self, Instance, ListReply, ReloadReply, State};

use super::daemon::{Daemon, Kind, VRRPD};
use super::host::Host;
use super::installation::Installation;

/// What vrrpd is allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// Everything.
    Root,
    /// CAP_NET_ADMIN and CAP_NET_RAW, with a user id of its own.
    TwoCapabilities,
}

impl Privilege {
    const fn kind(self) -> Kind {
        match self {
            Self::Root => VRRPD.as_root(),
            Self::TwoCapabilities => VRRPD,
        }
    }
}

/// A vrrpd, running or not.
#[derive(Debug)]
pub struct Vrrpd(Daemon);

impl Vrrpd {
    /// One that runs.
    #[must_use]
    pub fn started(host: &Host, privilege: Privilege, config: &str) -> Self {
        let mut vrrpd = Self::new(host, privilege, config);
        vrrpd.start();
        vrrpd
    }

    /// One that does not run yet.
    #[must_use]
    pub fn new(host: &Host, privilege: Privilege, config: &str) -> Self {
        Self::named(host, "vrrpd", privilege, config)
    }

    /// One whose files and log have this name on its host.
    #[must_use]
    pub fn named(host: &Host, name: &str, privilege: Privilege, config: &str) -> Self {
        let installation = Installation::new(host, name, &[VRRPD.name], config);
        Self(Daemon::new(privilege.kind(), Rc::new(installation)))
    }

    /// One that does not run yet, of an installation that has other daemons too: it is given its socket.
    #[must_use]
    pub fn beside_others(installation: Rc<Installation>, privilege: Privilege) -> Self {
        Self(Daemon::with_socket(privilege.kind(), installation))
    }

    /// Its instances by name.
    ///
    /// # Errors
    /// It does not answer.
    pub fn instances(&self) -> Result<Vec<Instance>, ClientError> {
        self.call(vrrp::LIST, &ListParameters::default()).map(|ListReply { instances, .. }| instances)
    }

    /// Its instance, or the first of them.
    #[must_use]
    pub fn instance(&self) -> Instance {
        self.instances().unwrap().into_iter().next().expect("an instance")
    }

    /// An instance by its name.
    #[must_use]
    pub fn instance_named(&self, name: &str) -> Instance {
        self.instances().unwrap().into_iter().find(|instance| instance.name == name).expect("that instance")
    }

    /// The state of its instance, if it answers.
    #[must_use]
    pub fn state(&self) -> Option<State> {
        self.instances().ok()?.first().map(|instance| instance.state)
    }

    /// A counter of its instance.
    #[must_use]
    pub fn counter(&self, name: &str) -> u64 {
        self.instance().counters[name]
    }

    /// Has it read its configuration again, through its socket.
    ///
    /// # Errors
    /// It does not answer, or refuses the configuration.
    pub fn reload(&self) -> Result<ReloadReply, ClientError> {
        self.0.reload()
    }

    /// Removes the file in which it keeps what it must remember.
    ///
    /// # Panics
    /// There is none.
    pub fn lose_ledger(&self) {
        self.lose("ledger.json");
    }
}

impl Deref for Vrrpd {
    type Target = Daemon;

    fn deref(&self) -> &Daemon {
        &self.0
    }
}

impl DerefMut for Vrrpd {
    fn deref_mut(&mut self) -> &mut Daemon {
        &mut self.0
    }
}
