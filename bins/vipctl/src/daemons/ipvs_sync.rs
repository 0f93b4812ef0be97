//! ipvs-sync, and how it is asked for its services.

use vipkit_config::SERVICES_MAX;
use vipkit_control::call::NoParameters;
use vipkit_control::client::{Client, ClientError};
use vipkit_control::ipvs::{self, GetDaemonReply, GetReply, ListReply, Service};

use super::object::{self, Object};
use super::{Daemon, Reloaded, Seen};
use crate::render::watch::Story;

/// ipvs-sync.
pub const ROW: Daemon = Daemon {
    name: "ipvs-sync",
    has_work: |config| !config.services.is_empty(),
    running: |client| daemon(client).map(|daemon| daemon.running),
    look: |client| Ok(Seen::Ipvs { daemon: daemon(client)?, services: object::all(client)? }),
    reload: |client| client.call(ipvs::RELOAD, &NoParameters {}).map(Reloaded::Ipvs),
    monitor: ipvs::MONITOR,
    story: || Box::new(Story::<Service>::default()),
};

/// What it says of itself.
///
/// # Errors
/// Those of a call.
pub fn daemon(client: &mut Client) -> Result<ipvs::Daemon, ClientError> {
    client.call(ipvs::GET_DAEMON, &NoParameters {}).map(|GetDaemonReply { daemon }| daemon)
}

impl Object for Service {
    const NOUN: &'static str = "service";
    const COMMAND: &'static str = "services";
    const LIST: &'static str = ipvs::LIST;
    const GET: &'static str = ipvs::GET;
    const NO_SUCH: &'static str = ipvs::NO_SUCH_SERVICE;
    const MOST: usize = SERVICES_MAX;
    type Page = ListReply;
    type One = GetReply;

    fn name(&self) -> &str {
        &self.name
    }

    fn page(ListReply { services, cursor }: ListReply) -> (Vec<Self>, Option<String>) {
        (services, cursor)
    }

    fn one(GetReply { service }: GetReply) -> Self {
        service
    }
}
