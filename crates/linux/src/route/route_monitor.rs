//! Tells that routes with one protocol, or rules, have changed; not which: who is told reads them anew. A filter in the
//! kernel keeps everybody else's routes away, so that a busy routing daemon wakes nobody.

use std::io;

use libc::{BPF_ABS, BPF_B, BPF_H, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET};
use nix::sys::socket::SockProtocol;
use socket2::SockFilter;

use crate::netlink::signal::Signal;

/// A subscription to changes of routes and rules.
///
/// Some it is not told of, because the kernel reports them to nobody, or as a change to another's route: that IPv4 routes
/// went with their interface (or, before Linux 6.7, with their source address); that an IPv6 route lost its source, because
/// that address was deleted; that another replaced a route. Changes of links and addresses are a reason to look, too, and
/// so is time.
pub struct RouteMonitor {
    signal: Signal,
}

impl RouteMonitor {
    /// Subscribes, in the network namespace of the calling thread, to what happens to routes with this protocol and to
    /// all rules. Read them after this, and no change is missed in between. Needs a tokio runtime.
    ///
    /// # Errors
    /// No file descriptor left.
    pub fn open(protocol: u8) -> io::Result<Self> {
        Ok(Self { signal: Signal::open(SockProtocol::NetlinkRoute, GROUPS, &program(protocol))? })
    }

    /// Waits until [`drain`](Self::drain) is worth a call, which must follow. May be dropped at any time.
    ///
    /// # Errors
    /// The runtime is shutting down.
    pub async fn readable(&self) -> io::Result<()> {
        self.signal.readable().await
    }

    /// Whether anything has changed since the last call, by us too, or reports were lost. Never waits.
    ///
    /// # Errors
    /// What the kernel reports of the socket.
    pub fn drain(&self) -> io::Result<bool> {
        self.signal.drain(|_| true)
    }
}

/// Passes messages about routes with this protocol, and those about anything else, which is rules. Reads a message from
/// its header on; a load beyond its end drops it.
fn program(protocol: u8) -> [SockFilter; 8] {
    let jump_if =
        |value, then, otherwise| SockFilter::new((BPF_JMP | BPF_JEQ | BPF_K) as u16, then, otherwise, value);
    [
        instruction(BPF_LD | BPF_H | BPF_ABS, KIND),
        jump_if(loaded(libc::RTM_NEWROUTE), 2, 0),
        jump_if(loaded(libc::RTM_DELROUTE), 1, 0),
        PASS,
        instruction(BPF_LD | BPF_B | BPF_ABS, PROTOCOL),
        jump_if(protocol.into(), 0, 1),
        PASS,
        DROP,
    ]
}

/// What a load makes of a number in a message: it takes for network byte order what is in the machine's.
fn loaded(kind: u16) -> u32 {
    kind.to_be().into()
}

const fn instruction(code: u32, operand: u32) -> SockFilter {
    SockFilter::new(code as u16, 0, 0, operand)
}

const PASS: SockFilter = instruction(BPF_RET | BPF_K, u32::MAX);
const DROP: SockFilter = instruction(BPF_RET | BPF_K, 0);

/// Offset of the kind in the header of a message, and of the protocol in the `struct rtmsg` that follows.
const KIND: u32 = 4;
const PROTOCOL: u32 = 16 + 5;

/// A bit each; those of libc are the older names of some.
const GROUPS: u32 = (libc::RTMGRP_IPV4_ROUTE | libc::RTMGRP_IPV6_ROUTE | libc::RTMGRP_IPV4_RULE) as u32
    | 1 << (libc::RTNLGRP_IPV6_RULE - 1);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::super::{Route, RouteChange, RouteEntry};
    use super::*;
    use crate::namespace::{in_namespace_async, ip, link};

    const PROTOCOL: u8 = 112;

    fn veth() -> u32 {
        ip("link add name veth0 type veth peer name veth1");
        ip("link set dev veth0 up");
        ip("link set dev veth1 up");
        link("veth0").index
    }

    fn route(interface: u32, number: u32, protocol: u8) -> RouteEntry {
        let to = format!("10.{}.{}.0/24", number / 250, number % 250).parse().unwrap();
        RouteEntry {
            to,
            via: None,
            interface,
            table: 254,
            metric: None,
            source: None,
            scope: libc::RT_SCOPE_LINK,
            protocol,
        }
    }

    /// That it wakes, and that there is a reason.
    async fn wakes(monitor: &RouteMonitor) {
        let wait = async {
            while !monitor.drain().unwrap() {
                monitor.readable().await.unwrap();
            }
        };
        timeout(Duration::from_secs(5), wait).await.unwrap();
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn what_happens_to_our_routes_and_to_any_rule_is_told() {
        in_namespace_async(async || {
            veth();
            let monitor = RouteMonitor::open(PROTOCOL).unwrap();
            for change in [
                "route add 10.0.0.0/8 dev veth0 proto 112",
                "route del 10.0.0.0/8 dev veth0 proto 112",
                "route add 2001:db8:1::/48 dev veth0 proto 112",
                "route del 2001:db8:1::/48 dev veth0 proto 112",
                "route add 10.0.0.0/8 dev veth0 table 100000 proto 112",
                "rule add from 10.0.0.0/8 table 100 protocol 42",
                "rule del from 10.0.0.0/8 table 100 protocol 42",
                "-6 rule add from 2001:db8::/32 table 100 protocol 112",
                "-6 rule del from 2001:db8::/32 table 100 protocol 112",
            ] {
                assert!(!monitor.drain().unwrap());
                ip(change);
                wakes(&monitor).await;
            }
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn anothers_routes_wake_nobody() {
        in_namespace_async(async || {
            let interface = veth();
            let monitor = RouteMonitor::open(PROTOCOL).unwrap();
            // Whatever the kernel itself had to say of the new link.
            monitor.drain().unwrap();
            // Too little room for any of it: what got through would be lost, and told as a change.
            monitor.signal.set_receive_room(1);
            let mut netlink = Route::open().unwrap();
            for protocol in [42, 113, 0] {
                let foreign = |i| route(interface, i, protocol);
                let adds: Vec<_> = (0..500).map(|i| RouteChange::Add(foreign(i))).collect();
                let deletes: Vec<_> = (0..500).map(|i| RouteChange::Delete(foreign(i))).collect();
                for changes in [adds, deletes] {
                    assert!(netlink.change_routes(&changes).iter().all(Result::is_ok));
                }
            }
            // Reports are there when changes are acknowledged.
            assert!(!monitor.drain().unwrap());
            let added = netlink.change_routes(&[RouteChange::Add(route(interface, 0, PROTOCOL))]);
            assert_eq!(added, [Ok(())]);
            wakes(&monitor).await;
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn what_is_lost_is_told_as_a_change() {
        in_namespace_async(async || {
            let interface = veth();
            let monitor = RouteMonitor::open(PROTOCOL).unwrap();
            monitor.drain().unwrap();
            monitor.signal.set_receive_room(1);
            let adds: Vec<_> = (0..500).map(|i| RouteChange::Add(route(interface, i, PROTOCOL))).collect();
            assert!(Route::open().unwrap().change_routes(&adds).iter().all(Result::is_ok));
            assert!(monitor.drain().unwrap());
            assert!(!monitor.drain().unwrap());
        });
    }
}
