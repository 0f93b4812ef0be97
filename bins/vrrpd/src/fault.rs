//! What can keep a virtual router out of the election on this host, found by looking at what was observed, with
//! a remedy for each. Nothing here comes from the network: what others send causes no fault.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use vipkit_core::arp::Mac;

use crate::observed::Interface;

/// A local reason to hold a virtual router.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The interface does not exist.
    NoInterface,
    /// The interface is switched off.
    InterfaceDown,
    /// No cable, no peer at its other end.
    NoCarrier,
    /// No address to send adverts from.
    NoSource,
    /// A virtual address is on the interface, and somebody else put it there.
    ForeignAddress(IpNet),
    /// The kernel does not let vrrpd put the addresses there.
    Refused(String),
    /// The sockets on the interface could not be made.
    Socket(String),
}

impl Fault {
    /// What is wrong, on the interface of this name.
    #[must_use]
    pub fn what(&self, interface: &str) -> String {
        match self {
            Self::NoInterface => format!("interface {interface} does not exist"),
            Self::InterfaceDown => format!("interface {interface} is down"),
            Self::NoCarrier => format!("interface {interface} has no carrier"),
            Self::NoSource => format!("interface {interface} has no IPv4 address of its own to send from"),
            Self::ForeignAddress(net) => {
                format!("{net} is on {interface} already, and vrrpd did not put it there")
            }
            Self::Refused(error) => format!("cannot put addresses on {interface}: {error}"),
            Self::Socket(error) => format!("cannot use {interface}: {error}"),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self, interface: &str) -> String {
        match self {
            Self::NoInterface => format!("create {interface}, or correct `interface` in the configuration"),
            Self::InterfaceDown => format!("`ip link set {interface} up`"),
            Self::NoCarrier => "look at the cable, the switch port or the bond".to_owned(),
            Self::NoSource => format!("`ip addr add ADDRESS/PREFIX dev {interface}`"),
            Self::ForeignAddress(net) => format!(
                "if nothing else needs it: `ip addr del {net} dev {interface}`, and take it out of the host's network \
                 configuration; if this host owns it for good: priority = 255"
            ),
            Self::Refused(_) => "mend the cause, then `vipctl reload`".to_owned(),
            Self::Socket(_) => "vrrpd needs CAP_NET_RAW and CAP_NET_ADMIN".to_owned(),
        }
    }
}

/// What a virtual router finds on this host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Local {
    /// Its primary address.
    pub source: Option<Ipv4Addr>,
    /// The station that answers for its addresses: index and link-layer address of the interface.
    pub station: Option<(u32, Mac)>,
    /// What keeps it out of the election.
    pub faults: Vec<Fault>,
}

impl Local {
    /// Looks at the interface of a virtual router with these addresses. `ours` tells which addresses on it this
    /// program put there; an `owner` (priority 255) has its addresses from elsewhere.
    #[must_use]
    pub fn judge(
        interface: Option<&Interface>,
        addresses: &[IpNet],
        owner: bool,
        ours: impl Fn(IpNet) -> bool,
    ) -> Self {
        let Some(interface) = interface else {
            return Self { faults: vec![Fault::NoInterface], ..Self::default() };
        };
        let mut faults = Vec::new();
        if !interface.up {
            faults.push(Fault::InterfaceDown);
        } else if !interface.carrier {
            faults.push(Fault::NoCarrier);
        }
        let source = interface.primary_v4(&ours);
        if source.is_none() {
            faults.push(Fault::NoSource);
        }
        if !owner {
            let wanted: BTreeSet<IpAddr> = addresses.iter().map(IpNet::addr).collect();
            let there = interface.addresses.iter().map(|p| p.net).filter(|net| wanted.contains(&net.addr()));
            let (own, foreign): (Vec<IpNet>, Vec<IpNet>) = there.partition(|net| ours(*net));
            let held: BTreeSet<IpAddr> = own.iter().map(IpNet::addr).collect();
            faults.extend(
                foreign.into_iter().filter(|net| !held.contains(&net.addr())).map(Fault::ForeignAddress),
            );
        }
        Self { source, station: interface.mac.map(|mac| (interface.index, mac)), faults }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::Present;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn interface(up: bool, carrier: bool, addresses: &[&str]) -> Interface {
        let addresses =
            addresses.iter().map(|a| Present { net: net(a), secondary: false, marked: false }).collect();
        Interface { index: 2, mac: None, up, carrier, addresses }
    }

    #[test]
    fn each_fault_is_found_and_has_a_remedy() {
        let vip = net("192.168.4.80/24");
        for (interface, owner, expected) in [
            (None, false, vec![Fault::NoInterface]),
            (Some(interface(false, false, &["192.168.4.1/24"])), false, vec![Fault::InterfaceDown]),
            (Some(interface(true, false, &["192.168.4.1/24"])), false, vec![Fault::NoCarrier]),
            (Some(interface(true, true, &[])), false, vec![Fault::NoSource]),
            (
                Some(interface(true, true, &["192.168.4.1/24", "192.168.4.80/32"])),
                false,
                vec![Fault::ForeignAddress(net("192.168.4.80/32"))],
            ),
            (Some(interface(true, true, &["192.168.4.80/24"])), true, vec![]),
            (Some(interface(true, true, &["192.168.4.1/24"])), false, vec![]),
        ] {
            let local = Local::judge(interface.as_ref(), &[vip], owner, |_| false);
            assert_eq!(local.faults, expected);
            assert!(local.faults.iter().all(|f| f.what("eth0").len() > 10 && f.remedy("eth0").len() > 10));
        }
    }

    #[test]
    fn our_own_vip_is_neither_foreign_nor_a_source() {
        let vip = net("10.9.9.9/24");
        let eth0 = interface(true, true, &["10.9.9.9/24", "192.168.4.1/24"]);
        let local = Local::judge(Some(&eth0), &[vip], false, |a| a == vip);
        assert_eq!(local, Local { source: Some([192, 168, 4, 1].into()), ..Local::default() });
    }
}
