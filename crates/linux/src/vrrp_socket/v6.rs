//! VRRP over raw IPv6 sockets (RFC 3542). They know no header: hop limit and destination are told beside the message,
//! and so is the source of what is sent. The checksum of what is received is left to the caller, who counts it.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn6, recvmsg, sendmsg, setsockopt, sockopt,
};
use socket2::{Domain, Socket};
use vipkit_core::units::Family;
use vipkit_core::vrrp::{HOP_LIMIT, Received, Route};

use super::closed;

/// A socket that receives, and is told what counts of the header.
pub(super) fn receiver(interface: u32, group: Ipv6Addr) -> io::Result<Socket> {
    let socket = closed(Domain::IPV6, Family::V6, interface)?;
    socket.set_recv_hoplimit_v6(true)?;
    setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
    // Other groups of which the host is a member are delivered too: raw sockets do not heed IPV6_MULTICAST_ALL
    // (raw_v6_match in net/ipv6/raw.c). The caller sees the destination.
    socket.join_multicast_v6(&group, interface)?;
    Ok(socket)
}

/// Takes one message with what was told of its header; an address that was not is `::`, which no receiver accepts.
pub(super) fn receive<'b>(socket: &Socket, buffer: &'b mut [u8]) -> io::Result<Received<'b>> {
    let mut control = nix::cmsg_space!(libc::in6_pktinfo, libc::c_int);
    let mut target = [IoSliceMut::new(buffer)];
    let datagram =
        recvmsg::<SockaddrIn6>(socket.as_raw_fd(), &mut target, Some(&mut control), MsgFlags::empty())?;
    let source = datagram.address.map_or(Ipv6Addr::UNSPECIFIED, |address| address.ip());
    let (mut destination, mut hop_limit) = (Ipv6Addr::UNSPECIFIED, None);
    for told in datagram.cmsgs().into_iter().flatten() {
        match told {
            ControlMessageOwned::Ipv6PacketInfo(info) => destination = info.ipi6_addr.s6_addr.into(),
            ControlMessageOwned::Ipv6HopLimit(limit) => hop_limit = u8::try_from(limit).ok(),
            _ => {}
        }
    }
    let length = datagram.bytes;
    let route = Route { source: source.into(), destination: destination.into() };
    Ok(Received::V6 { route, hop_limit, message: buffer.get(..length).unwrap_or_default() })
}

/// A socket that sends.
pub(super) fn sender(interface: u32) -> io::Result<Socket> {
    // Not IPPROTO_RAW, which would want the header from us. Its filter stays closed.
    let socket = closed(Domain::IPV6, Family::V6, interface)?;
    set_option(&socket, libc::IPV6_CHECKSUM, CHECKSUM_OFFSET)?;
    // As over IPv4, what does not fit the interface's MTU is refused.
    set_option(&socket, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_PROBE)?;
    socket.set_unicast_hops_v6(HOP_LIMIT.into())?;
    socket.set_multicast_hops_v6(HOP_LIMIT.into())?;
    socket.set_multicast_loop_v6(false)?;
    socket.set_tclass_v6(TRAFFIC_CLASS)?;
    // A source of which duplicate address detection has not ended is not refused.
    socket.set_freebind_v6(true)?;
    Ok(socket)
}

/// Sends one message from and to these addresses.
pub(super) fn send(
    socket: &Socket,
    interface: u32,
    (source, destination): (Ipv6Addr, Ipv6Addr),
    message: &[u8],
) -> io::Result<()> {
    let address = libc::in6_addr { s6_addr: source.octets() };
    let from = libc::in6_pktinfo { ipi6_addr: address, ipi6_ifindex: interface };
    // Link-local addresses and groups are of an interface.
    let to = SockaddrIn6::from(SocketAddrV6::new(destination, 0, 0, interface));
    let control = [ControlMessage::Ipv6PacketInfo(&from)];
    sendmsg(socket.as_raw_fd(), &[IoSlice::new(message)], &control, MsgFlags::empty(), Some(&to))?;
    Ok(())
}

/// Sets one of the options for IPv6 that take an int and that no crate knows.
fn set_option(socket: &Socket, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the option's value is an int, which outlives the call, and its size is that of an int.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IPV6,
            option,
            (&raw const value).cast(),
            size_of_val(&value) as libc::socklen_t,
        )
    };
    Errno::result(result)?;
    Ok(())
}

/// Where an advert's checksum is (RFC 9568 §5.2).
const CHECKSUM_OFFSET: libc::c_int = 6;
/// Internetwork control (RFC 2474 §4.2.2), as routing protocols send, and as adverts over IPv4.
const TRAFFIC_CLASS: u32 = 0xc0;

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::time::Duration;

    use socket2::{Protocol, Type};
    use vipkit_core::vrrp::{ChecksumForm, GROUP_V6, Packet, v3};

    use super::super::tests::{heard, hears_nothing, on, packet, received};
    use super::super::{VrrpReceiver, VrrpSender};
    use super::*;
    use crate::namespace::{cable, eventually, in_namespace_async, ip, link};

    /// Not an address of any interface here.
    const OURS: &str = "fe80::a";
    const GROUP: &str = "ff02::12";

    /// A packet as it was received.
    #[derive(Debug, PartialEq)]
    struct Whole {
        route: Route,
        hop_limit: Option<u8>,
        message: Vec<u8>,
    }

    fn whole(packet: Received<'_>) -> Whole {
        let Received::V6 { route, hop_limit, message } = packet else { panic!("not over IPv6") };
        Whole { route, hop_limit, message: message.to_vec() }
    }

    fn route(source: &str, destination: &str) -> Route {
        Route { source: source.parse().unwrap(), destination: destination.parse().unwrap() }
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn known_vrids_arrive_with_what_counts_of_their_header() {
        in_namespace_async(async || {
            let (a, b) = cable();
            let receiver = VrrpReceiver::open(b, GROUP_V6.into()).unwrap();
            let sender = VrrpSender::open(a, Family::V6).unwrap();
            let send = |vrid| sender.send(&packet(OURS, GROUP, vrid)).unwrap();

            // Closed at first: this must not arrive.
            send(51);
            receiver.set_vrids(&[51, 7, 51]).unwrap();
            for vrid in [1, 51, 50, 7] {
                send(vrid);
            }
            for vrid in [51, 7] {
                let Whole { route: found, hop_limit, message } = received(&receiver, whole).await;
                assert_eq!((found, hop_limit), (route(OURS, GROUP), Some(255)));
                assert_eq!((message.len(), message[1]), (8, vrid));
                assert_eq!(v3::checksum_form(&message, found), Some(ChecksumForm::PseudoHeader));
            }
            assert_eq!(receiver.try_receive(&mut [0; 64]).unwrap(), None);

            // Dropped, as the last that passes shows.
            receiver.set_vrids(&[]).unwrap();
            send(51);
            receiver.set_vrids(&(0..=255).collect::<Vec<_>>()).unwrap();
            send(255);
            assert_eq!(received(&receiver, whole).await.message[1], 255);
            assert_eq!(receiver.try_receive(&mut [0; 64]).unwrap(), None);
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn the_kernel_makes_the_checksum_whatever_is_in_its_place() {
        in_namespace_async(async || {
            let (a, b) = cable();
            let receiver = on(b, GROUP_V6.into());
            let sender = VrrpSender::open(a, Family::V6).unwrap();
            for (first, second) in [(0, 0), (0xff, 0xff), (0x12, 0x34)] {
                // An odd length, as none has: the kernel pads the sum.
                let message = vec![0x31, 51, 100, 1, 0, 100, first, second, 9];
                let (source, destination) = (OURS.parse().unwrap(), GROUP_V6);
                sender.send(&Packet::V6 { source, destination, message }).unwrap();
                let Whole { route, message, .. } = received(&receiver, whole).await;
                assert_eq!(message.len(), 9);
                assert!(v3::checksum_form(&message, route).is_some(), "{message:?}");
            }
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn a_wrong_checksum_and_another_hop_limit_are_left_to_the_caller() {
        in_namespace_async(async || {
            let (a, b) = cable();
            let receiver = on(b, GROUP_V6.into());
            let plain = closed(Domain::IPV6, Family::V6, a).unwrap();
            plain.set_multicast_hops_v6(64).unwrap();
            plain.set_freebind_v6(true).unwrap();
            let wrong = [0x31, 51, 100, 1, 0, 100, 0xba, 0xad];
            send(&plain, a, (OURS.parse().unwrap(), GROUP_V6), &wrong).unwrap();
            let expected = Whole { route: route(OURS, GROUP), hop_limit: Some(64), message: wrong.to_vec() };
            assert_eq!(received(&receiver, whole).await, expected);
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn another_group_is_told_by_the_destination() {
        in_namespace_async(async || {
            let (a, b) = cable();
            let receiver = on(b, GROUP_V6.into());
            // Another's membership makes the interface listen.
            let _member = on(b, "ff02::200".parse().unwrap());
            VrrpSender::open(a, Family::V6).unwrap().send(&packet(OURS, "ff02::200", 51)).unwrap();
            assert_eq!(received(&receiver, whole).await.route, route(OURS, "ff02::200"));
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn unicasts_arrive_on_their_interface_alone() {
        in_namespace_async(async || {
            let (a, b) = cable();
            ip("link set dev lo up");
            let loopback = link("lo").index;
            ip("addr add fe80::a/64 dev veth0 nodad");
            ip("addr add fe80::b/64 dev veth1 nodad");
            let (at_b, at_loopback) = (on(b, GROUP_V6.into()), on(loopback, GROUP_V6.into()));
            VrrpSender::open(a, Family::V6).unwrap().send(&packet("fe80::a", "fe80::b", 51)).unwrap();
            let Whole { route: found, hop_limit, .. } = received(&at_b, whole).await;
            assert_eq!((found, hop_limit), (route("fe80::a", "fe80::b"), Some(255)));
            hears_nothing(&at_loopback).await;

            VrrpSender::open(loopback, Family::V6).unwrap().send(&packet("::1", "::1", 51)).unwrap();
            let Whole { route: found, hop_limit, .. } = received(&at_loopback, whole).await;
            assert_eq!((found, hop_limit), (route("::1", "::1"), Some(255)));
            hears_nothing(&at_b).await;
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn a_source_whose_detection_of_duplicates_runs_is_sent_from() {
        in_namespace_async(async || {
            let (a, b) = cable();
            ip("addr add fe80::a/64 dev veth0");
            let receiver = on(b, GROUP_V6.into());
            VrrpSender::open(a, Family::V6).unwrap().send(&packet(OURS, GROUP, 51)).unwrap();
            assert_eq!(received(&receiver, whole).await.route, route(OURS, GROUP));
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn the_header_is_as_an_advert_s_must_be() {
        in_namespace_async(async || {
            let (a, _) = cable();
            let ipv6 = u16::to_be(libc::ETH_P_IPV6 as u16);
            let mut wire =
                Socket::new(Domain::PACKET, Type::DGRAM, Some(Protocol::from(i32::from(ipv6)))).unwrap();
            wire.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            VrrpSender::open(a, Family::V6).unwrap().send(&packet(OURS, GROUP, 51)).unwrap();
            let mut header = [0; 8];
            while header[6] != 112 {
                wire.read_exact(&mut header).unwrap();
            }
            // Version 6 and traffic class 0xc0, a payload of 8 bytes, hop limit 255.
            assert_eq!((header[0], header[1] & 0xf0, &header[4..8]), (0x6c, 0x00, &[0, 8, 112, 255][..]));
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn a_message_beyond_the_mtu_is_refused_and_one_beyond_the_buffer_cut_off() {
        in_namespace_async(async || {
            let (a, b) = cable();
            let receiver = on(b, GROUP_V6.into());
            let sender = VrrpSender::open(a, Family::V6).unwrap();
            let send = |length: usize| {
                let message = [&[0x31, 51], &vec![0; length - 2][..]].concat();
                sender.send(&Packet::V6 { source: OURS.parse().unwrap(), destination: GROUP_V6, message })
            };
            assert_eq!(send(1461).unwrap_err().raw_os_error(), Some(libc::EMSGSIZE));
            send(1460).unwrap();
            assert_eq!(received(&receiver, whole).await.message.len(), 1460);
            send(1460).unwrap();
            receiver.readable().await.unwrap();
            let mut buffer = [0; 100];
            let cut = eventually(|| receiver.try_receive(&mut buffer).unwrap().map(whole));
            assert_eq!((cut.message.len(), cut.hop_limit), (100, Some(255)));
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn what_is_not_told_is_nothing_that_is_accepted() {
        in_namespace_async(async || {
            let (a, b) = cable();
            let untold = closed(Domain::IPV6, Family::V6, b).unwrap();
            untold.join_multicast_v6(&GROUP_V6, b).unwrap();
            untold.attach_filter(&crate::vrid_filter::program(Family::V6, &[51])).unwrap();
            VrrpSender::open(a, Family::V6).unwrap().send(&packet(OURS, GROUP, 51)).unwrap();
            let mut buffer = [0; 100];
            let found = eventually(|| receive(&untold, &mut buffer).ok().map(whole));
            assert_eq!((found.route, found.hop_limit), (route(OURS, "::"), None));
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn a_renamed_and_cycled_interface_is_still_heard() {
        in_namespace_async(async || {
            let (a, b) = cable();
            let receiver = on(b, GROUP_V6.into());
            let sender = VrrpSender::open(a, Family::V6).unwrap();
            let send = || sender.send(&packet(OURS, GROUP, 51));
            ip("link set dev veth1 down");
            ip("link set dev veth0 down");
            assert_eq!(send().unwrap_err().raw_os_error(), Some(libc::ENETUNREACH));
            ip("link set dev veth1 name renamed.1");
            ip("link set dev veth0 up");
            ip("link set dev renamed.1 up");
            eventually(|| link("veth0").carrier.then_some(()));
            eventually(|| link("renamed.1").carrier.then_some(()));
            send().unwrap();
            heard(&receiver).await;
        });
    }
}
