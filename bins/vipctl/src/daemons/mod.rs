//! The daemons that vipctl knows, one row each and one file for each row: how it is asked for what they all have, that
//! is what runs, how it is, a reload and a stream. Must not judge.

pub mod healthcheckd;
pub mod ipvs_sync;
pub mod object;
pub mod vrrpd;

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use vipkit_config::Config;
use vipkit_control::client::{Client, ClientError};
use vipkit_control::common::Running;
use vipkit_control::{health, ipvs, vrrp};

use crate::failure::Unreachable;
use crate::link::Target;
use crate::render::watch::Tell;

/// A daemon, and how it is asked.
#[derive(Debug)]
pub struct Daemon {
    /// Its name, which is that of its socket and unit.
    pub name: &'static str,
    /// Whether it has something to do under a configuration.
    pub has_work: fn(&Config) -> bool,
    /// What runs.
    pub running: fn(&mut Client) -> Result<Running, ClientError>,
    /// All there is to see.
    pub look: fn(&mut Client) -> Result<Seen, ClientError>,
    /// Lets it read the configuration again.
    pub reload: fn(&mut Client) -> Result<Reloaded, ClientError>,
    /// Its method that streams what changes.
    pub monitor: &'static str,
    /// Who tells that stream as text.
    pub story: fn() -> Box<dyn Tell>,
}

/// All of them, in the order in which they are reloaded: what is checked, what is balanced, who holds the address.
pub static DAEMONS: &[Daemon] = &[healthcheckd::ROW, ipvs_sync::ROW, vrrpd::ROW];

impl Daemon {
    /// Its socket.
    #[must_use]
    pub fn target(&self) -> Target {
        Target::daemon(self.name)
    }

    /// Connects, and asks one thing.
    ///
    /// # Errors
    /// It cannot be asked.
    pub fn ask<T>(
        &self,
        timeout: Duration,
        question: fn(&mut Client) -> Result<T, ClientError>,
    ) -> Result<T, Unreachable> {
        let target = self.target();
        let mut client = target.connect(timeout)?;
        question(&mut client).map_err(|error| target.unreachable(&error))
    }
}

/// What was seen of a daemon, or why nothing was.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Its name.
    pub name: &'static str,
    /// Its socket.
    pub socket: PathBuf,
    /// What it said.
    pub seen: Result<Seen, Unreachable>,
}

/// What a daemon said: itself, and its objects by name.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Seen {
    /// `io.vipkit.Health`
    Health {
        /// The daemon.
        daemon: health::Daemon,
        /// Its checks.
        checks: Vec<health::Check>,
    },
    /// `io.vipkit.Ipvs`
    Ipvs {
        /// The daemon.
        daemon: ipvs::Daemon,
        /// Its services.
        services: Vec<ipvs::Service>,
    },
    /// `io.vipkit.Vrrp`
    Vrrp {
        /// The daemon.
        daemon: vrrp::Daemon,
        /// Its instances.
        instances: Vec<vrrp::Instance>,
    },
}

impl Seen {
    /// What all daemons say of themselves.
    #[must_use]
    pub const fn running(&self) -> &Running {
        match self {
            Self::Health { daemon, .. } => &daemon.running,
            Self::Ipvs { daemon, .. } => &daemon.running,
            Self::Vrrp { daemon, .. } => &daemon.running,
        }
    }
}

/// What a daemon did when it read the configuration again.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Reloaded {
    /// `io.vipkit.Health`
    Health(health::ReloadReply),
    /// `io.vipkit.Ipvs`
    Ipvs(ipvs::ReloadReply),
    /// `io.vipkit.Vrrp`
    Vrrp(vrrp::ReloadReply),
}

impl Reloaded {
    /// Of the configuration now in force.
    #[must_use]
    pub fn digest(&self) -> &str {
        match self {
            Self::Health(reply) => &reply.digest,
            Self::Ipvs(reply) => &reply.digest,
            Self::Vrrp(reply) => &reply.digest,
        }
    }
}
