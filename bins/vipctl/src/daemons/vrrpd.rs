//! vrrpd, and how it is asked for its instances.

use std::io;

use vipkit_config::INSTANCES_MAX;
use vipkit_control::call::NoParameters;
use vipkit_control::client::{Client, ClientError};
use vipkit_control::vrrp::{
    self, GetDaemonReply, GetReply, Instance, ListAddressesParameters, ListAddressesReply, ListReply,
};

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

/// Most pages of addresses of an instance; a page holds one at least.
const PAGES_MAX: usize = 4096;

/// What it says of itself.
///
/// # Errors
/// Those of a call.
pub fn daemon(client: &mut Client) -> Result<vrrp::Daemon, ClientError> {
    client.call(vrrp::GET_DAEMON, &NoParameters {}).map(|GetDaemonReply { daemon }| daemon)
}

/// Gives the instance all of its addresses, if it has only the first of them.
///
/// # Errors
/// Those of a call; the list does not end.
pub fn complete(client: &mut Client, instance: &mut Instance) -> Result<(), ClientError> {
    if instance.address_count <= instance.addresses.len() as u64 {
        return Ok(());
    }
    let name = instance.name.clone();
    let mut asked = ListAddressesParameters { name, ..ListAddressesParameters::default() };
    let mut all = Vec::new();
    for _ in 0..PAGES_MAX {
        let page: ListAddressesReply = match client.call(vrrp::LIST_ADDRESSES, &asked) {
            Ok(page) => page,
            // The instance is gone by now, or another program serves that does not have the method.
            Err(ClientError::Refused(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        all.extend(page.addresses);
        asked.cursor = page.cursor;
        if asked.cursor.is_none() {
            instance.address_count = all.len() as u64;
            instance.addresses_present = all.iter().filter(|address| address.present).count() as u64;
            instance.addresses = all;
            return Ok(());
        }
    }
    Err(ClientError::Io(io::Error::other("the list of addresses does not end")))
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
