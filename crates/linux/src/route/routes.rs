//! Routes as rtnetlink describes and takes them (rtnetlink(7), linux/rtnetlink.h): one next hop each, of type unicast.
//! Total over any bytes. What the kernel makes of what is left to it stands here alone.

use std::net::IpAddr;

use ipnet::IpNet;
use vipkit_core::units::Family;

use super::fib::{Header, Message};
use super::{Route, RouteError};

/// A route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteEntry {
    /// Where it leads; a prefix of length 0 is the default route. The other addresses are of its family.
    pub to: IpNet,
    /// The next router; none if the destination is on the link.
    pub via: Option<IpAddr>,
    /// Index of the interface.
    pub interface: u32,
    /// Number of its table: 254 is main.
    pub table: u32,
    /// The lower, the sooner it is taken. Left out it is 0 for IPv4, 1024 for IPv6.
    pub metric: Option<u32>,
    /// The source address for those that have none yet. The host must have it.
    pub source: Option<IpAddr>,
    /// How far the destination is (`RT_SCOPE_*`); IPv6 has only 0.
    pub scope: u8,
    /// Who put it there (`RTPROT_*`).
    pub protocol: u8,
}

/// One wish for [`Route::change_routes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteChange {
    /// Put a route there if its table has none, whoever made it, with its destination and metric.
    Add(RouteEntry),
    /// Take a route away, if it is there with this protocol.
    Delete(RouteEntry),
}

impl RouteEntry {
    /// The scope of a route for which none is given, as ip(8) has it: IPv4 without a next router ends on the link.
    #[must_use]
    pub const fn default_scope(family: Family, via: Option<IpAddr>) -> u8 {
        match (family, via) {
            (Family::V4, None) => libc::RT_SCOPE_LINK,
            _ => libc::RT_SCOPE_UNIVERSE,
        }
    }

    /// Its family, that of the destination.
    #[must_use]
    pub const fn family(&self) -> Family {
        match self.to {
            IpNet::V4(_) => Family::V4,
            IpNet::V6(_) => Family::V6,
        }
    }

    /// As [`Route::routes`] returns it when it has been added: what is left to the kernel is filled in, what it does not
    /// keep is left out.
    #[must_use]
    pub fn normalised(self) -> Self {
        let to = self.to.trunc();
        let table = if self.table == 0 { libc::RT_TABLE_MAIN.into() } else { self.table };
        let given = self.metric.filter(|metric| *metric != 0);
        let (metric, scope) = match self.family() {
            Family::V4 => (given, self.scope),
            Family::V6 => (given.or(Some(IP6_RT_PRIO_USER)), libc::RT_SCOPE_UNIVERSE),
        };
        Self { to, table, metric, scope, ..self }
    }

    /// Reads the payload of a RTM_NEWROUTE; `None` for what cannot be said with this type, such as many next hops.
    fn parse(payload: &[u8]) -> Option<Self> {
        let message = Message::parse(payload)?;
        let Header { to, from, tos, protocol, scope, kind, flags, .. } = message.header;
        let plain = kind == libc::RTN_UNICAST && (from, tos, flags & libc::RTM_F_CLONED) == (0, 0, 0);
        if !plain || message.has_any(&BEYOND) {
            return None;
        }
        Some(Self {
            to: message.network(libc::RTA_DST, to)?,
            via: message.address(libc::RTA_GATEWAY),
            interface: message.number(libc::RTA_OIF)?,
            table: message.table(libc::RTA_TABLE),
            metric: message.number(libc::RTA_PRIORITY),
            source: message.address(libc::RTA_PREFSRC),
            scope,
            protocol,
        })
    }
}

impl RouteChange {
    /// The request as bytes, with an answer asked for.
    fn to_message(self, sequence: u32) -> Result<Vec<u8>, RouteError> {
        let (kind, flags, route) = match self {
            Self::Add(route) => (libc::RTM_NEWROUTE, libc::NLM_F_CREATE | libc::NLM_F_EXCL, route),
            Self::Delete(route) => (libc::RTM_DELROUTE, 0, route),
        };
        // The kernel takes what a request does not name for any: everything is named.
        let RouteEntry { to, via, interface, table, metric, source, scope, protocol } = route.normalised();
        let family = route.family();
        let header =
            Header { to: to.prefix_len(), protocol, scope, kind: libc::RTN_UNICAST, ..Header::default() };
        let mut payload = header.of(family).payload();
        payload.network(libc::RTA_DST, family, Some(to))?;
        for (kind, address) in [(libc::RTA_GATEWAY, via), (libc::RTA_PREFSRC, source)] {
            address.map_or(Ok(()), |address| payload.address(kind, family, address))?;
        }
        payload.number(libc::RTA_OIF, interface);
        payload.number(libc::RTA_TABLE, table);
        payload.number(libc::RTA_PRIORITY, metric.unwrap_or(0));
        Ok(payload.request(kind, flags, sequence))
    }
}

impl Route {
    /// The routes of both families and all tables with this protocol. The kernel looks at every route that there is:
    /// about 0.08 seconds for a million of others.
    ///
    /// # Errors
    /// See [`RouteError`].
    pub fn routes(&mut self, protocol: u8) -> Result<Vec<RouteEntry>, RouteError> {
        let query = Header { protocol, ..Header::default() };
        self.dump_families(libc::RTM_GETROUTE, query, |frame| {
            // Before Linux 4.20, which knows no NETLINK_GET_STRICT_CHK, all come.
            let route = (frame.kind == libc::RTM_NEWROUTE).then(|| RouteEntry::parse(frame.payload))?;
            route.filter(|route| route.protocol == protocol)
        })
    }

    /// Makes the changes in order, [`BATCH`](super::BATCH) in one system call, and returns what came of each. One that
    /// fails does not stop those after it. A route whose addresses are of several families cannot be encoded:
    /// none of its batch is sent.
    ///
    /// An IPv4 route of metric 0 that is not there is taken, when it is deleted, for one of the same destination,
    /// protocol and next hop with another metric: the kernel cannot be told 0.
    pub fn change_routes(&mut self, changes: &[RouteChange]) -> Vec<Result<(), RouteError>> {
        self.change(changes, |change, sequence| change.to_message(sequence))
    }
}

/// What a [`RouteEntry`] has no room for: many next hops, one of another family, one that is an object, encapsulation.
const BEYOND: [u16; 4] = [libc::RTA_MULTIPATH, libc::RTA_VIA, RTA_NH_ID, libc::RTA_ENCAP];
const RTA_NH_ID: u16 = 30;

/// The metric that the kernel gives to an IPv6 route (linux/ipv6_route.h).
const IP6_RT_PRIO_USER: u32 = 1024;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use nix::sched::{CloneFlags, setns};
    use proptest::option;
    use proptest::prelude::*;

    use super::super::NetlinkError;
    use super::*;
    use crate::namespace::{in_namespace, ip, link};
    use crate::netlink::frame::{Frame, frames};

    const PROTOCOL: u8 = 112;
    const FOREIGN: u8 = 42;

    /// A link with addresses of both families, on which routers can be.
    fn veth() -> u32 {
        ip("link add name veth0 type veth peer name veth1");
        ip("link set dev veth0 up");
        ip("link set dev veth1 up");
        ip("addr add 192.0.2.1/24 dev veth0");
        ip("addr add 2001:db8::1/64 dev veth0 nodad");
        link("veth0").index
    }

    fn route(interface: u32, to: &str) -> RouteEntry {
        let to: IpNet = to.parse().unwrap();
        let family = Family::of(to.addr());
        RouteEntry {
            to,
            via: None,
            interface,
            table: 254,
            metric: None,
            source: None,
            scope: RouteEntry::default_scope(family, None),
            protocol: PROTOCOL,
        }
    }

    fn via(router: &str, route: RouteEntry) -> RouteEntry {
        RouteEntry { via: Some(router.parse().unwrap()), scope: 0, ..route }
    }

    fn change(changes: &[RouteChange]) -> Vec<Result<(), RouteError>> {
        Route::open().unwrap().change_routes(changes)
    }

    fn add(route: RouteEntry) -> Result<(), RouteError> {
        change(&[RouteChange::Add(route)]).remove(0)
    }

    fn delete(route: RouteEntry) -> Result<(), RouteError> {
        change(&[RouteChange::Delete(route)]).remove(0)
    }

    fn found() -> BTreeSet<RouteEntry> {
        let routes = Route::open().unwrap().routes(PROTOCOL).unwrap();
        let set: BTreeSet<_> = routes.iter().copied().collect();
        assert_eq!(set.len(), routes.len(), "one twice: {routes:?}");
        set
    }

    /// Of every kind that can be written, those that the kernel takes as they are and those it does not.
    fn every_kind(interface: u32) -> Vec<RouteEntry> {
        let plain = |to| route(interface, to);
        let (source4, source6) = (Some("192.0.2.1".parse().unwrap()), Some("2001:db8::1".parse().unwrap()));
        vec![
            via("192.0.2.254", plain("0.0.0.0/0")),
            plain("10.1.0.0/16"),
            via("192.0.2.254", plain("10.2.0.0/16")),
            RouteEntry { metric: Some(0), ..plain("10.3.0.0/16") },
            RouteEntry { metric: Some(50), ..plain("10.3.0.0/16") },
            RouteEntry { metric: Some(u32::MAX), ..plain("10.3.0.0/16") },
            RouteEntry { table: 100, ..plain("10.1.0.0/16") },
            RouteEntry { table: 100_000, ..plain("10.1.0.0/16") },
            RouteEntry { table: 0, ..plain("10.4.0.0/16") },
            RouteEntry { source: source4, ..plain("10.5.0.0/16") },
            RouteEntry { scope: 0, ..plain("10.6.0.0/16") },
            RouteEntry { scope: libc::RT_SCOPE_SITE, ..plain("10.7.0.0/16") },
            RouteEntry { scope: libc::RT_SCOPE_HOST, ..plain("10.8.0.0/16") },
            plain("10.9.1.2/16"),
            plain("10.10.0.1/32"),
            via("2001:db8::ff", plain("::/0")),
            via("fe80::ff", plain("2001:db8:1::/48")),
            plain("2001:db8:2::/48"),
            RouteEntry { metric: Some(1), ..plain("2001:db8:2::/48") },
            RouteEntry { metric: Some(0), table: 100_000, ..plain("2001:db8:2::/48") },
            RouteEntry { table: 0, ..plain("2001:db8:3::/48") },
            RouteEntry { source: source6, ..plain("2001:db8:4::/48") },
            RouteEntry { scope: libc::RT_SCOPE_LINK, ..plain("2001:db8:5::/48") },
            plain("2001:db8:6:1::1/48"),
            plain("2001:db8:7::1/128"),
        ]
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn what_is_added_is_read_back_as_it_was_said_it_would_be_and_each_is_deleted_alone() {
        in_namespace(|| {
            let routes = every_kind(veth());
            let adds: Vec<_> = routes.iter().copied().map(RouteChange::Add).collect();
            assert_eq!(change(&adds), vec![Ok(()); routes.len()]);
            let mut expected: BTreeSet<_> = routes.iter().map(|route| route.normalised()).collect();
            assert_eq!(expected.len(), routes.len());
            assert_eq!(found(), expected);

            assert_eq!(change(&adds), vec![Err(RouteError::Exists); routes.len()], "each is there but once");
            for route in routes {
                assert_eq!(delete(route), Ok(()), "{route:?}");
                expected.remove(&route.normalised());
                assert_eq!(found(), expected, "{route:?}");
            }
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn what_is_left_out_is_what_ip_makes_of_it() {
        in_namespace(|| {
            let interface = veth();
            for (text, route) in [
                ("10.0.0.0/8 dev veth0", route(interface, "10.0.0.0/8")),
                ("10.0.0.0/8 via 192.0.2.254", {
                    let scope = RouteEntry::default_scope(Family::V4, Some([192, 0, 2, 254].into()));
                    RouteEntry { scope, ..via("192.0.2.254", route(interface, "10.0.0.0/8")) }
                }),
                ("2001:db8:1::/48 dev veth0", route(interface, "2001:db8:1::/48")),
            ] {
                ip(&format!("route add {text} proto 112"));
                assert_eq!(found(), BTreeSet::from([route.normalised()]), "{text}");
                assert_eq!(delete(route), Ok(()), "{text}");
            }
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn anothers_route_is_neither_seen_nor_taken_over_nor_deleted() {
        in_namespace(|| {
            let interface = veth();
            for ours in every_kind(interface) {
                let foreign = RouteEntry { protocol: FOREIGN, ..ours };
                assert_eq!(add(foreign), Ok(()));
                assert_eq!(add(ours), Err(RouteError::Exists), "{ours:?}");
                assert_eq!(found(), BTreeSet::new());
                assert_eq!(delete(ours), Err(RouteError::NoSuchEntry), "{ours:?}");
                assert_eq!(delete(foreign), Ok(()), "{ours:?}");
            }
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn anothers_twin_beside_ours_stays() {
        in_namespace(|| {
            let ours = via("192.0.2.254", route(veth(), "10.0.0.0/8"));
            // Before ours, so that the kernel meets it first.
            assert_eq!(add(ours), Ok(()));
            ip("route prepend 10.0.0.0/8 via 192.0.2.254 dev veth0 proto 42");
            assert_eq!(found(), BTreeSet::from([ours]));
            assert_eq!(delete(ours), Ok(()));
            assert_eq!(delete(ours), Err(RouteError::NoSuchEntry));
            assert_eq!(Route::open().unwrap().routes(FOREIGN).unwrap().len(), 1);
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn the_kernel_s_refusal_is_told_and_does_not_stop_the_rest() {
        in_namespace(|| {
            let interface = veth();
            let plain = |to| route(interface, to);
            let unreachable = RouteError::Netlink(NetlinkError::Refused(libc::ENETUNREACH));
            let invalid = RouteError::Netlink(NetlinkError::Refused(libc::EINVAL));
            let cases = [
                (RouteEntry { interface: 4711, ..plain("10.0.0.0/8") }, Err(RouteError::NoSuchInterface)),
                (
                    RouteEntry { interface: 4711, ..plain("2001:db8:1::/48") },
                    Err(RouteError::NoSuchInterface),
                ),
                (via("198.51.100.1", plain("10.0.0.0/8")), Err(unreachable)),
                (RouteEntry { source: Some([10, 0, 0, 1].into()), ..plain("10.0.0.0/8") }, Err(invalid)),
                (plain("10.0.0.0/8"), Ok(())),
            ];
            let adds: Vec<_> = cases.iter().map(|(route, _)| RouteChange::Add(*route)).collect();
            assert_eq!(change(&adds), cases.map(|(_, result)| result));
            assert_eq!(found(), BTreeSet::from([plain("10.0.0.0/8")]));
            let mixed = via("2001:db8::ff", plain("10.0.0.0/8"));
            assert_eq!(add(mixed), Err(RouteError::Encoding));
            let down = RouteError::Netlink(NetlinkError::Refused(libc::ENETDOWN));
            ip("link set dev veth0 down");
            assert_eq!(add(plain("10.0.0.0/8")), Err(down));
            assert_eq!(add(plain("2001:db8:1::/48")), Err(down));
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn what_cannot_be_said_with_this_type_is_passed_over() {
        in_namespace(|| {
            let ours = route(veth(), "10.0.0.0/8");
            assert_eq!(add(ours), Ok(()));
            for other in [
                "10.1.0.0/16 proto 112 nexthop via 192.0.2.2 nexthop via 192.0.2.3",
                "10.2.0.0/16 proto 112 via inet6 fe80::2 dev veth0",
                "10.3.0.0/16 proto 112 tos 4 dev veth0",
                "blackhole 10.4.0.0/16 proto 112",
                "unreachable 2001:db8:4::/48 proto 112",
                "2001:db8:5::/48 from 2001:db8:6::/48 proto 112 dev veth0",
            ] {
                ip(&format!("route add {other}"));
            }
            assert_eq!(found(), BTreeSet::from([ours]));
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn others_routes_do_not_leave_the_kernel() {
        in_namespace(|| {
            let interface = veth();
            for to in ["10.0.0.0/8", "2001:db8:1::/48"] {
                let ours = route(interface, to);
                assert_eq!(
                    (add(ours), add(RouteEntry { table: 100, protocol: FOREIGN, ..ours })),
                    (Ok(()), Ok(()))
                );
            }
            let protocols = |protocol| {
                let query = Header { protocol, ..Header::default() };
                let parse = |frame: &Frame<'_>| Some(RouteEntry::parse(frame.payload)?.protocol);
                Route::open().unwrap().dump_families(libc::RTM_GETROUTE, query, parse).unwrap()
            };
            assert_eq!(protocols(PROTOCOL), [PROTOCOL; 2]);
            assert!(protocols(0).contains(&FOREIGN));
        });
    }

    /// A routing daemon at work beside us: what it does to its routes is no reason to give up.
    #[test]
    #[ignore = "needs root and network namespaces"]
    fn routes_are_read_while_another_changes_thousands() {
        in_namespace(|| {
            let interface = veth();
            let expected: BTreeSet<_> = (0..1000_u32)
                .map(|i| route(interface, &format!("10.{}.{}.0/24", i / 250, i % 250)))
                .collect();
            let adds: Vec<_> = expected.iter().copied().map(RouteChange::Add).collect();
            assert!(change(&adds).iter().all(Result::is_ok));

            let namespace = std::fs::File::open("/proc/thread-self/ns/net").unwrap();
            let over = Arc::new(AtomicBool::new(false));
            let is_over = over.clone();
            let daemon = thread::spawn(move || {
                setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
                let foreign = |i| RouteEntry {
                    protocol: FOREIGN,
                    ..route(interface, &format!("11.{}.{}.0/24", i / 250, i % 250))
                };
                let adds: Vec<_> = (0..2000_u32).map(|i| RouteChange::Add(foreign(i))).collect();
                let deletes: Vec<_> = (0..2000_u32).map(|i| RouteChange::Delete(foreign(i))).collect();
                while !is_over.load(Ordering::Relaxed) {
                    change(&adds);
                    change(&deletes);
                }
            });
            for _ in 0..100 {
                assert_eq!(found(), expected);
            }
            over.store(true, Ordering::Relaxed);
            daemon.join().unwrap();
        });
    }

    fn payload(route: &RouteEntry) -> Vec<u8> {
        let message = RouteChange::Add(*route).to_message(1).unwrap();
        frames(&message).next().unwrap().payload.to_vec()
    }

    #[test]
    fn other_kinds_of_routes_are_none() {
        let bytes = payload(&route(1, "10.0.0.0/8"));
        assert!(RouteEntry::parse(&bytes).is_some());
        // Family, the source's length, type of service, type.
        for (at, value) in [(0, 128), (2, 8), (3, 4), (7, libc::RTN_LOCAL)] {
            let mut other = bytes.clone();
            other[at] = value;
            assert_eq!(RouteEntry::parse(&other), None, "{at}");
        }
        for kind in BEYOND {
            let mut other = bytes.clone();
            crate::netlink::attribute::append(&mut other, kind, [0; 4]);
            assert_eq!(RouteEntry::parse(&other), None, "{kind}");
        }
    }

    fn any_route() -> impl Strategy<Value = RouteEntry> {
        let v4 = (any::<[u8; 4]>(), 0..=32_u8, option::of(any::<[u8; 4]>()), option::of(any::<[u8; 4]>()));
        let v6 =
            (any::<[u8; 16]>(), 0..=128_u8, option::of(any::<[u8; 16]>()), option::of(any::<[u8; 16]>()));
        let addresses = prop_oneof![
            v4.prop_map(|(to, length, via, source)| {
                (IpNet::new(to.into(), length).unwrap(), via.map(IpAddr::from), source.map(IpAddr::from))
            }),
            v6.prop_map(|(to, length, via, source)| {
                (IpNet::new(to.into(), length).unwrap(), via.map(IpAddr::from), source.map(IpAddr::from))
            }),
        ];
        let numbers = any::<(u32, u32, Option<u32>, u8, u8)>();
        (addresses, numbers).prop_map(|((to, via, source), (interface, table, metric, scope, protocol))| {
            RouteEntry { to, via, interface, table, metric, source, scope, protocol }
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(route in any_route()) {
            let read = RouteEntry::parse(&payload(&route)).unwrap();
            // Written out, where the kernel leaves it out.
            let read = RouteEntry { metric: read.metric.filter(|metric| *metric != 0), ..read };
            prop_assert_eq!(read, route.normalised());
            prop_assert_eq!(route.normalised().normalised(), route.normalised());
        }

        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>) {
            let _ = RouteEntry::parse(&bytes);
        }

        #[test]
        fn a_route_with_bytes_changed_is_read(route in any_route(), at in 0_usize..56, byte: u8, cut in 0_usize..120) {
            let mut bytes = payload(&route);
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            bytes.truncate(cut);
            let _ = RouteEntry::parse(&bytes);
        }
    }
}
