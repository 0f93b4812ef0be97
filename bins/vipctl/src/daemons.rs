//! The daemons that vipctl knows, one row each, and how each is asked for what they all have: what runs, how it is,
//! and a reload. Must not print or judge.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use vipkit_config::INSTANCES_MAX;
use vipkit_control::call::NoParameters;
use vipkit_control::client::{Client, ClientError};
use vipkit_control::vrrp::{self, GetDaemonReply, Instance, ListParameters, ListReply, ReloadReply};

use crate::failure::Unreachable;
use crate::link::Target;

/// A daemon, and how it is asked.
#[derive(Debug)]
pub struct Daemon {
    /// Its name, which is that of its socket and unit.
    pub name: &'static str,
    /// What runs.
    pub running: fn(&mut Client) -> Result<vrrp::Daemon, ClientError>,
    /// All there is to see.
    pub look: fn(&mut Client) -> Result<Seen, ClientError>,
    /// Lets it read the configuration again.
    pub reload: fn(&mut Client) -> Result<ReloadReply, ClientError>,
}

/// vrrpd, for what only it can be asked.
pub const VRRPD: Daemon = Daemon { name: "vrrpd", running, look, reload };

/// All of them, in the order in which they are reloaded.
pub const DAEMONS: &[Daemon] = &[VRRPD];

impl Daemon {
    /// Its socket.
    #[must_use]
    pub fn target(&self) -> Target {
        Target::daemon(self.name)
    }

    /// Asks how it is.
    #[must_use]
    pub fn report(&self, timeout: Duration) -> Report {
        let target = self.target();
        let seen = target
            .connect(timeout)
            .and_then(|mut client| (self.look)(&mut client).map_err(|error| target.unreachable(&error)));
        Report { name: self.name, socket: target.path().to_owned(), seen }
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

/// What a daemon said.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Seen {
    /// The daemon itself.
    pub daemon: vrrp::Daemon,
    /// Its instances by name.
    pub instances: Vec<Instance>,
}

fn running(client: &mut Client) -> Result<vrrp::Daemon, ClientError> {
    client.call(vrrp::GET_DAEMON, &NoParameters {}).map(|GetDaemonReply { daemon }| daemon)
}

fn look(client: &mut Client) -> Result<Seen, ClientError> {
    Ok(Seen { daemon: running(client)?, instances: instances(client)? })
}

fn reload(client: &mut Client) -> Result<ReloadReply, ClientError> {
    client.call(vrrp::RELOAD, &NoParameters {})
}

/// All instances, page by page.
///
/// # Errors
/// Those of a call; the list does not end.
pub fn instances(client: &mut Client) -> Result<Vec<Instance>, ClientError> {
    let mut all = Vec::new();
    let mut asked = ListParameters::default();
    // A page holds one at least.
    for _ in 0..=INSTANCES_MAX {
        let ListReply { instances, cursor } = client.call(vrrp::LIST, &asked)?;
        all.extend(instances);
        if cursor.is_none() {
            return Ok(all);
        }
        asked.cursor = cursor;
    }
    Err(ClientError::Io(io::Error::other("the list of instances does not end")))
}
