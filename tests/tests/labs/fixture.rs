//! The network of the tutorial, for all scenarios: two web servers that share an address, and a client.

use std::rc::Rc;
use std::time::Duration;

use vipkit_control::vrrp::State;
use vipkit_tests::lab::Lab;
use vipkit_tests::lab::daemon::{Daemon, HEALTHCHECKD, VRRPD};
use vipkit_tests::lab::host::Host;
use vipkit_tests::lab::installation::Installation;
use vipkit_tests::lab::vrrpd::{Privilege, Vrrpd};
use vipkit_tests::lab::web_server::WebServer;

/// The address that they share.
pub const VIP: &str = "192.168.4.80";
/// And over IPv6, with [`LINK_LOCAL_VIP`] before it.
pub const VIP_V6: &str = "2001:db8:4::80";
/// The first address over IPv6.
pub const LINK_LOCAL_VIP: &str = "fe80::80";
/// Advertisement_Interval, unless a scenario says otherwise.
pub const INTERVAL: Duration = Duration::from_secs(1);
/// What a busy machine may need above what the formulas say.
pub const SLACK: Duration = Duration::from_secs(1);
/// One announcement of each address, and no later one to wait for.
pub const ONCE: &str = "garp = { repeat = 1, delay = '0s' }";
/// For what has no formula.
pub const SOON: Duration = Duration::from_secs(2);

/// The network.
pub struct Pair {
    _web_servers: Vec<WebServer>,
    pub web1: Host,
    pub web2: Host,
    pub client: Host,
    /// Dropped last: it removes the hosts.
    pub lab: Lab,
}

impl Pair {
    pub fn new() -> Self {
        let pair = Self::without_web_servers();
        Self { _web_servers: [&pair.web1, &pair.web2].map(WebServer::on).into(), ..pair }
    }

    /// One whose hosts serve nothing yet.
    pub fn without_web_servers() -> Self {
        let lab = Lab::new();
        let (web1, web2, client) = (lab.host("web1", 100), lab.host("web2", 200), lab.host("client", 5));
        Self { _web_servers: Vec::new(), web1, web2, client, lab }
    }

    /// One whose hosts speak IPv6 too.
    pub fn with_ipv6() -> Self {
        let pair = Self::new();
        [&pair.web1, &pair.web2, &pair.client].into_iter().for_each(Host::add_ipv6);
        pair
    }

    /// Waits until this host alone has the VIP. This wait and the others say how long they took.
    pub fn wait_for_holder(&self, host: &Host, limit: Duration) -> Duration {
        self.wait_for_holder_of(VIP, host, limit)
    }

    /// Waits until this host alone has an address.
    pub fn wait_for_holder_of(&self, address: &str, host: &Host, limit: Duration) -> Duration {
        let what = format!("{address} is on {} alone", host.name());
        self.lab.wait(&what, limit, || self.lab.holders(address) == [host.name()])
    }

    /// Waits until this host answers the client at the VIP.
    pub fn wait_for_answer(&self, host: &Host, limit: Duration) -> Duration {
        self.wait_for_answer_at(VIP, host, limit)
    }

    /// Waits until this host answers the client at an address.
    pub fn wait_for_answer_at(&self, address: &str, host: &Host, limit: Duration) -> Duration {
        let what = format!("{} answers at {address}", host.name());
        let own = host.address().to_string();
        self.lab.wait(&what, limit, || self.client.fetch(address).as_ref() == Some(&own))
    }

    /// Waits until a vrrpd is in a state.
    pub fn wait_for_state(&self, vrrpd: &Vrrpd, state: State, limit: Duration) -> Duration {
        let what = format!("vrrpd on {} is {state:?}", vrrpd.host().name());
        self.lab.wait(&what, limit, || vrrpd.state() == Some(state))
    }
}

/// A host whose vrrpd follows its healthcheckd.
pub struct Node {
    pub healthcheckd: Daemon,
    pub vrrpd: Vrrpd,
}

impl Node {
    /// Nothing runs on it yet.
    pub fn new(host: &Host, privilege: Privilege, config: &str) -> Self {
        let programs = [HEALTHCHECKD.name, VRRPD.name];
        let installation = Rc::new(Installation::new(host, "vipkit", &programs, config));
        let healthcheckd = Daemon::with_socket(HEALTHCHECKD, installation.clone());
        Self { healthcheckd, vrrpd: Vrrpd::beside_others(installation, privilege) }
    }

    pub fn started(host: &Host, privilege: Privilege, config: &str) -> Self {
        let mut node = Self::new(host, privilege, config);
        node.healthcheckd.start();
        node.vrrpd.start();
        node
    }

    /// The exit code of `vipctl status`.
    pub fn status(&self) -> i32 {
        self.vrrpd.vipctl(&["status"]).code
    }
}

/// One instance for the VIP, `web`, with these keys more.
pub fn config(priority: u8, keys: &str) -> String {
    instance("web", 51, &[&format!("{VIP}/24")], &format!("priority = {priority}\n{keys}"))
}

/// One instance for the IPv6 VIPs, `six`, with these keys more.
pub fn config_v6(priority: u8, keys: &str) -> String {
    let addresses = [LINK_LOCAL_VIP, VIP_V6].map(|address| format!("{address}/64"));
    let addresses = addresses.each_ref().map(String::as_str);
    instance("six", 51, &addresses, &format!("priority = {priority}\n{keys}"))
}

/// One instance.
pub fn instance(name: &str, vrid: u8, addresses: &[&str], keys: &str) -> String {
    format!(
        "[vrrp.{name}]\ninterface = 'eth0'\nvirtual_router_id = {vrid}\naddresses = {addresses:?}\n{keys}\n"
    )
}

/// Active_Down_Interval at one second (RFC 9568 §6.1), and what a busy machine may need to show it.
pub fn takeover(priority: u8) -> Duration {
    INTERVAL * 3 + skew(priority) + SLACK * 2
}

/// Skew_Time at one second (RFC 9568 §6.1).
pub fn skew(priority: u8) -> Duration {
    INTERVAL * (256 - u32::from(priority)) / 256
}
