//! What can keep a virtual router out of the election on this host, found by looking at what was observed, with
//! a remedy for each. Nothing here comes from the network: what others send causes no fault.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use vipkit_config::{Instance, Tracked};
use vipkit_core::arp::Mac;
use vipkit_core::ethernet::virtual_mac;
use vipkit_core::units::Family;

use crate::observed::{Interface, Interfaces};
use crate::trackers::Found;

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
    NoSource(Family),
    /// IPv6: the address to send from is not usable yet, or somebody else has it.
    SourceNotUsable,
    /// The address to send from that is configured is not there.
    NoSuchSource(IpAddr),
    /// A virtual address is on an interface, and somebody else put it there.
    ForeignAddress(IpNet, String),
    /// The interface of the virtual MAC cannot be made.
    VirtualMac(String),
    /// Somebody else's interface has the name of that for the virtual MAC.
    NameTaken(String),
    /// The kernel does not let vrrpd put the addresses there.
    Refused(String),
    /// The sockets on the interface could not be made.
    Socket(String),
    /// A tracked interface is not up.
    Tracked(String, Box<Fault>),
    /// A tracked interface is up, but has not been for long enough.
    UpDelay(String, Duration),
    /// A tracked check is down, and why.
    CheckDown(String, String),
    /// A tracked check was never judged.
    CheckNotJudged(String),
    /// Nobody says any more how a tracked check is.
    CheckStale(String),
}

impl Fault {
    /// What is wrong, on the interface of this name.
    #[must_use]
    pub fn what(&self, interface: &str) -> String {
        match self {
            Self::NoInterface => format!("interface {interface} does not exist"),
            Self::InterfaceDown => format!("interface {interface} is down"),
            Self::NoCarrier => format!("interface {interface} has no carrier"),
            Self::NoSource(Family::V4) => {
                format!("interface {interface} has no IPv4 address of its own to send from")
            }
            Self::NoSource(Family::V6) => format!("interface {interface} has no link-local IPv6 address"),
            Self::SourceNotUsable => {
                format!("the IPv6 address to send from on {interface} is tentative or a duplicate")
            }
            Self::NoSuchSource(address) => format!("{address}, the source_address, is not on {interface}"),
            Self::ForeignAddress(net, there) => {
                format!("{net} is on {there} already, and vrrpd did not put it there")
            }
            Self::VirtualMac(error) => format!("no interface for the virtual MAC: {error}"),
            Self::NameTaken(name) => format!("interface {name} exists, and vrrpd did not make it"),
            Self::Refused(error) => format!("cannot put addresses on {interface}: {error}"),
            Self::Socket(error) => format!("cannot use {interface}: {error}"),
            Self::Tracked(name, trouble) => format!("tracked {}", trouble.what(name)),
            Self::UpDelay(name, delay) => {
                format!("tracked interface {name} has been up for less than its up_delay of {delay:?}")
            }
            Self::CheckDown(name, reason) => format!("check {name} is down: {reason}"),
            Self::CheckNotJudged(name) => format!("check {name} was never judged"),
            Self::CheckStale(name) => format!("no verdict on check {name} is coming in"),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self, interface: &str) -> String {
        match self {
            Self::NoInterface => format!("create {interface}, or correct `interface` in the configuration"),
            Self::InterfaceDown => format!("`ip link set {interface} up`"),
            Self::NoCarrier => "look at the cable, the switch port or the bond".to_owned(),
            Self::NoSource(Family::V4) => format!("`ip addr add ADDRESS/PREFIX dev {interface}`"),
            Self::NoSource(Family::V6) => format!(
                "IPv6 must be on there (`sysctl net.ipv6.conf.{interface}.disable_ipv6=0`), or \
                 `ip addr add fe80::1/64 dev {interface}`"
            ),
            Self::SourceNotUsable => format!(
                "normal for a second or two; if it stays, look for \"dadfailed\" in `ip -6 addr show dev {interface}`: \
                 another host has the address"
            ),
            Self::NoSuchSource(address) => {
                format!("`ip addr add {address}/PREFIX dev {interface}`, or correct `source_address`")
            }
            Self::ForeignAddress(net, there) => format!(
                "if nothing else needs it: `ip addr del {net} dev {there}`, and take it out of the host's network \
                 configuration; if this host owns it for good: priority = 255, without virtual_mac"
            ),
            Self::NameTaken(name) => format!(
                "if nothing needs it: `ip link delete {name}`; or name another one for the virtual MAC: \
                 virtual_mac = {{ interface = \"NAME\" }}"
            ),
            Self::VirtualMac(_) | Self::Refused(_) => "mend the cause, then `vipctl reload`".to_owned(),
            Self::Socket(_) => "vrrpd needs CAP_NET_RAW and CAP_NET_ADMIN".to_owned(),
            Self::Tracked(name, trouble) => trouble.remedy(name),
            Self::UpDelay(..) => "none needed: it counts again in a moment".to_owned(),
            Self::CheckDown(name, _) => format!("`vipctl health {name}`"),
            Self::CheckNotJudged(name) | Self::CheckStale(name) => format!(
                "`vipctl health {name}` says what healthcheckd knows; if that does not answer: \
                 `systemctl start healthcheckd`"
            ),
        }
    }
}

/// What a virtual router finds on this host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Local {
    /// The address that its adverts come from.
    pub source: Option<IpAddr>,
    /// The station that answers for its addresses: index of the interface on the wire, and link-layer address.
    pub station: Option<(u32, Mac)>,
    /// Largest packet that its interface takes, in bytes; 0 if unknown.
    pub mtu: u32,
    /// What keeps it out of the election.
    pub faults: Vec<Fault>,
    /// What is wrong with the interfaces that it tracks.
    pub tracked: Found,
}

impl Local {
    /// Looks at the host for a virtual router. `ours` tells which addresses on which interface this program put
    /// there; an owner (priority 255) has its addresses from elsewhere.
    #[must_use]
    pub fn judge(config: &Instance, interfaces: &Interfaces, ours: impl Fn(&str, IpNet) -> bool) -> Self {
        let tracked = tracked(config, interfaces);
        let Some(interface) = interfaces.get(&config.interface) else {
            return Self { faults: vec![Fault::NoInterface], tracked, ..Self::default() };
        };
        let mut faults: Vec<Fault> = trouble(Some(interface)).into_iter().collect();
        let source = source(config, interface, |net| ours(&config.interface, net));
        faults.extend(source.as_ref().err().cloned());
        faults.extend(foreign(config, interfaces, ours));
        let virtual_mac =
            config.virtual_mac.as_ref().map(|_| virtual_mac(config.family(), config.virtual_router_id));
        let mac = virtual_mac.or(interface.mac);
        Self {
            source: source.ok(),
            station: mac.map(|mac| (interface.index, mac)),
            mtu: interface.mtu,
            faults,
            tracked,
        }
    }
}

/// What is wrong with an interface.
const fn trouble(interface: Option<&Interface>) -> Option<Fault> {
    match interface {
        None => Some(Fault::NoInterface),
        Some(Interface { up: false, .. }) => Some(Fault::InterfaceDown),
        Some(Interface { carrier: false, .. }) => Some(Fault::NoCarrier),
        Some(_) => None,
    }
}

/// The interfaces that it tracks.
fn tracked(config: &Instance, interfaces: &Interfaces) -> Found {
    let names = config.track.iter().filter_map(|track| match &track.what {
        Tracked::Interface { name, .. } => Some(name),
        Tracked::Check(_) => None,
    });
    names.map(|name| (name.clone(), trouble(interfaces.get(name)))).collect()
}

/// The address to send from.
fn source(config: &Instance, interface: &Interface, ours: impl Fn(IpNet) -> bool) -> Result<IpAddr, Fault> {
    if let Some(wanted) = config.source_address {
        let there = interface.entries(wanted).find(|present| !ours(present.net()));
        return match there.map(|present| present.unusable) {
            None => Err(Fault::NoSuchSource(wanted)),
            Some(true) => Err(Fault::SourceNotUsable),
            Some(false) => Ok(wanted),
        };
    }
    match config.family() {
        Family::V4 => interface.primary_v4(ours).map(IpAddr::V4).ok_or(Fault::NoSource(Family::V4)),
        Family::V6 => interface.link_local(&ours).map(IpAddr::V6).ok_or_else(|| {
            let link_local = |net: IpNet| matches!(net.addr(), IpAddr::V6(a) if a.is_unicast_link_local());
            let waits = interface.addresses.iter().any(|p| link_local(p.net()) && !ours(p.net()));
            if waits { Fault::SourceNotUsable } else { Fault::NoSource(Family::V6) }
        }),
    }
}

/// Its addresses that somebody else put where it would put them or where they would hide its virtual MAC.
fn foreign(config: &Instance, interfaces: &Interfaces, ours: impl Fn(&str, IpNet) -> bool) -> Vec<Fault> {
    if config.priority.is_owner() && config.virtual_mac.is_none() {
        return Vec::new();
    }
    let wanted: BTreeSet<IpAddr> = config.addresses.iter().map(|address| address.net.addr()).collect();
    let places = BTreeSet::from([config.interface.as_str(), config.place()]);
    let looked_at = places.into_iter().filter_map(|name| Some((name, interfaces.get(name)?)));
    looked_at
        .flat_map(|(name, interface)| {
            let nets = interface.addresses.iter().map(|p| p.net()).filter(|net| wanted.contains(&net.addr()));
            let (own, foreign): (Vec<IpNet>, Vec<IpNet>) = nets.partition(|net| ours(name, *net));
            let held: BTreeSet<IpAddr> = own.iter().map(IpNet::addr).collect();
            let foreign = foreign.into_iter().filter(move |net| !held.contains(&net.addr()));
            foreign.map(|net| Fault::ForeignAddress(net, name.to_owned())).collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::{Entry, Present};
    use vipkit_config::Source;

    const V4: &str = "addresses = ['192.168.4.80/24']";
    const V6: &str = "addresses = ['fe80::80/64', '2001:db8::80/64']";

    fn config(keys: &str) -> Instance {
        let text = format!("[vrrp.web]\ninterface = 'eth0'\nvirtual_router_id = 51\n{keys}");
        let source = Source { name: "vipkit.toml".to_owned(), text };
        vipkit_config::parse(&[source]).unwrap().vrrp["web"].clone()
    }

    fn interface(up: bool, carrier: bool, addresses: &[&str]) -> Interface {
        let present = |text: &&str| {
            let (net, unusable) = text.strip_suffix(" tentative").map_or((*text, false), |net| (net, true));
            let entry = Entry::plain(net.parse().unwrap());
            Present { entry, secondary: false, marked: false, unusable }
        };
        let addresses = addresses.iter().map(present).collect();
        Interface { index: 2, mac: Some([2, 0, 0, 0, 0, 1]), up, carrier, addresses, ..Interface::default() }
    }

    fn judge(keys: &str, eth0: Option<Interface>) -> Local {
        let interfaces = eth0.into_iter().map(|interface| ("eth0".to_owned(), interface)).collect();
        Local::judge(&config(keys), &interfaces, |_, _| false)
    }

    #[test]
    fn each_fault_is_found_and_has_a_remedy() {
        let fine = |addresses: &[&str]| Some(interface(true, true, addresses));
        let foreign = |net: &str| vec![Fault::ForeignAddress(net.parse().unwrap(), "eth0".to_owned())];
        let owner = format!("{V4}\npriority = 255");
        let sourced = format!("{V4}\nsource_address = '192.168.4.2'");
        for (keys, eth0, expected) in [
            (V4, None, vec![Fault::NoInterface]),
            (V4, Some(interface(false, false, &["192.168.4.1/24"])), vec![Fault::InterfaceDown]),
            (V4, Some(interface(true, false, &["192.168.4.1/24"])), vec![Fault::NoCarrier]),
            (V4, fine(&["fe80::1/64"]), vec![Fault::NoSource(Family::V4)]),
            (V4, fine(&["192.168.4.1/24", "192.168.4.80/32"]), foreign("192.168.4.80/32")),
            (&owner, fine(&["192.168.4.80/24"]), vec![]),
            (&format!("{owner}\nvirtual_mac = true"), fine(&["192.168.4.80/24"]), foreign("192.168.4.80/24")),
            (V4, fine(&["192.168.4.1/24"]), vec![]),
            (&sourced, fine(&["192.168.4.1/24"]), vec![Fault::NoSuchSource([192, 168, 4, 2].into())]),
            (&sourced, fine(&["192.168.4.1/24", "192.168.4.2/24"]), vec![]),
            (V6, fine(&["192.168.4.1/24", "2001:db8::1/64"]), vec![Fault::NoSource(Family::V6)]),
            (V6, fine(&["fe80::1/64 tentative"]), vec![Fault::SourceNotUsable]),
            (V6, fine(&["fe80::1/64"]), vec![]),
        ] {
            let local = judge(keys, eth0);
            assert_eq!(local.faults, expected, "{keys}");
            assert!(local.faults.iter().all(|f| f.what("eth0").len() > 10 && f.remedy("eth0").len() > 10));
        }
    }

    #[test]
    fn our_own_vip_is_neither_foreign_nor_a_source() {
        let vip: IpNet = "10.9.9.9/24".parse().unwrap();
        let eth0 = interface(true, true, &["10.9.9.9/24", "192.168.4.1/24"]);
        let local = Local::judge(
            &config("addresses = ['10.9.9.9/24']"),
            &[("eth0".to_owned(), eth0)].into(),
            |name, net| name == "eth0" && net == vip,
        );
        assert_eq!((local.source, local.faults), (Some([192, 168, 4, 1].into()), vec![]));
    }

    #[test]
    fn a_virtual_mac_is_the_station() {
        let local = judge(&format!("{V6}\nvirtual_mac = true"), Some(interface(true, true, &["fe80::1/64"])));
        assert_eq!(local.station, Some((2, [0, 0, 0x5e, 0, 2, 51])));
    }
}
