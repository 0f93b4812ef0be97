//! Links and addresses of the network namespace, by rtnetlink: [`Route`] reads and changes them, [`Monitor`] tells of
//! changes. Must not decide what should be there. A request is answered before the call returns: nothing here waits but
//! [`Monitor::readable`].

mod address;
mod link;
mod message;
mod monitor;

use std::io;

use neli::ToBytes;
use neli::consts::nl::NlmF;
use neli::consts::rtnl::Rtm;
use nix::sys::socket::SockProtocol;
use thiserror::Error;

pub use address::{Address, AddressKey, NewAddress};
pub use link::Link;
pub use monitor::{Change, Monitor};

pub use crate::netlink::NetlinkError;

use crate::netlink::frame::Frame;
use crate::netlink::{Connection, payload};

/// A connection for requests.
pub struct Route {
    connection: Connection,
}

/// One wish for [`Route::change_addresses`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// EEXIST: the interface has the address already, whoever put it there.
    #[error("the address is already there")]
    Exists,
    /// EADDRNOTAVAIL: the interface does not have the address with this prefix.
    #[error("the address is not there")]
    NoSuchAddress,
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
        Ok(Self { connection: Connection::open(SockProtocol::NetlinkRoute)? })
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
        self.dump(Rtm::Getaddr, &address::query()?, |frame| match frame.kind {
            libc::RTM_NEWADDR => Address::parse(frame.payload),
            _ => None,
        })
    }

    /// Makes the changes in order, [`BATCH`] in one system call, and returns what came of each. One that fails does
    /// not stop those after it.
    pub fn change_addresses(&mut self, changes: &[AddressChange]) -> Vec<Result<(), RouteError>> {
        changes.chunks(BATCH).flat_map(|batch| self.change_batch(batch)).collect()
    }

    fn change_batch(&mut self, batch: &[AddressChange]) -> Vec<Result<(), RouteError>> {
        let first = self.connection.take_sequences(batch.len());
        let mut bytes = Vec::new();
        for (change, sequence) in batch.iter().zip(first..) {
            match change.to_message(sequence) {
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
        self.change_addresses(&[AddressChange::Add(*address)]).remove(0)
    }

    pub(crate) fn delete_address(&mut self, address: &AddressKey) -> Result<(), RouteError> {
        self.change_addresses(&[AddressChange::Delete(*address)]).remove(0)
    }
}

/// How many changes of addresses go to the kernel in one system call: an answer each fits in any receive buffer.
pub const BATCH: usize = 16;

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::net::IpAddr;

    use super::*;
    use crate::namespace::{eventually, in_namespace, ip, link};
    use crate::sysctl;

    const PROTOCOL: u8 = 112;

    fn key(index: u32, address: &str) -> AddressKey {
        let (address, prefix) = address.split_once('/').unwrap();
        AddressKey { index, address: address.parse().unwrap(), prefix: prefix.parse().unwrap() }
    }

    fn new(index: u32, address: &str) -> NewAddress {
        NewAddress { key: key(index, address), protocol: PROTOCOL }
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
                secondary: false,
                tentative: false,
            };
            assert_eq!(ipv4(&mut route), [expected]);
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
            changes[5] = changes[4];
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
                sysctl::write("veth0", "promote_secondaries", promote).unwrap();
                let (primary, secondary) = (new(index, "10.0.0.1/24"), new(index, "10.0.0.2/24"));
                let added = [AddressChange::Add(primary), AddressChange::Add(secondary)];
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
