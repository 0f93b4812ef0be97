//! What was seen of the host's interfaces, as values: the observed half of every reconcile. Must not look itself.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use vipkit_core::arp::Mac;

/// An address on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Present {
    /// Address and prefix length.
    pub net: IpNet,
    /// It lives in the subnet of an earlier address and may go with it (IFA_F_SECONDARY).
    pub secondary: bool,
    /// It carries this program's mark (IFA_PROTO): a hint, since replacing the address erases it.
    pub marked: bool,
}

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// Kernel's index; a new interface of an old name has another.
    pub index: u32,
    /// Link-layer address, if it has one of six bytes.
    pub mac: Option<Mac>,
    /// Switched on (IFF_UP).
    pub up: bool,
    /// It has a carrier.
    pub carrier: bool,
    /// Its addresses, in the kernel's order.
    pub addresses: Vec<Present>,
}

impl Interface {
    /// The entries with this address, whatever their prefixes.
    pub fn entries(&self, address: IpAddr) -> impl Iterator<Item = &Present> {
        self.addresses.iter().filter(move |present| present.net.addr() == address)
    }

    /// The primary address: the first IPv4 address that is not `excluded` (a VIP that we put there).
    #[must_use]
    pub fn primary_v4(&self, excluded: impl Fn(IpNet) -> bool) -> Option<Ipv4Addr> {
        self.addresses.iter().filter(|p| !p.secondary && !excluded(p.net)).find_map(|p| match p.net.addr() {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        })
    }
}

/// The host's interfaces by name.
pub type Interfaces = BTreeMap<String, Interface>;
