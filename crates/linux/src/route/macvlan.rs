//! A macvlan: a link with a hardware address of its own on top of another, for a virtual MAC. Must not set it up: the
//! caller does, when frames for that address are its to receive.

use neli::consts::nl::NlmF;
use neli::consts::rtnl::{Ifla, IflaInfo, RtaType, Rtm};
use neli::rtnl::Rtattr;
use neli::types::{Buffer, RtBuffer};

use super::link::{any, build};
use super::message::attribute;
use super::{NetlinkError, Route, RouteError};
use crate::netlink::payload;
use crate::sysctl::is_interface;

/// A macvlan to make, without an IPv6 link-local address made by the kernel. In mode bridge: in mode private the kernel
/// takes multicasts that other hosts send with the same hardware address away from the link below, and hands them to the
/// macvlan (macvlan_handle_frame in drivers/net/macvlan.c).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMacvlan {
    /// Its name, 1-15 bytes, no `%`.
    pub name: String,
    /// Index of the link it sits on.
    pub parent: u32,
    /// Its hardware address.
    pub mac: [u8; 6],
    /// What to write on it, at most 255 bytes.
    pub alias: String,
}

impl Route {
    /// Makes a macvlan, down. Once up it heeds router advertisements, unless its setting accept_ra is 0 by then: it gets
    /// addresses made of its hardware address, and a default route.
    ///
    /// # Errors
    /// [`RouteError::Exists`] if a link has its name; nothing is changed then. See [`RouteError`] for others, after
    /// which nothing of it is left.
    pub fn create_macvlan(&mut self, new: &NewMacvlan) -> Result<(), RouteError> {
        // The kernel would cut the name short, or make a template of it.
        if !is_interface(&new.name) || new.name.contains('%') {
            return Err(RouteError::Encoding);
        }
        let create = list([
            named(&new.name)?,
            attribute(Ifla::Link, &new.parent.to_ne_bytes())?,
            attribute(Ifla::Address, &new.mac)?,
            nest(
                Ifla::Linkinfo,
                [attribute(IflaInfo::Kind, b"macvlan\0")?, nest(IflaInfo::Data, [mode()?])?],
            )?,
        ]);
        self.request(Rtm::Newlink, NlmF::CREATE | NlmF::EXCL, build(any().rtattrs(create))?)?;
        let finished = self.finish(new);
        if finished.is_err() {
            let delete = list([named(&new.name)?]);
            self.request(Rtm::Dellink, NlmF::empty(), build(any().rtattrs(delete))?)?;
        }
        finished
    }

    /// Says of a new macvlan what the kernel does not take while it makes one.
    fn finish(&mut self, new: &NewMacvlan) -> Result<(), RouteError> {
        let alias = list([named(&new.name)?, attribute(Ifla::Ifalias, new.alias.as_bytes())?]);
        self.request(Rtm::Setlink, NlmF::empty(), build(any().rtattrs(alias))?)?;
        let no_link_local = list([named(&new.name)?, no_link_local()?]);
        match self.request(Rtm::Setlink, NlmF::empty(), build(any().rtattrs(no_link_local))?) {
            // Without IPv6 there is none.
            Err(RouteError::Netlink(NetlinkError::Refused(libc::EAFNOSUPPORT))) => Ok(()),
            result => result,
        }
    }
}

fn mode() -> Result<Rtattr<IflaInfo, Buffer>, RouteError> {
    attribute(IFLA_MACVLAN_MODE, &MACVLAN_MODE_BRIDGE.to_ne_bytes())
}

fn no_link_local() -> Result<Rtattr<Ifla, Buffer>, RouteError> {
    let mode = attribute(IFLA_INET6_ADDR_GEN_MODE, &[IN6_ADDR_GEN_MODE_NONE])?;
    nest(Ifla::AfSpec, [nest(AF_INET6, [mode])?])
}

fn named(name: &str) -> Result<Rtattr<Ifla, Buffer>, RouteError> {
    attribute(Ifla::Ifname, &[name.as_bytes(), b"\0"].concat())
}

fn nest<T: RtaType, I: RtaType, const N: usize>(
    kind: T,
    inner: [Rtattr<I, Buffer>; N],
) -> Result<Rtattr<T, Buffer>, RouteError> {
    attribute(kind, &payload::encode(&list(inner)).ok_or(RouteError::Encoding)?)
}

fn list<T: RtaType, const N: usize>(attributes: [Rtattr<T, Buffer>; N]) -> RtBuffer<T, Buffer> {
    attributes.into_iter().collect()
}

// What neli does not know: attributes within attributes, and values (linux/if_link.h).
const IFLA_MACVLAN_MODE: IflaInfo = IflaInfo::UnrecognizedConst(1);
const MACVLAN_MODE_BRIDGE: u32 = 4;
const AF_INET6: Ifla = Ifla::UnrecognizedConst(libc::AF_INET6 as u16);
const IFLA_INET6_ADDR_GEN_MODE: Ifla = Ifla::UnrecognizedConst(8);
const IN6_ADDR_GEN_MODE_NONE: u8 = 1;

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::time::Duration;

    use nix::sys::socket::{LinkAddr, recvfrom};
    use socket2::{Domain, Protocol, Socket, Type};
    use tokio::time::timeout;
    use vipkit_core::units::Family;
    use vipkit_core::vrrp::{self, Packet};

    use super::super::Link;
    use super::*;
    use crate::namespace::{cable, eventually, in_namespace, in_namespace_async, ip, link};
    use crate::packet_socket::PacketSocket;
    use crate::vrrp_socket::{VrrpReceiver, VrrpSender};

    const MAC: [u8; 6] = [0, 0, 0x5e, 0, 1, 51];

    fn new(parent: u32) -> NewMacvlan {
        NewMacvlan { name: "vrrp.51".into(), parent, mac: MAC, alias: "vipkit".into() }
    }

    fn names(route: &mut Route) -> Vec<String> {
        route.links().unwrap().into_iter().map(|link| link.name).collect()
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn it_is_made_down_as_it_was_asked_for_and_deleted() {
        in_namespace(|| {
            let (parent, _) = cable();
            let mut route = Route::open().unwrap();
            route.create_macvlan(&new(parent)).unwrap();
            let Link { index, mac, up, kind, parent: below, alias, .. } = link("vrrp.51");
            assert_eq!((mac, up, below), (Some(MAC), false, Some(parent)));
            assert_eq!((kind.as_deref(), alias.as_deref()), (Some("macvlan"), Some("vipkit")));

            route.set_link_up(index, true).unwrap();
            eventually(|| link("vrrp.51").carrier.then_some(()));
            assert_eq!(route.addresses().unwrap(), [], "no link-local address of its own");
            route.set_link_up(index, false).unwrap();
            assert!(!link("vrrp.51").up);

            route.delete_link(index).unwrap();
            assert!(!names(&mut route).contains(&"vrrp.51".into()));
            for gone in
                [route.delete_link(index), route.set_link_up(index, true), route.delete_link(u32::MAX)]
            {
                assert_eq!(gone, Err(RouteError::NoSuchInterface));
            }
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn what_has_its_name_is_left_alone_and_of_a_failure_nothing_stays() {
        in_namespace(|| {
            let (parent, _) = cable();
            let mut route = Route::open().unwrap();
            let there = NewMacvlan { alias: "theirs".into(), ..new(parent) };
            route.create_macvlan(&there).unwrap();
            assert_eq!(route.create_macvlan(&new(parent)), Err(RouteError::Exists));
            assert_eq!(link("vrrp.51").alias.as_deref(), Some("theirs"));

            let before = names(&mut route);
            let other = |name: &str| NewMacvlan { name: name.into(), ..new(parent) };
            let no_parent = NewMacvlan { parent: 4711, ..other("vrrp.52") };
            assert_eq!(route.create_macvlan(&no_parent), Err(RouteError::NoSuchInterface));
            let long_alias = NewMacvlan { alias: "a".repeat(300), ..other("vrrp.52") };
            assert!(route.create_macvlan(&long_alias).is_err());
            for name in ["", "a/b", "vrrp%d", "sixteen-letters-", "vrrp.\0.52"] {
                assert_eq!(route.create_macvlan(&other(name)), Err(RouteError::Encoding), "{name:?}");
            }
            assert_eq!(names(&mut route), before);
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn two_with_one_hardware_address_are_not_up_together() {
        in_namespace(|| {
            let (parent, _) = cable();
            let mut route = Route::open().unwrap();
            for name in ["vrrp.51", "vrrp.52"] {
                route.create_macvlan(&NewMacvlan { name: name.into(), ..new(parent) }).unwrap();
            }
            route.set_link_up(link("vrrp.51").index, true).unwrap();
            let in_use = RouteError::Netlink(NetlinkError::Refused(libc::EADDRINUSE));
            assert_eq!(route.set_link_up(link("vrrp.52").index, true), Err(in_use));
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn frames_for_its_hardware_address_are_its_own_while_it_is_up() {
        in_namespace(|| {
            let (parent, other_end) = cable();
            let mut route = Route::open().unwrap();
            route.create_macvlan(&new(parent)).unwrap();
            let index = link("vrrp.51").index;
            // A protocol for experiments (IEEE 802), which nobody else speaks here.
            let protocol = u16::to_be(0x88b5);
            let receiver =
                Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(i32::from(protocol)))).unwrap();
            receiver.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let sender = PacketSocket::open().unwrap();
            let frame = [&MAC[..], &[2, 0, 0, 0, 0, 1, 0x88, 0xb5], &[0; 46]].concat();
            for (up, arrives_on) in [(None, parent), (Some(true), index), (Some(false), parent)] {
                up.into_iter().for_each(|up| route.set_link_up(index, up).unwrap());
                sender.send(other_end, &frame).unwrap();
                let (_, address) = recvfrom::<LinkAddr>(receiver.as_raw_fd(), &mut [0; 100]).unwrap();
                assert_eq!(address.unwrap().ifindex(), arrives_on as usize, "{up:?}");
            }
        });
    }

    /// An advert's first bytes to the group of a family.
    fn advert(family: Family) -> Packet {
        let source = match family {
            Family::V4 => "10.0.0.1",
            Family::V6 => "fe80::a",
        };
        let route = vrrp::Route { source: source.parse().unwrap(), destination: vrrp::group(family) };
        Packet::new(route, vec![0x31, 51, 100, 1, 0, 100, 0, 0]).unwrap()
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn the_link_below_hears_adverts_that_are_sent_from_the_same_hardware_address() {
        in_namespace_async(async || {
            let (parent, other_end) = cable();
            let mut route = Route::open().unwrap();
            for (family, last) in [(Family::V4, 1), (Family::V6, 2)] {
                let mac = [0, 0, 0x5e, 0, last, 51];
                let name = format!("vrrp.{last}");
                route.create_macvlan(&NewMacvlan { name: name.clone(), mac, ..new(parent) }).unwrap();
                ip(&format!("link set dev veth1 address 00:00:5e:00:0{last}:33"));
                assert_eq!(link("veth1").mac, Some(mac));
                let receiver = VrrpReceiver::open(parent, vrrp::group(family)).unwrap();
                receiver.set_vrids(&[51]).unwrap();
                for up in [false, true] {
                    route.set_link_up(link(&name).index, up).unwrap();
                    VrrpSender::open(other_end, family).unwrap().send(&advert(family)).unwrap();
                    let mut buffer = [0; 100];
                    let heard = async {
                        while receiver.try_receive(&mut buffer).unwrap().is_none() {
                            receiver.readable().await.unwrap();
                        }
                    };
                    let heard = timeout(Duration::from_secs(5), heard).await;
                    assert!(heard.is_ok(), "{family}, macvlan up: {up}");
                }
            }
        });
    }
}
