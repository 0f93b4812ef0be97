//! A host of a lab: its interface `eth0`, its addresses, and the cable to the switch, which can be cut so that both
//! ends notice, or so that none does.

use std::net::Ipv4Addr;
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

    /// The addresses on all interfaces but `lo`, each with its prefix.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        let printed = self.run(&["ip", "-4", "-oneline", "address", "show"]).stdout;
        let words = printed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        words.filter(|words| words.get(1) != Some(&"lo")).map(|words| words[3].to_owned()).collect()
    }

    /// True if it has the address, with whatever prefix.
    #[must_use]
    pub fn has(&self, address: &str) -> bool {
        self.addresses().iter().any(|net| net.split('/').next() == Some(address))
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
        let ran = self.run(&["curl", "--silent", "--max-time", &limit, &format!("http://{address}/")]);
        (ran.code == 0).then(|| ran.stdout.trim().to_owned())
    }

    /// The command that cuts the cable, for a program to run.
    #[must_use]
    pub fn command_to_cut(&self) -> String {
        format!("ip -n {} link set {} down", self.switch.name(), self.port())
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
