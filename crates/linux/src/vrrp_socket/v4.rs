//! VRRP over raw IPv4 sockets (raw(7)): packets begin with their IP header, received and sent.

use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddrV4};

use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
use vipkit_core::units::Family;
use vipkit_core::vrrp::Received;

use super::{bind_to_interface, closed};

/// A socket that receives.
pub(super) fn receiver(interface: u32, group: Ipv4Addr) -> io::Result<Socket> {
    let socket = closed(Domain::IPV4, Family::V4, interface)?;
    // Without this, memberships of other sockets would deliver their groups here too (ip(7)).
    socket.set_multicast_all_v4(false)?;
    socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(interface))?;
    Ok(socket)
}

/// Takes one packet.
pub(super) fn receive<'b>(mut socket: &Socket, buffer: &'b mut [u8]) -> io::Result<Received<'b>> {
    let length = socket.read(buffer)?;
    Ok(Received::V4(buffer.get(..length).unwrap_or_default()))
}

/// A socket that sends.
pub(super) fn sender(interface: u32) -> io::Result<Socket> {
    // IPPROTO_RAW sends any protocol and is handed none (raw(7)).
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW)))?;
    socket.set_nonblocking(true)?;
    socket.set_header_included_v4(true)?;
    // This alone decides the interface, of multicasts too (raw_sendmsg in net/ipv4/raw.c).
    bind_to_interface(&socket, interface)?;
    socket.set_multicast_loop_v4(false)?;
    Ok(socket)
}

/// Sends one packet that begins with its IPv4 header.
pub(super) fn send(socket: &Socket, destination: Ipv4Addr, packet: &[u8]) -> io::Result<()> {
    socket.send_to(packet, &SocketAddrV4::new(destination, 0).into()).map(drop)
}

#[cfg(test)]
mod tests {
    use vipkit_core::vrrp::{GROUP_V4, Packet};

    use super::super::tests::{heard, hears_nothing, on, packet, received};
    use super::super::{VrrpReceiver, VrrpSender};
    use super::*;
    use crate::namespace::{cable, eventually, in_namespace_async, ip, link};

    const GROUP: &str = "224.0.0.18";

    /// To the group, with these IP options.
    fn advert(options: &[u8], vrid: u8) -> Packet {
        let Packet::V4 { destination, mut bytes } = packet("10.0.0.1", GROUP, vrid) else {
            panic!("not over IPv4")
        };
        bytes[0] += options.len() as u8 / 4;
        bytes.splice(20..20, options.iter().copied());
        Packet::V4 { destination, bytes }
    }

    fn bytes(packet: Received<'_>) -> Vec<u8> {
        let Received::V4(bytes) = packet else { panic!("not over IPv4") };
        bytes.to_vec()
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn known_vrids_arrive_with_their_header_and_others_do_not() {
        in_namespace_async(async || {
            let (a, b) = cable();
            let receiver = VrrpReceiver::open(b, GROUP_V4.into()).unwrap();
            let sender = VrrpSender::open(a, Family::V4).unwrap();
            let no_operation = [1; 4];
            let send = |options: &[u8], vrid| sender.send(&advert(options, vrid)).unwrap();

            // Closed at first: this must not arrive.
            send(&[], 51);
            receiver.set_vrids(&[51, 7, 51]).unwrap();
            for vrid in [1, 51, 50] {
                send(&[], vrid);
            }
            // With an option the payload is elsewhere; 1 is what an unheeded option would show as.
            for vrid in [1, 7] {
                send(&no_operation, vrid);
            }
            let first = received(&receiver, bytes).await;
            assert_eq!(first[8], 255, "TTL");
            assert_eq!(first[1], 0xc0, "TOS");
            assert_eq!(u16::from_be_bytes([first[2], first[3]]) as usize, first.len(), "total length");
            assert_eq!((first.len(), first[21]), (28, 51));
            let second = received(&receiver, bytes).await;
            assert_eq!((second.len(), second[0], second[25]), (32, 0x46, 7));
            assert_eq!(receiver.try_receive(&mut [0; 64]).unwrap(), None);

            // Dropped, as the last that passes shows.
            receiver.set_vrids(&[]).unwrap();
            send(&[], 51);
            receiver.set_vrids(&(0..=255).collect::<Vec<_>>()).unwrap();
            send(&[], 255);
            assert_eq!(received(&receiver, bytes).await[21], 255);
            assert_eq!(receiver.try_receive(&mut [0; 64]).unwrap(), None);
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn unicasts_on_another_interface_are_not_heard() {
        in_namespace_async(async || {
            let (_, b) = cable();
            ip("link set dev lo up");
            let loopback = link("lo").index;
            let (at_b, at_loopback) = (on(b, GROUP_V4.into()), on(loopback, GROUP_V4.into()));
            let sender = VrrpSender::open(loopback, Family::V4).unwrap();
            sender.send(&packet("127.0.0.1", "127.0.0.1", 51)).unwrap();
            heard(&at_loopback).await;
            hears_nothing(&at_b).await;
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn another_group_is_not_heard() {
        in_namespace_async(async || {
            let (a, b) = cable();
            // Another's membership makes the interface listen.
            let (receiver, member) = (on(b, "224.0.0.200".parse().unwrap()), on(b, GROUP_V4.into()));
            VrrpSender::open(a, Family::V4).unwrap().send(&advert(&[], 51)).unwrap();
            heard(&member).await;
            hears_nothing(&receiver).await;
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn a_renamed_and_cycled_interface_is_still_heard() {
        in_namespace_async(async || {
            let (a, b) = cable();
            let receiver = on(b, GROUP_V4.into());
            let sender = VrrpSender::open(a, Family::V4).unwrap();
            ip("link set dev veth1 down");
            let refused = sender.send(&advert(&[], 51));
            assert!(refused.is_ok(), "a link without carrier takes packets and loses them: {refused:?}");
            ip("link set dev veth0 down");
            assert_eq!(sender.send(&advert(&[], 51)).unwrap_err().raw_os_error(), Some(libc::ENETUNREACH));
            ip("link set dev veth1 name renamed.1");
            ip("link set dev veth0 up");
            ip("link set dev renamed.1 up");
            eventually(|| link("veth0").carrier.then_some(()));
            eventually(|| link("renamed.1").carrier.then_some(()));
            sender.send(&advert(&[], 51)).unwrap();
            heard(&receiver).await;
        });
    }
}
