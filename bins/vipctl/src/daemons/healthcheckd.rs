//! healthcheckd, and how it is asked for its checks.

use vipkit_config::{CHECKS_MAX, SERVERS_TOTAL_MAX};
use vipkit_control::call::NoParameters;
use vipkit_control::client::{Client, ClientError};
use vipkit_control::health::{self, Check, GetDaemonReply, GetReply, ListReply};

use super::object::{self, Object};
use super::{Daemon, Reloaded, Seen};
use crate::render::watch::Story;

/// healthcheckd.
pub const ROW: Daemon = Daemon {
    name: "healthcheckd",
    has_work: |config| !config.checks.is_empty(),
    running: |client| daemon(client).map(|daemon| daemon.running),
    look: |client| Ok(Seen::Health { daemon: daemon(client)?, checks: object::all(client)? }),
    reload: |client| client.call(health::RELOAD, &NoParameters {}).map(Reloaded::Health),
    monitor: health::MONITOR,
    story: || Box::new(Story::<Check>::default()),
};

fn daemon(client: &mut Client) -> Result<health::Daemon, ClientError> {
    client.call(health::GET_DAEMON, &NoParameters {}).map(|GetDaemonReply { daemon }| daemon)
}

impl Object for Check {
    const NOUN: &'static str = "check";
    const COMMAND: &'static str = "health";
    const LIST: &'static str = health::LIST;
    const GET: &'static str = health::GET;
    const NO_SUCH: &'static str = health::NO_SUCH_CHECK;
    const MOST: usize = CHECKS_MAX + SERVERS_TOTAL_MAX;
    type Page = ListReply;
    type One = GetReply;

    fn name(&self) -> &str {
        &self.name
    }

    fn page(ListReply { checks, cursor }: ListReply) -> (Vec<Self>, Option<String>) {
        (checks, cursor)
    }

    fn one(GetReply { check }: GetReply) -> Self {
        check
    }
}
