//! What was seen of the host's interfaces, as values: the observed half of every reconcile. Must not look itself.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use vipkit_config::Address;
use vipkit_core::arp::Mac;

/// An address as the kernel keeps it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Address and prefix length; with a peer, the length of the peer's prefix.
    pub net: IpNet,
    /// The other end of a point-to-point link.
    pub peer: Option<IpAddr>,
    /// How far it is known (`RT_SCOPE_*`); over IPv6 the kernel decides: 0.
    pub scope: u8,
    /// Its label, where that is not the name of the interface.
    pub label: Option<String>,
    /// A route to its prefix comes with it.
    pub prefix_route: bool,
}

impl Entry {
    /// An address that is nothing but one.
    #[must_use]
    pub const fn plain(net: IpNet) -> Self {
        Self { net, peer: None, scope: 0, label: None, prefix_route: true }
    }

    /// As the configuration wants it on an interface.
    #[must_use]
    pub fn wanted(address: &Address) -> Self {
        let peer = address.peer.filter(|peer| peer.addr() != address.net.addr());
        let prefix = peer.map_or(address.net.prefix_len(), |peer| peer.prefix_len());
        Self {
            net: IpNet::new(address.net.addr(), prefix).unwrap_or(address.net),
            peer: peer.map(|peer| peer.addr()),
            scope: if address.net.addr().is_ipv4() { address.scope.number() } else { 0 },
            label: address.label.clone(),
            prefix_route: address.prefix_route,
        }
    }
}

/// An address on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// The address.
    pub entry: Entry,
    /// It lives in the subnet of an earlier address and may go with it (IFA_F_SECONDARY; IPv4 only).
    pub secondary: bool,
    /// It carries this program's mark (IFA_PROTO): a hint, since replacing the address erases it.
    pub marked: bool,
    /// Nothing may be sent from it: duplicate address detection has not ended, or has failed (IPv6).
    pub unusable: bool,
}

impl Present {
    /// The address and its prefix.
    #[must_use]
    pub const fn net(&self) -> IpNet {
        self.entry.net
    }
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
    /// Largest packet, in bytes.
    pub mtu: u32,
    /// Kind of a link that is made (IFLA_INFO_KIND).
    pub kind: Option<String>,
    /// Index of the interface it lies on.
    pub parent: Option<u32>,
    /// Whose it is, in its maker's words (IFLA_IFALIAS).
    pub alias: Option<String>,
    /// Its addresses, in the kernel's order.
    pub addresses: Vec<Present>,
}

impl Interface {
    /// The entries with this address, whatever their prefixes.
    pub fn entries(&self, address: IpAddr) -> impl Iterator<Item = &Present> {
        self.addresses.iter().filter(move |present| present.net().addr() == address)
    }

    /// The primary address: the first IPv4 address that is not `excluded` (a VIP that we put there).
    #[must_use]
    pub fn primary_v4(&self, excluded: impl Fn(IpNet) -> bool) -> Option<Ipv4Addr> {
        let own = self.addresses.iter().filter(|p| !p.secondary && !excluded(p.net()));
        own.map(|p| p.net().addr()).find_map(|address| match address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        })
    }

    /// The first usable link-local address that is not `excluded` (a VIP that we put there).
    #[must_use]
    pub fn link_local(&self, excluded: impl Fn(IpNet) -> bool) -> Option<Ipv6Addr> {
        let own = self.addresses.iter().filter(|p| !p.unusable && !excluded(p.net()));
        own.map(|p| p.net().addr()).find_map(|address| match address {
            IpAddr::V6(address) if address.is_unicast_link_local() => Some(address),
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        })
    }
}

/// The host's interfaces by name.
pub type Interfaces = BTreeMap<String, Interface>;
