//! A host of a lab: its interface `eth0`, its addresses, and the cable to the switch, which can be cut so that both
//! ends notice, or so that none does.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use super::namespace::Namespace;
use super::process::{Ran, run};

/// Port states of bridge(8).
const DISABLED: u8 = 0;
const FORWARDING: u8 = 3;

/// A host; clones are the same host.
#[derive(Clone, Debug)]
pub struct Host {
    name: String,
    address: Ipv4Addr,
    namespace: Rc<Namespace>,
    switch: Rc<Namespace>,
    folder: PathBuf,
}

impl Host {
    pub(super) fn new(
        name: &str,
        address: Ipv4Addr,
        namespace: Namespace,
        switch: Rc<Namespace>,
        folder: PathBuf,
    ) -> Self {
        Self { name: name.to_owned(), address, namespace: Rc::new(namespace), switch, folder }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its own address on `eth0`.
    #[must_use]
    pub const fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Its link-local address on `eth0`, once it has [`Host::add_ipv6`].
    #[must_use]
    pub fn link_local(&self) -> Ipv6Addr {
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 4, self.last())
    }

    /// Its global IPv6 address on `eth0`, once it has [`Host::add_ipv6`].
    #[must_use]
    pub fn global(&self) -> Ipv6Addr {
        Ipv6Addr::new(0x2001, 0xdb8, 4, 0, 0, 0, 0, self.last())
    }

    /// True if this is one of its own addresses.
    #[must_use]
    pub fn is_at(&self, address: IpAddr) -> bool {
        [IpAddr::V4(self.address), self.link_local().into(), self.global().into()].contains(&address)
    }

    /// Where it lives.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Its files; what ends in `.log` there is shown when a test fails.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A program that is to run on it.
    #[must_use]
    pub fn command(&self, line: &[&str]) -> Command {
        let (program, arguments) = line.split_first().unwrap();
        let mut command = self.namespace.command(program);
        command.args(arguments);
        command
    }

    /// Runs a program on it.
    pub fn run(&self, line: &[&str]) -> Ran {
        run(&mut self.command(line))
    }

    /// Runs ip(8) on it.
    pub fn ip(&self, arguments: &str) -> String {
        self.namespace.ip(arguments)
    }

    /// Gives it `eth0`, with a cable to the switch and its own address.
    pub fn attach(&self) {
        let (port, switch, host) = (self.port(), self.switch.name(), self.namespace.name());
        self.switch.ip(&format!("link add {port} netns {switch} type veth peer name eth0 netns {host}"));
        self.switch.ip(&format!("link set {port} master br0 up"));
        self.ip("link set eth0 up");
        self.ip(&format!("address add {}/24 dev eth0", self.address));
    }

    /// Gives `eth0` its IPv6 addresses, and no other: they can be used at once.
    pub fn add_ipv6(&self) {
        self.ip("link set eth0 addrgenmode none");
        self.ip("-6 address flush dev eth0");
        self.ip(&format!("address add {}/64 dev eth0 nodad", self.link_local()));
        self.ip(&format!("address add {}/64 dev eth0 nodad", self.global()));
    }

    /// Takes `eth0` away.
    pub fn detach(&self) {
        self.ip("link delete eth0");
    }

    /// Cuts the cable: no carrier.
    pub fn cut(&self) {
        self.switch.ip(&format!("link set {} down", self.port()));
    }

    /// Mends the cable.
    pub fn mend(&self) {
        self.switch.ip(&format!("link set {} up", self.port()));
    }

    /// Lets nothing through between it and the others; the carrier stays.
    pub fn isolate(&self) {
        self.set_port_state(DISABLED);
    }

    /// Lets everything through again.
    pub fn rejoin(&self) {
        self.set_port_state(FORWARDING);
    }

    /// The IPv4 addresses on all interfaces but `lo`, each with its prefix.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        self.addresses_of("-4")
    }

    /// The IPv6 addresses on all interfaces but `lo`, each with its prefix.
    #[must_use]
    pub fn addresses_v6(&self) -> Vec<String> {
        self.addresses_of("-6")
    }

    /// True if it has the address, with whatever prefix.
    #[must_use]
    pub fn has(&self, address: &str) -> bool {
        let family = if address.contains(':') { "-6" } else { "-4" };
        self.addresses_of(family).iter().any(|net| net.split('/').next() == Some(address))
    }

    fn addresses_of(&self, family: &str) -> Vec<String> {
        let printed = self.run(&["ip", family, "-oneline", "address", "show"]).stdout;
        let words = printed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        words.filter(|words| words.get(1) != Some(&"lo")).map(|words| words[3].to_owned()).collect()
    }

    /// A kernel setting, such as `ipv4/conf/eth0/arp_ignore`.
    #[must_use]
    pub fn setting(&self, path: &str) -> String {
        self.run(&["cat", &format!("/proc/sys/net/{path}")]).stdout.trim().to_owned()
    }

    /// Changes a kernel setting.
    pub fn set(&self, path: &str, value: &str) {
        let ran = self.run(&["sh", "-c", &format!("echo {value} > /proc/sys/net/{path}")]);
        assert_eq!(ran.code, 0, "{path}: {}", ran.stderr);
    }

    /// The MAC address at which it would reach another's address on `eth0`, if it knows one.
    #[must_use]
    pub fn neighbour(&self, address: &str) -> Option<String> {
        let printed = self.ip(&format!("neighbour show {address} dev eth0"));
        let mut words = printed.split_whitespace().skip_while(|word| *word != "lladdr");
        words.nth(1).map(str::to_owned)
    }

    /// MAC address of `eth0`.
    #[must_use]
    pub fn mac(&self) -> String {
        self.run(&["cat", "/sys/class/net/eth0/address"]).stdout.trim().to_owned()
    }

    /// What a web server says to this host, if it does within a second.
    #[must_use]
    pub fn fetch(&self, address: &str) -> Option<String> {
        self.fetch_within(address, Duration::from_secs(1))
    }

    /// What a web server says to this host, if it does in this time.
    #[must_use]
    pub fn fetch_within(&self, address: &str, limit: Duration) -> Option<String> {
        let limit = limit.as_secs_f64().to_string();
        let url =
            if address.contains(':') { format!("http://[{address}]/") } else { format!("http://{address}/") };
        let ran = self.run(&["curl", "--silent", "--max-time", &limit, &url]);
        (ran.code == 0).then(|| ran.stdout.trim().to_owned())
    }

    /// The command that cuts the cable, for a program to run.
    #[must_use]
    pub fn command_to_cut(&self) -> String {
        format!("ip -n {} link set {} down", self.switch.name(), self.port())
    }

    fn last(&self) -> u16 {
        self.address.octets()[3].into()
    }

    /// Its end of the cable at the switch.
    fn port(&self) -> String {
        format!("s-{}", self.name)
    }

    fn set_port_state(&self, state: u8) {
        let (switch, port, state) = (self.switch.name(), self.port(), state.to_string());
        let ran =
            run(Command::new("bridge").args(["-n", switch, "link", "set", "dev", &port, "state", &state]));
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
}
