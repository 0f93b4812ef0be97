//! Raw sockets for VRRP on one interface: one that receives adverts and one that sends them, in `v4` and `v6` as each
//! family has it. Bytes only: what is in a packet is parsed, checked and built by the caller.

mod v4;
mod v6;

use std::io::{self, Read};
use std::net::IpAddr;
use std::num::NonZeroU32;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use vipkit_core::units::Family;
use vipkit_core::vrrp::{self, Packet, Received};

use crate::vrid_filter;

/// Receives the adverts of one family that arrive on one interface.
pub struct VrrpReceiver {
    socket: AsyncFd<Socket>,
    family: Family,
}

impl VrrpReceiver {
    /// Opens a socket for IP protocol 112 on the interface with this index, a member of `group` there. It receives
    /// nothing until [`set_vrids`](Self::set_vrids), then what is sent to the group and to the host's own addresses.
    /// Bound by index, it survives a renaming; when the interface is deleted it falls silent and must be opened anew on
    /// the next. Needs a tokio runtime.
    ///
    /// # Errors
    /// CAP_NET_RAW missing, or no such interface.
    pub fn open(interface: u32, group: IpAddr) -> io::Result<Self> {
        let socket = match group {
            IpAddr::V4(group) => v4::receiver(interface, group),
            IpAddr::V6(group) => v6::receiver(interface, group),
        }?;
        // SAFETY: `Socket` owns its descriptor and neither closes nor replaces it before it is dropped.
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?;
        Ok(Self { socket, family: Family::of(group) })
    }

    /// Passes adverts with these VRIDs from now on, and drops all others in the kernel. What is already queued
    /// stays so.
    ///
    /// # Errors
    /// No memory for the program.
    pub fn set_vrids(&self, vrids: &[u8]) -> io::Result<()> {
        self.socket.get_ref().attach_filter(&vrid_filter::program(self.family, vrids))
    }

    /// Waits until [`try_receive`](Self::try_receive) is worth a call. May be dropped at any time.
    ///
    /// # Errors
    /// The runtime is shutting down.
    pub async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await.map(drop)
    }

    /// Takes one packet, fragments joined by the kernel; `None` when there is none. What does not fit in `buffer` is
    /// cut off: over IPv4 the header's total length tells, over IPv6 the checksum.
    ///
    /// # Errors
    /// What the kernel reports of the socket.
    pub fn try_receive<'b>(&self, buffer: &'b mut [u8]) -> io::Result<Option<Received<'b>>> {
        let received = self.socket.try_io(Interest::READABLE, |socket| match self.family {
            Family::V4 => v4::receive(socket, buffer),
            Family::V6 => v6::receive(socket, buffer),
        });
        match received {
            Ok(received) => Ok(Some(received)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Sends the adverts of one family out of one interface.
pub struct VrrpSender {
    socket: Socket,
    interface: u32,
    family: Family,
}

impl VrrpSender {
    /// Opens a socket that sends on the interface with this index. It receives nothing, and this host does not hear
    /// the multicasts it sends. Whether the interface exists shows when something is sent.
    ///
    /// # Errors
    /// CAP_NET_RAW missing.
    pub fn open(interface: u32, family: Family) -> io::Result<Self> {
        let socket = match family {
            Family::V4 => v4::sender(interface),
            Family::V6 => v6::sender(interface),
        }?;
        socket.set_priority(TC_PRIO_CONTROL)?;
        Ok(Self { socket, interface, family })
    }

    /// Sends one packet to a group or a host. Never waits.
    ///
    /// Over IPv4 the kernel fills in the header's checksum and total length, and its identification if zero (raw(7)).
    /// Over IPv6 it makes the header, hop limit 255, from the source given, which need not be usable yet, and fills in
    /// the message's checksum (RFC 3542 §3.1).
    ///
    /// # Errors
    /// `InvalidInput` for a packet of the other family, `WouldBlock` when the send buffer is full, ENETUNREACH when the
    /// interface is down, ENODEV when it is gone, EMSGSIZE beyond its MTU.
    pub fn send(&self, packet: &Packet) -> io::Result<()> {
        match (self.family, packet) {
            (Family::V4, Packet::V4 { destination, bytes }) => v4::send(&self.socket, *destination, bytes),
            (Family::V6, Packet::V6 { source, destination, message }) => {
                v6::send(&self.socket, self.interface, (*source, *destination), message)
            }
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}

/// A raw socket for protocol 112 that receives on this interface alone, and there nothing yet.
fn closed(domain: Domain, family: Family, interface: u32) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(i32::from(vrrp::PROTOCOL))))?;
    socket.set_nonblocking(true)?;
    // A raw socket receives from all interfaces from its first moment: close it, then empty it.
    socket.attach_filter(&vrid_filter::program(family, &[]))?;
    bind_to_interface(&socket, interface)?;
    drain(&socket)?;
    Ok(socket)
}

fn bind_to_interface(socket: &Socket, interface: u32) -> io::Result<()> {
    // Index 0 would unbind.
    let index = NonZeroU32::new(interface).ok_or_else(|| io::Error::from_raw_os_error(libc::ENODEV))?;
    // SO_BINDTOIFINDEX: one option for both families.
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

/// The queueing priority of network control traffic (linux/pkt_sched.h).
pub(crate) const TC_PRIO_CONTROL: u32 = 6;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;
    use crate::namespace::{cable, in_namespace_async, link};

    /// Opened on this interface, letting VRID 51 in.
    pub(super) fn on(interface: u32, group: IpAddr) -> VrrpReceiver {
        let receiver = VrrpReceiver::open(interface, group).unwrap();
        receiver.set_vrids(&[51]).unwrap();
        receiver
    }

    /// What `see` makes of the next packet.
    pub(super) async fn received<T>(receiver: &VrrpReceiver, see: impl Fn(Received<'_>) -> T) -> T {
        let mut buffer = [0; 2048];
        loop {
            timeout(Duration::from_secs(5), receiver.readable()).await.unwrap().unwrap();
            if let Some(packet) = receiver.try_receive(&mut buffer).unwrap() {
                return see(packet);
            }
        }
    }

    pub(super) async fn heard(receiver: &VrrpReceiver) {
        received(receiver, |_| ()).await;
    }

    pub(super) async fn hears_nothing(receiver: &VrrpReceiver) {
        timeout(Duration::from_millis(20), heard(receiver)).await.unwrap_err();
    }

    /// A packet whose message is an advert's first bytes.
    pub(super) fn packet(source: &str, destination: &str, vrid: u8) -> Packet {
        let route =
            vrrp::Route { source: source.parse().unwrap(), destination: destination.parse().unwrap() };
        Packet::new(route, vec![0x31, vrid, 100, 1, 0, 100, 0, 0]).unwrap()
    }

    /// One of each family, to its group.
    pub(super) fn adverts() -> [(Family, Packet); 2] {
        [(Family::V4, packet("10.0.0.1", "224.0.0.18", 51)), (Family::V6, packet("fe80::a", "ff02::12", 51))]
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn an_interface_hears_neither_others_nor_itself() {
        in_namespace_async(async || {
            let (a, b) = cable();
            let loopback = link("lo").index;
            for (family, advert) in adverts() {
                let group = vrrp::group(family);
                let (at_a, at_b, at_c) = (on(a, group), on(b, group), on(loopback, group));
                VrrpSender::open(a, family).unwrap().send(&advert).unwrap();
                assert_eq!(received(&at_b, |packet| packet.vrid()).await, Some(51));
                for silent in [&at_a, &at_c] {
                    hears_nothing(silent).await;
                }
            }
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn families_with_one_vrid_do_not_hear_each_other() {
        in_namespace_async(async || {
            let (a, b) = cable();
            let receivers = [Family::V4, Family::V6].map(|family| on(b, vrrp::group(family)));
            for (family, advert) in adverts() {
                VrrpSender::open(a, family).unwrap().send(&advert).unwrap();
            }
            for (receiver, (family, _)) in receivers.iter().zip(adverts()) {
                assert_eq!(received(receiver, |packet| packet.family()).await, family);
                hears_nothing(receiver).await;
            }
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn a_missing_interface_is_an_error() {
        in_namespace_async(async || {
            cable();
            for (family, advert) in adverts() {
                for index in [0, 4711, u32::MAX] {
                    assert!(VrrpReceiver::open(index, vrrp::group(family)).is_err());
                }
                assert!(VrrpSender::open(0, family).is_err());
                let refused = VrrpSender::open(4711, family).unwrap().send(&advert).unwrap_err();
                assert_eq!(refused.raw_os_error(), Some(libc::ENODEV), "{family}");
            }
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn a_packet_of_the_other_family_is_refused() {
        in_namespace_async(async || {
            let (a, _) = cable();
            let [(v4, over_v4), (v6, over_v6)] = adverts();
            for (family, other) in [(v4, over_v6), (v6, over_v4)] {
                let refused = VrrpSender::open(a, family).unwrap().send(&other).unwrap_err();
                assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
            }
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn a_closed_receiver_and_a_sender_keep_nothing_of_what_arrives() {
        in_namespace_async(async || {
            let (a, b) = cable();
            for (family, advert) in adverts() {
                let receiver = VrrpReceiver::open(b, vrrp::group(family)).unwrap();
                let receiving_sender = VrrpSender::open(b, family).unwrap();
                let open = on(b, vrrp::group(family));
                VrrpSender::open(a, family).unwrap().send(&advert).unwrap();
                heard(&open).await;
                hears_nothing(&receiver).await;
                let mut byte = [0];
                let nothing = (&receiving_sender.socket).read(&mut byte).unwrap_err();
                assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
            }
        });
    }
}
