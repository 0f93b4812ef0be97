//! Links, addresses, routes and policy rules of the network namespace, by rtnetlink: [`Route`] reads and changes them,
//! [`Monitor`] and [`RouteMonitor`] tell of changes. Must not decide what should be there. A request is answered before
//! the call returns: nothing here waits but what is called `readable`.

mod address;
mod fib;
mod link;
mod macvlan;
mod message;
mod monitor;
mod route_monitor;
mod routes;
mod rules;

use std::io;

use neli::ToBytes;
use neli::consts::nl::NlmF;
use neli::consts::rtnl::Rtm;
use nix::sys::socket::SockProtocol;
use thiserror::Error;

pub use address::{Address, AddressKey, NewAddress};
pub use link::Link;
pub use macvlan::NewMacvlan;
pub use monitor::{Change, Monitor};
pub use route_monitor::RouteMonitor;
pub use routes::{RouteChange, RouteEntry};
pub use rules::{Fwmark, RuleChange, RuleEntry};

pub use crate::netlink::NetlinkError;

use address::Names;

use crate::netlink::frame::Frame;
use crate::netlink::{Connection, payload};

/// A connection for requests.
pub struct Route {
    connection: Connection,
}

/// One wish for [`Route::change_addresses`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressChange {
    /// Put an address on an interface, if it is not there.
    Add(NewAddress),
    /// Put an address on an interface, if it is not there, that others have as well: in IPv4 with scope host, so that
    /// the kernel never chooses it as a source by itself, in IPv6 without duplicate address detection (`IFA_F_NODAD`).
    AddLocal(AddressKey),
    /// Take an address off an interface. With promote_secondaries = 0 its secondaries go too.
    Delete(AddressKey),
}

/// Why a request failed. Numbers are errno(3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RouteError {
    /// EEXIST: there is one already, whoever put it there.
    #[error("it is already there")]
    Exists,
    /// EADDRNOTAVAIL: the interface does not have the address with this prefix.
    #[error("it is not there")]
    NoSuchAddress,
    /// ESRCH, ENOENT: there is no such route or rule.
    #[error("it is not there")]
    NoSuchEntry,
    /// ENODEV: no interface has this index.
    #[error("the interface does not exist")]
    NoSuchInterface,
    /// The kernel refused the request for another reason, or did not answer.
    #[error(transparent)]
    Netlink(NetlinkError),
    /// The request could not be written as a message.
    #[error("the request cannot be encoded")]
    Encoding,
}

impl From<NetlinkError> for RouteError {
    fn from(error: NetlinkError) -> Self {
        match error {
            NetlinkError::Refused(libc::EEXIST) => Self::Exists,
            NetlinkError::Refused(libc::EADDRNOTAVAIL) => Self::NoSuchAddress,
            NetlinkError::Refused(libc::ESRCH | libc::ENOENT) => Self::NoSuchEntry,
            NetlinkError::Refused(libc::ENODEV) => Self::NoSuchInterface,
            other => Self::Netlink(other),
        }
    }
}

impl Route {
    /// Opens a connection to the network namespace of the calling thread.
    ///
    /// # Errors
    /// No file descriptor left.
    pub fn open() -> io::Result<Self> {
        let connection = Connection::open(SockProtocol::NetlinkRoute)?;
        connection.filter_dumps();
        Ok(Self { connection })
    }

    /// All links.
    ///
    /// # Errors
    /// See [`RouteError`].
    pub fn links(&mut self) -> Result<Vec<Link>, RouteError> {
        self.dump(Rtm::Getlink, &link::query()?, |frame| match frame.kind {
            libc::RTM_NEWLINK => Link::parse(frame.payload),
            _ => None,
        })
    }

    /// All IPv4 and IPv6 addresses. About 0.7 microseconds each.
    ///
    /// # Errors
    /// See [`RouteError`].
    pub fn addresses(&mut self) -> Result<Vec<Address>, RouteError> {
        let addresses = self.dump(Rtm::Getaddr, &address::query()?, |frame| match frame.kind {
            libc::RTM_NEWADDR => Address::parse(frame.payload),
            _ => None,
        })?;
        let mut names = Names::default();
        Ok(addresses.into_iter().map(|address| names.drop_default_label(address)).collect())
    }

    /// Makes the changes in order, [`BATCH`] in one system call, and returns what came of each. One that fails does
    /// not stop those after it.
    pub fn change_addresses(&mut self, changes: &[AddressChange]) -> Vec<Result<(), RouteError>> {
        self.change(changes, AddressChange::to_message)
    }

    /// Sends one request.
    fn request(&mut self, kind: Rtm, flags: NlmF, body: impl ToBytes) -> Result<(), RouteError> {
        let encode = |body: &_, sequence| message::encode(kind, flags | NlmF::ACK, sequence, body);
        self.change(&[body], encode).into_iter().next().unwrap_or(Err(NetlinkError::NoReply.into()))
    }

    /// Sends what `encode` makes of each change and a sequence number, in order, [`BATCH`] in one system call.
    fn change<T>(
        &mut self,
        changes: &[T],
        encode: impl Fn(&T, u32) -> Result<Vec<u8>, RouteError>,
    ) -> Vec<Result<(), RouteError>> {
        changes.chunks(BATCH).flat_map(|batch| self.change_batch(batch, &encode)).collect()
    }

    fn change_batch<T>(
        &mut self,
        batch: &[T],
        encode: impl Fn(&T, u32) -> Result<Vec<u8>, RouteError>,
    ) -> Vec<Result<(), RouteError>> {
        let first = self.connection.take_sequences(batch.len());
        let mut bytes = Vec::new();
        for (change, sequence) in batch.iter().zip(first..) {
            match encode(change, sequence) {
                Ok(message) => bytes.extend(message),
                Err(error) => return vec![Err(error); batch.len()],
            }
        }
        let mut answers = vec![None; batch.len()];
        let outcome = self.connection.exchange(&bytes, first, &mut answers);
        // What the kernel answered before the socket failed stays as it answered.
        let unanswered = outcome.err().unwrap_or(NetlinkError::NoReply);
        answers
            .into_iter()
            .map(|answer| answer.unwrap_or(Err(unanswered)).map_err(RouteError::from))
            .collect()
    }

    /// Asks for everything `query` stands for and keeps what `parse` makes of the parts.
    fn dump<T>(
        &mut self,
        kind: Rtm,
        query: &impl ToBytes,
        parse: impl Fn(&Frame<'_>) -> Option<T>,
    ) -> Result<Vec<T>, RouteError> {
        let query = payload::encode(query).ok_or(RouteError::Encoding)?;
        Ok(self.connection.ask(kind.into(), NlmF::DUMP.bits(), &query, parse)?)
    }
}

/// One change at a time, for tests.
#[cfg(test)]
impl Route {
    pub(crate) fn add_address(&mut self, address: &NewAddress) -> Result<(), RouteError> {
        self.change_addresses(&[AddressChange::Add(address.clone())]).remove(0)
    }

    pub(crate) fn delete_address(&mut self, address: &AddressKey) -> Result<(), RouteError> {
        self.change_addresses(&[AddressChange::Delete(*address)]).remove(0)
    }
}

/// How many changes go to the kernel in one system call: an answer each fits in any receive buffer.
pub const BATCH: usize = 16;

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::net::IpAddr;

    use vipkit_core::units::Family;

    use super::*;
    use crate::namespace::{cable, eventually, in_namespace, ip, link};
    use crate::sysctl;

    const PROTOCOL: u8 = 112;

    fn key(index: u32, address: &str) -> AddressKey {
        let (address, prefix) = address.split_once('/').unwrap();
        AddressKey { index, address: address.parse().unwrap(), peer: None, prefix: prefix.parse().unwrap() }
    }

    fn new(index: u32, address: &str) -> NewAddress {
        NewAddress::plain(key(index, address), PROTOCOL)
    }

    /// A link to put addresses on.
    fn veth() -> u32 {
        ip("link add name veth0 type veth peer name veth1");
        ip("link set dev veth0 up");
        link("veth0").index
    }

    fn ipv4(route: &mut Route) -> Vec<Address> {
        route.addresses().unwrap().into_iter().filter(|address| address.address.is_ipv4()).collect()
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn links_are_read() {
        in_namespace(|| {
            ip("link add name veth0 address 02:00:00:00:00:0a mtu 1400 type veth peer name veth1");
            ip("link set dev veth0 up");
            ip("tuntap add tun0 mode tun");
            let links: HashMap<String, Link> =
                Route::open().unwrap().links().unwrap().into_iter().map(|l| (l.name.clone(), l)).collect();
            let veth = &links["veth0"];
            assert_eq!((veth.mac, veth.mtu), (Some([2, 0, 0, 0, 0, 10]), 1400));
            assert!(veth.up && !veth.carrier && veth.arp && !veth.loopback);
            assert!(!links["veth1"].up);
            assert!(links["lo"].loopback);
            assert_eq!(links["tun0"].mac, None);
            assert!(!links["tun0"].arp);
            ip("link set dev veth1 up");
            eventually(|| link("veth0").carrier.then_some(()));
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn an_address_is_added_once_and_deleted_once() {
        in_namespace(|| {
            let index = veth();
            let mut route = Route::open().unwrap();
            route.add_address(&new(index, "10.0.0.1/24")).unwrap();
            let expected = Address {
                index,
                address: IpAddr::from([10, 0, 0, 1]),
                peer: None,
                prefix: 24,
                protocol: PROTOCOL,
                scope: 0,
                label: None,
                secondary: false,
                prefix_route: true,
                tentative: false,
                dad_failed: false,
            };
            assert_eq!(ipv4(&mut route), std::slice::from_ref(&expected));
            assert_eq!(route.add_address(&new(index, "10.0.0.1/24")), Err(RouteError::Exists));
            assert_eq!(route.delete_address(&key(index, "10.0.0.1/25")), Err(RouteError::NoSuchAddress));
            assert_eq!(route.delete_address(&key(index, "10.0.0.2/24")), Err(RouteError::NoSuchAddress));
            route.delete_address(&expected.key()).unwrap();
            assert_eq!(route.delete_address(&expected.key()), Err(RouteError::NoSuchAddress));
            assert_eq!(route.add_address(&new(4711, "10.0.0.1/24")), Err(RouteError::NoSuchInterface));
            assert_eq!(route.delete_address(&key(4711, "10.0.0.1/24")), Err(RouteError::NoSuchInterface));
            assert!(matches!(
                route.add_address(&new(index, "10.0.0.1/33")),
                Err(RouteError::Netlink(NetlinkError::Refused(_)))
            ));
            assert_eq!(ipv4(&mut route), []);
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn peer_scope_label_and_no_prefix_route_are_as_asked_for() {
        in_namespace(|| {
            let index = veth();
            let mut route = Route::open().unwrap();
            let peer =
                |net: &str, peer: &str| AddressKey { peer: Some(peer.parse().unwrap()), ..key(index, net) };
            let v4 = NewAddress {
                key: peer("10.0.0.1/24", "10.9.0.1"),
                protocol: PROTOCOL,
                scope: 253,
                label: Some("veth0:1".into()),
                prefix_route: false,
                detect_duplicates: true,
            };
            let v6 = NewAddress {
                key: peer("fd00::1/64", "fd09::1"),
                label: None,
                scope: 0,
                detect_duplicates: false,
                ..v4.clone()
            };
            for new in [v4, v6] {
                route.add_address(&new).unwrap();
                let found = route.addresses().unwrap().into_iter().find(|a| a.address == new.key.address);
                let found = found.unwrap();
                assert_eq!(found.key(), new.key);
                assert_eq!((found.scope, &found.label), (new.scope, &new.label));
                assert_eq!((found.prefix_route, found.tentative), (false, false));
                let elsewhere = AddressKey { index: 4711, ..new.key };
                assert_eq!(route.delete_address(&elsewhere), Err(RouteError::NoSuchInterface));
                route.delete_address(&found.key()).unwrap();
                assert_eq!(route.delete_address(&found.key()), Err(RouteError::NoSuchAddress));
            }
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn an_ipv6_address_is_probed_for_unless_told_not_to() {
        in_namespace(|| {
            let index = veth();
            let mut route = Route::open().unwrap();
            for (address, detect_duplicates) in [("fd00::1/64", true), ("fd00::2/64", false)] {
                let new = NewAddress { detect_duplicates, ..new(index, address) };
                route.add_address(&new).unwrap();
                let found = route.addresses().unwrap().into_iter().find(|a| a.key() == new.key).unwrap();
                assert_eq!((found.tentative, found.prefix_route), (detect_duplicates, true));
            }
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn an_address_that_another_host_has_shows_it() {
        in_namespace(|| {
            cable();
            ip("addr add fd00::1/64 dev veth1 nodad");
            let mut route = Route::open().unwrap();
            route.add_address(&new(link("veth0").index, "fd00::1/64")).unwrap();
            eventually(|| route.addresses().unwrap().iter().any(|address| address.dad_failed).then_some(()));
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn the_interface_s_name_is_no_label_whatever_it_becomes() {
        in_namespace(|| {
            let index = veth();
            let mut route = Route::open().unwrap();
            let labelled = NewAddress { label: Some("veth0:1".into()), ..new(index, "10.0.1.1/24") };
            route.add_address(&new(index, "10.0.0.1/24")).unwrap();
            route.add_address(&labelled).unwrap();
            route.add_address(&new(link("veth1").index, "10.0.2.1/24")).unwrap();
            let labels = |route: &mut Route| {
                ipv4(route).into_iter().map(|a| (a.address.to_string(), a.label)).collect::<HashMap<_, _>>()
            };
            let expected = |label: &str| {
                [("10.0.0.1", None), ("10.0.1.1", Some(label)), ("10.0.2.1", None)]
                    .map(|(address, label)| (address.to_owned(), label.map(str::to_owned)))
                    .into()
            };
            assert_eq!(labels(&mut route), expected("veth0:1"));
            ip("link set dev veth0 down");
            ip("link set dev veth0 name renamed");
            assert_eq!(labels(&mut route), expected("renamed:1"));
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn anothers_address_is_not_taken_over() {
        in_namespace(|| {
            let index = veth();
            ip("addr add 10.0.0.5 peer 10.0.0.6/32 dev veth0");
            let mut route = Route::open().unwrap();
            route.add_address(&NewAddress { protocol: 42, ..new(index, "10.0.0.1/24") }).unwrap();
            assert_eq!(route.add_address(&new(index, "10.0.0.1/24")), Err(RouteError::Exists));
            assert_eq!(route.delete_address(&key(index, "10.0.0.5/32")), Err(RouteError::NoSuchAddress));
            let found: Vec<_> =
                ipv4(&mut route).into_iter().map(|a| (a.address, a.peer, a.protocol)).collect();
            let address = |last| IpAddr::from([10, 0, 0, last]);
            assert_eq!(found, [(address(5), Some(address(6)), 0), (address(1), None, 42)]);
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn a_failure_in_a_batch_does_not_stop_the_rest() {
        in_namespace(|| {
            let index = veth();
            let mut route = Route::open().unwrap();
            let mut changes: Vec<_> = (1..=2 * BATCH + 3)
                .map(|i| AddressChange::Add(new(index, &format!("10.0.{i}.1/24"))))
                .collect();
            changes[5] = changes[4].clone();
            changes[BATCH + 1] = AddressChange::Delete(key(index, "10.0.1.1/24"));
            changes[BATCH + 2] = AddressChange::Delete(key(index, "10.0.1.1/24"));
            let results = route.change_addresses(&changes);
            for (place, result) in results.iter().enumerate() {
                let expected = match place {
                    5 => Err(RouteError::Exists),
                    place if place == BATCH + 2 => Err(RouteError::NoSuchAddress),
                    _ => Ok(()),
                };
                assert_eq!(*result, expected, "{place}");
            }
            assert_eq!(ipv4(&mut route).len(), 2 * BATCH + 3 - 4);
            assert_eq!(route.change_addresses(&[]), []);
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn secondaries_go_with_their_primary_unless_promoted() {
        in_namespace(|| {
            let index = veth();
            let mut route = Route::open().unwrap();
            for (promote, left) in [(0, vec![]), (1, vec![(IpAddr::from([10, 0, 0, 2]), false)])] {
                sysctl::write(Family::V4, "veth0", "promote_secondaries", promote).unwrap();
                let (primary, secondary) = (new(index, "10.0.0.1/24"), new(index, "10.0.0.2/24"));
                let added = [AddressChange::Add(primary.clone()), AddressChange::Add(secondary)];
                assert_eq!(route.change_addresses(&added), [Ok(()), Ok(())]);
                let roles: Vec<_> = ipv4(&mut route).into_iter().map(|a| a.secondary).collect();
                assert_eq!(roles, [false, true]);
                route.delete_address(&primary.key).unwrap();
                let found: Vec<_> = ipv4(&mut route).into_iter().map(|a| (a.address, a.secondary)).collect();
                assert_eq!(found, left);
            }
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn ipv6_addresses_are_read_too() {
        in_namespace(|| {
            let index = veth();
            ip("addr add fd00::1/64 dev veth0");
            let mut route = Route::open().unwrap();
            let address: IpAddr = "fd00::1".parse().unwrap();
            let found = route.addresses().unwrap().into_iter().find(|a| a.address == address).unwrap();
            assert_eq!((found.index, found.prefix, found.peer), (index, 64, None));
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn thousands_of_addresses_are_read_whole() {
        in_namespace(|| {
            let index = veth();
            let mut route = Route::open().unwrap();
            let changes: Vec<_> = (0..4000)
                .map(|i| AddressChange::Add(new(index, &format!("10.{}.{}.1/24", i / 200, i % 200))))
                .collect();
            assert!(route.change_addresses(&changes).iter().all(Result::is_ok));
            assert_eq!(ipv4(&mut route).len(), 4000);
        });
    }

    #[test]
    fn without_the_right_the_refusal_says_so() {
        let text = RouteError::from(NetlinkError::Refused(libc::EPERM)).to_string();
        assert!(text.starts_with("the kernel refused: Operation not permitted"), "{text}");
    }
}
