//! vrrpd, and how it is asked for its instances.

use vipkit_config::INSTANCES_MAX;
use vipkit_control::call::NoParameters;
use vipkit_control::client::{Client, ClientError};
use vipkit_control::vrrp::{self, GetDaemonReply, GetReply, Instance, ListReply};

use super::object::{self, Object};
use super::{Daemon, Reloaded, Seen};
use crate::render::watch::Story;

/// vrrpd.
pub const ROW: Daemon = Daemon {
    name: "vrrpd",
    has_work: |config| !config.vrrp.is_empty(),
    running: |client| daemon(client).map(|daemon| daemon.running),
    look: |client| Ok(Seen::Vrrp { daemon: daemon(client)?, instances: object::all(client)? }),
    reload: |client| client.call(vrrp::RELOAD, &NoParameters {}).map(Reloaded::Vrrp),
    monitor: vrrp::MONITOR,
    story: || Box::new(Story::<Instance>::default()),
};

fn daemon(client: &mut Client) -> Result<vrrp::Daemon, ClientError> {
    client.call(vrrp::GET_DAEMON, &NoParameters {}).map(|GetDaemonReply { daemon }| daemon)
}

impl Object for Instance {
    const NOUN: &'static str = "instance";
    const COMMAND: &'static str = "vrrp";
    const LIST: &'static str = vrrp::LIST;
    const GET: &'static str = vrrp::GET;
    const NO_SUCH: &'static str = vrrp::NO_SUCH_INSTANCE;
    const MOST: usize = INSTANCES_MAX;
    type Page = ListReply;
    type One = GetReply;

    fn name(&self) -> &str {
        &self.name
    }

    fn page(ListReply { instances, cursor }: ListReply) -> (Vec<Self>, Option<String>) {
        (instances, cursor)
    }

    fn one(GetReply { instance }: GetReply) -> Self {
        instance
    }
}
