//! `virtual_ipaddress` and `virtual_ipaddress_excluded` of an instance, and its family, which is that of whatever has one
//! first. What vipkit asks beyond keepalived is said here: one interface, and a link-local address first (RFC 9568 §5.2.9).

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;
use vipkit_core::units::Family;

use super::address::{self, Address, is_link_local};
use super::block::Cursor;
use super::mac::VirtualMac;
use super::note::{Notes, Place};

/// What was said of addresses.
#[derive(Default)]
pub struct Addresses {
    /// Once it is decided.
    pub family: Option<Family>,
    /// No `virtual_ipaddress` but one that is in no advert comes before one that is.
    all: Vec<Address>,
}

impl Addresses {
    /// Whether the instance is of this family; decides it if nothing has yet.
    pub fn is(&mut self, family: Family) -> bool {
        *self.family.get_or_insert(family) == family
    }

    /// Whether there is one for adverts.
    #[must_use]
    pub fn are_advertised(&self) -> bool {
        self.all.iter().any(|address| address.advertise)
    }

    /// Reads a block of addresses that adverts name, or of some that they do not.
    pub fn read(&mut self, advertise: bool, cursor: &mut Cursor<'_>, notes: &mut Notes) {
        for said in cursor.values(notes) {
            let other = |family| advertise && !self.is(family);
            if address::family(&said.name).is_some_and(other) {
                notes.say(&said.at, format!("{} is of another family: keepalived ignores it", said.name));
            } else if let Some(address) = address::read(&said, advertise, notes) {
                self.add(address, notes);
            }
        }
    }

    fn add(&mut self, address: Address, notes: &mut Notes) {
        let ip = address.net.addr();
        match self.all.iter_mut().find(|other| other.net.addr() == ip) {
            Some(_) if !address.advertise => {
                notes.say(&address.at, format!("{ip} is there already: once is enough"));
            }
            Some(other) if !other.advertise => *other = address,
            Some(_) => notes.say(&address.at, format!("{ip} is there already: keepalived ignores it")),
            None => self.all.push(address),
        }
    }

    /// The addresses as vipkit holds them.
    #[must_use]
    pub fn whole(self, virtual_router_id: u64, on: &On<'_>, notes: &mut Notes) -> Vec<Address> {
        let v6 = self.family == Some(Family::V6);
        let (mut all, beside): (Vec<_>, Vec<_>) = self.all.into_iter().partition(|address| address.advertise);
        all.extend(beside);
        for address in &mut all {
            on.put(address, notes);
        }
        if v6 {
            link_local_first(&mut all, virtual_router_id, notes);
        }
        if let Some(address) = all.iter().find(|address| address.deprecated) {
            let now = format!(
                "{} is deprecated by keepalived: no connection from this host begins there; vipkit deprecates no \
                 address",
                address.net
            );
            notes.say(&address.at, now);
        }
        all
    }
}

/// Where an instance has its addresses.
pub struct On<'i> {
    /// `interface`.
    pub interface: &'i str,
    /// `use_vmac`.
    pub mac: Option<&'i VirtualMac>,
}

impl On<'_> {
    /// The name of that interface.
    #[must_use]
    pub fn place(&self) -> &str {
        self.mac.and_then(|mac| mac.interface.as_deref()).unwrap_or(self.interface)
    }

    /// What was on another interface is in the adverts as before, and takes no route from there.
    fn put(&self, address: &mut Address, notes: &mut Notes) {
        let Some(dev) = &address.dev else { return };
        if dev == self.place() {
            return;
        }
        let mut now = format!(
            "dev {dev} of {} is not carried over: vipkit holds and announces it on {}",
            address.net.addr(),
            self.place()
        );
        if dev != self.interface {
            address.prefix_route = false;
            // Both were of the other interface: here the network may have another scope already.
            address.label = None;
            address.scope = None;
            now.push_str(
                ", so clients elsewhere keep a stale station after a change; make it a vrrp_instance of its own \
                 there, on all nodes",
            );
        }
        notes.say(&address.at, now);
    }
}

/// The first address is a link-local one: one that is there, else one of the virtual router's number.
fn link_local_first(all: &mut Vec<Address>, virtual_router_id: u64, notes: &mut Notes) {
    let Some(first) = all.first() else { return };
    let at = first.at.clone();
    match all.iter().position(|address| is_link_local(address.net.addr())) {
        Some(0) => {}
        Some(found) => {
            let mut address = all.remove(found);
            let ip = address.net.addr();
            let mut now = format!("{ip} goes first: the first IPv6 address must be link-local");
            if !address.advertise {
                address.advertise = true;
                now = format!("{now}, and in the adverts; {}", deaf(ip));
            }
            notes.say(&address.at, now);
            all.insert(0, address);
        }
        None => {
            let ip = numbered(virtual_router_id);
            let now = format!(
                "the first IPv6 address is not link-local: keepalived only warns; vipkit must have one, and holds \
                 {ip} too; {}",
                deaf(ip)
            );
            notes.say(&at, now);
            all.insert(0, link_local(ip, at));
        }
    }
}

/// What to do before nodes that do not have an address in their adverts meet one that has.
fn deaf(ip: IpAddr) -> String {
    format!(
        "PEERS WITHOUT IT IN THEIR ADVERTS DO NOT HEAR THIS NODE (keepalived up to 2.3.2), so both would hold the \
         addresses: first put {ip}/64 first in virtual_ipaddress on all nodes, reload keepalived on them at once, \
         and import again"
    )
}

/// fe80:: with the virtual router's number, as it is read.
fn numbered(virtual_router_id: u64) -> IpAddr {
    let digits = u16::from_str_radix(&virtual_router_id.to_string(), 16).unwrap_or_default();
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, digits).into()
}

fn link_local(ip: IpAddr, at: Place) -> Address {
    const PREFIX: u8 = 64;
    let net = IpNet::new(ip, PREFIX).unwrap_or_else(|_| IpNet::from(ip));
    Address {
        net,
        peer: None,
        scope: None,
        label: None,
        dev: None,
        prefix_route: true,
        advertise: true,
        deprecated: false,
        at,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use crate::import::include::File;
    use crate::import::include::tests::NoFiles;
    use crate::import::{Imported, import};

    fn instance(vips: &str, beside: &str) -> Imported {
        let text = format!(
            "vrrp_instance a {{\ninterface eth0\nvirtual_router_id 200\nvirtual_ipaddress_excluded {{\n{beside}\n}}\n\
             virtual_ipaddress {{\n{vips}\n}}\n}}\n"
        );
        import(&File { path: "x.conf".into(), text }, &NoFiles, false).unwrap()
    }

    fn addresses(vips: &str, beside: &str) -> Vec<String> {
        let imported = instance(vips, beside);
        let show = |address: &super::Address| {
            format!("{}{}", address.net, if address.advertise { "" } else { " beside" })
        };
        imported.instances[0].item.addresses.iter().map(show).collect()
    }

    #[test]
    fn a_link_local_address_comes_first_wherever_it_is() {
        let (global, local) = ("2001:db8::1/64", "fe80::1/64");
        assert_eq!(addresses(&format!("{global}\n{local}"), ""), [local, global]);
        assert_eq!(addresses(global, local), [local, global]);
        assert_eq!(addresses(global, "192.0.2.1/24"), ["fe80::200/64", global, "192.0.2.1/24 beside"]);
        assert_eq!(addresses("192.0.2.1/24", local), ["192.0.2.1/24", &format!("{local} beside")]);
    }

    #[test]
    fn peers_without_the_link_local_address_are_warned_of() {
        let warned = |vips: &str, beside: &str| {
            let notes = instance(vips, beside).notes;
            notes.iter().any(|note| note.now.contains("PEERS WITHOUT IT"))
        };
        assert!(warned("2001:db8::1/64", ""));
        assert!(warned("2001:db8::1/64", "fe80::1/64"));
        assert!(!warned("2001:db8::1/64\nfe80::1/64", ""));
    }

    #[test]
    fn what_is_said_in_both_blocks_is_in_the_adverts() {
        assert_eq!(addresses("192.0.2.1/24", "192.0.2.1/32"), ["192.0.2.1/24"]);
    }

    /// More than an advert has room for is vipkit's to divide, as it is keepalived's.
    #[test]
    fn there_may_be_more_than_an_advert_holds() {
        let mut vips = String::new();
        (1..=1200_u32).for_each(|n| writeln!(vips, "10.0.{}.{}/24", n / 200, n % 200 + 1).unwrap());
        let imported = instance(&vips, "");
        assert_eq!(imported.instances[0].item.addresses.len(), 1200);
        assert_eq!(imported.notes, []);
    }
}
