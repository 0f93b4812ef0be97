//! Raw IPv4 sockets for VRRP on one interface: one that receives adverts and one that sends them. Bytes only: the
//! packet is parsed, checked and built by the caller, IP header included. IPv6 has no header in its raw sockets and
//! will be a file of its own.

use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::num::NonZeroU32;

use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::vrid_filter;

/// Receives the adverts that arrive on one interface.
pub struct VrrpReceiver {
    socket: AsyncFd<Socket>,
}

impl VrrpReceiver {
    /// Opens a socket for IP protocol 112 on the interface with this index, a member of `group` there. It receives
    /// nothing until [`set_vrids`](Self::set_vrids). Bound by index, it survives a renaming; when the interface is
    /// deleted it falls silent and must be opened anew on the next. Needs a tokio runtime.
    ///
    /// # Errors
    /// CAP_NET_RAW missing, or no such interface.
    pub fn open(interface: u32, group: Ipv4Addr) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(IPPROTO_VRRP)))?;
        socket.set_nonblocking(true)?;
        // A raw socket receives from all interfaces from its first moment: close it, then empty it.
        socket.attach_filter(&vrid_filter::program(&[]))?;
        bind_to_interface(&socket, interface)?;
        drain(&socket)?;
        // Without this, memberships of other sockets would deliver their groups here too (ip(7)).
        socket.set_multicast_all_v4(false)?;
        socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(interface))?;
        // SAFETY: `Socket` owns its descriptor and neither closes nor replaces it before it is dropped.
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?;
        Ok(Self { socket })
    }

    /// Passes adverts with these VRIDs from now on, and drops all others in the kernel. What is already queued
    /// stays so.
    ///
    /// # Errors
    /// No memory for the program.
    pub fn set_vrids(&self, vrids: &[u8]) -> io::Result<()> {
        self.socket.get_ref().attach_filter(&vrid_filter::program(vrids))
    }

    /// Waits until [`try_receive`](Self::try_receive) is worth a call. May be dropped at any time.
    ///
    /// # Errors
    /// The runtime is shutting down.
    pub async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await.map(drop)
    }

    /// Takes one packet, IP header first, fragments joined by the kernel, and returns its length; `None` when there
    /// is none. What does not fit in `buffer` is cut off: the header's total length tells.
    ///
    /// # Errors
    /// What the kernel reports of the socket.
    pub fn try_receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match self.socket.try_io(Interest::READABLE, |mut socket| socket.read(buffer)) {
            Ok(length) => Ok(Some(length)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Sends packets with the caller's own IPv4 header out of one interface.
pub struct VrrpSender {
    socket: Socket,
}

impl VrrpSender {
    /// Opens a socket that sends on the interface with this index. It receives nothing, and this host does not hear
    /// the multicasts it sends. Whether the interface exists shows when something is sent.
    ///
    /// # Errors
    /// CAP_NET_RAW missing.
    pub fn open(interface: u32) -> io::Result<Self> {
        // IPPROTO_RAW sends any protocol and is handed none (raw(7)).
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW)))?;
        socket.set_nonblocking(true)?;
        socket.set_header_included_v4(true)?;
        // This alone decides the interface, of multicasts too (raw_sendmsg in net/ipv4/raw.c).
        bind_to_interface(&socket, interface)?;
        socket.set_multicast_loop_v4(false)?;
        socket.set_priority(TC_PRIO_CONTROL)?;
        Ok(Self { socket })
    }

    /// Sends one packet that begins with its IPv4 header. The kernel fills in the header's checksum and total
    /// length, and its identification if zero (raw(7)). Never waits.
    ///
    /// # Errors
    /// `WouldBlock` when the send buffer is full, ENETUNREACH when the interface is down, ENODEV when it is gone,
    /// EMSGSIZE beyond its MTU.
    pub fn send(&self, packet: &[u8], destination: Ipv4Addr) -> io::Result<()> {
        self.socket.send_to(packet, &SocketAddrV4::new(destination, 0).into()).map(drop)
    }
}

fn bind_to_interface(socket: &Socket, interface: u32) -> io::Result<()> {
    // Index 0 would unbind.
    let index = NonZeroU32::new(interface).ok_or_else(|| io::Error::from_raw_os_error(libc::ENODEV))?;
    socket.bind_device_by_index_v4(Some(index))
}

fn drain(mut socket: &Socket) -> io::Result<()> {
    // Terminates: the filter lets nothing in any more. A zero-length read still takes its packet.
    loop {
        match socket.read(&mut []) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// VRRP's IP protocol number (RFC 9568 §5.1.1.4).
const IPPROTO_VRRP: i32 = 112;
/// The queueing priority of network control traffic (linux/pkt_sched.h).
const TC_PRIO_CONTROL: u32 = 6;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;
    use crate::namespace::{eventually, in_namespace_async, ip, link};

    const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

    /// An IPv4 packet of protocol 112 from 10.0.0.1 whose payload is an advert's first bytes.
    fn packet(options: &[u8], vrid: u8) -> Vec<u8> {
        let header_words = 5 + options.len() as u8 / 4;
        let mut packet = vec![0x40 | header_words, 0xc0, 0, 0, 0, 0, 0, 0, 255, 112, 0, 0, 10, 0, 0, 1];
        packet.extend(GROUP.octets());
        packet.extend(options);
        packet.extend([0x31, vrid, 100, 1, 0, 100, 0, 0]);
        packet
    }

    /// Two ends of a cable in one namespace, sending on the first and receiving on the second.
    fn cable() -> (u32, u32) {
        ip("link add name veth0 type veth peer name veth1");
        ip("link set dev veth0 up");
        ip("link set dev veth1 up");
        eventually(|| (link("veth0").carrier && link("veth1").carrier).then_some(()));
        (link("veth0").index, link("veth1").index)
    }

    async fn received(receiver: &VrrpReceiver) -> Vec<u8> {
        let mut buffer = [0; 2048];
        loop {
            timeout(Duration::from_secs(5), receiver.readable()).await.unwrap().unwrap();
            if let Some(length) = receiver.try_receive(&mut buffer).unwrap() {
                return buffer[..length].to_vec();
            }
        }
    }

    async fn hears_nothing(receiver: &VrrpReceiver) {
        timeout(Duration::from_millis(20), received(receiver)).await.unwrap_err();
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn known_vrids_arrive_with_their_header_and_others_do_not() {
        in_namespace_async(async || {
            let (a, b) = cable();
            let receiver = VrrpReceiver::open(b, GROUP).unwrap();
            let sender = VrrpSender::open(a).unwrap();
            let no_operation = [1; 4];
            let send = |options: &[u8], vrid| sender.send(&packet(options, vrid), GROUP).unwrap();

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
            let first = received(&receiver).await;
            assert_eq!(first[8], 255, "TTL");
            assert_eq!(first[1], 0xc0, "TOS");
            assert_eq!(u16::from_be_bytes([first[2], first[3]]) as usize, first.len(), "total length");
            assert_eq!((first.len(), first[21]), (28, 51));
            let second = received(&receiver).await;
            assert_eq!((second.len(), second[0], second[25]), (32, 0x46, 7));
            assert_eq!(receiver.try_receive(&mut [0; 64]).unwrap(), None);

            // Dropped, as the last that passes shows.
            receiver.set_vrids(&[]).unwrap();
            send(&[], 51);
            receiver.set_vrids(&(0..=255).collect::<Vec<_>>()).unwrap();
            send(&[], 255);
            assert_eq!(received(&receiver).await[21], 255);
            assert_eq!(receiver.try_receive(&mut [0; 64]).unwrap(), None);
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn an_interface_hears_neither_others_nor_itself() {
        in_namespace_async(async || {
            let (a, b) = cable();
            ip("link add name veth2 type veth peer name veth3");
            ip("link set dev veth2 up");
            ip("link set dev veth3 up");
            let on = |index| {
                let receiver = VrrpReceiver::open(index, GROUP).unwrap();
                receiver.set_vrids(&[51]).unwrap();
                receiver
            };
            let (at_a, at_b, at_c) = (on(a), on(b), on(link("veth2").index));
            VrrpSender::open(a).unwrap().send(&packet(&[], 51), GROUP).unwrap();
            received(&at_b).await;
            for silent in [&at_a, &at_c] {
                hears_nothing(silent).await;
            }
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn unicasts_on_another_interface_are_not_heard() {
        in_namespace_async(async || {
            let (_, b) = cable();
            ip("link set dev lo up");
            let loopback = link("lo").index;
            let (at_b, at_loopback) =
                (VrrpReceiver::open(b, GROUP).unwrap(), VrrpReceiver::open(loopback, GROUP).unwrap());
            at_b.set_vrids(&[51]).unwrap();
            at_loopback.set_vrids(&[51]).unwrap();
            let mut unicast = packet(&[], 51);
            unicast[16..20].copy_from_slice(&Ipv4Addr::LOCALHOST.octets());
            VrrpSender::open(loopback).unwrap().send(&unicast, Ipv4Addr::LOCALHOST).unwrap();
            received(&at_loopback).await;
            hears_nothing(&at_b).await;
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn another_group_is_not_heard() {
        in_namespace_async(async || {
            let (a, b) = cable();
            let receiver = VrrpReceiver::open(b, Ipv4Addr::new(224, 0, 0, 200)).unwrap();
            receiver.set_vrids(&[51]).unwrap();
            // Another's membership makes the interface listen.
            let other = VrrpReceiver::open(b, GROUP).unwrap();
            other.set_vrids(&[51]).unwrap();
            VrrpSender::open(a).unwrap().send(&packet(&[], 51), GROUP).unwrap();
            received(&other).await;
            hears_nothing(&receiver).await;
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn a_renamed_and_cycled_interface_is_still_heard() {
        in_namespace_async(async || {
            let (a, b) = cable();
            let receiver = VrrpReceiver::open(b, GROUP).unwrap();
            receiver.set_vrids(&[51]).unwrap();
            let sender = VrrpSender::open(a).unwrap();
            ip("link set dev veth1 down");
            let refused = sender.send(&packet(&[], 51), GROUP);
            assert!(refused.is_ok(), "a link without carrier takes packets and loses them: {refused:?}");
            ip("link set dev veth0 down");
            assert_eq!(
                sender.send(&packet(&[], 51), GROUP).unwrap_err().raw_os_error(),
                Some(libc::ENETUNREACH)
            );
            ip("link set dev veth1 name renamed.1");
            ip("link set dev veth0 up");
            ip("link set dev renamed.1 up");
            eventually(|| link("veth0").carrier.then_some(()));
            eventually(|| link("renamed.1").carrier.then_some(()));
            sender.send(&packet(&[], 51), GROUP).unwrap();
            received(&receiver).await;
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn a_missing_interface_is_an_error() {
        in_namespace_async(async || {
            for index in [0, 4711, u32::MAX] {
                assert!(VrrpReceiver::open(index, GROUP).is_err());
            }
            assert!(VrrpSender::open(0).is_err());
            let refused = VrrpSender::open(4711).unwrap().send(&packet(&[], 51), GROUP).unwrap_err();
            assert_eq!(refused.raw_os_error(), Some(libc::ENODEV));
        });
    }
}
