//! Sends ready-made Ethernet frames: announcements of ARP and neighbour discovery, and adverts from a virtual MAC. Must
//! not receive: the socket asks for no protocol, so the kernel hands it nothing.

use std::io;
use std::mem;

use socket2::{Domain, SockAddr, SockAddrStorage, Socket, Type};

use crate::vrrp_socket::TC_PRIO_CONTROL;

/// A sender of frames on any interface.
pub struct PacketSocket {
    socket: Socket,
}

impl PacketSocket {
    /// Opens the socket (packet(7), SOCK_RAW, protocol 0).
    ///
    /// # Errors
    /// CAP_NET_RAW missing.
    pub fn open() -> io::Result<Self> {
        let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
        socket.set_nonblocking(true)?;
        socket.set_priority(TC_PRIO_CONTROL)?;
        Ok(Self { socket })
    }

    /// Sends a frame, Ethernet header first, out of the interface with this index. Never waits.
    ///
    /// # Errors
    /// `InvalidInput` for less than an Ethernet header, `WouldBlock` when the send buffer is full, ENETDOWN or ENXIO
    /// when the interface is down or gone.
    pub fn send(&self, interface: u32, frame: &[u8]) -> io::Result<()> {
        let ether_type = frame.get(ETHER_TYPE).and_then(|bytes| bytes.try_into().ok());
        let index = i32::try_from(interface).ok();
        let (Some(ether_type), Some(index)) = (ether_type, index) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        self.socket.send_to(frame, &link_address(index, u16::from_ne_bytes(ether_type))).map(drop)
    }
}

/// A `sockaddr_ll` with the protocol in network byte order (packet(7)).
fn link_address(index: i32, protocol: u16) -> SockAddr {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: `sockaddr_ll` is plain data and one of the types a `sockaddr_storage` is made to be viewed as.
    let address = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    address.sll_family = libc::AF_PACKET as libc::sa_family_t;
    address.sll_protocol = protocol;
    address.sll_ifindex = index;
    // SAFETY: the storage holds an initialised `sockaddr_ll`, and this is its length.
    unsafe { SockAddr::new(storage, mem::size_of::<libc::sockaddr_ll>() as libc::socklen_t) }
}

/// Where the EtherType is in an Ethernet header (linux/if_ether.h).
const ETHER_TYPE: std::ops::Range<usize> = 12..14;

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::time::Duration;

    use socket2::Protocol;

    use super::*;
    use crate::namespace::{eventually, in_namespace, ip, link};

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn a_frame_arrives_as_it_was_sent() {
        in_namespace(|| {
            ip("link add name veth0 type veth peer name veth1");
            ip("link set dev veth0 up");
            ip("link set dev veth1 up");
            eventually(|| (link("veth0").carrier && link("veth1").carrier).then_some(()));
            let arp = u16::to_be(libc::ETH_P_ARP as u16);
            let mut other_end =
                Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(i32::from(arp)))).unwrap();
            other_end.bind(&link_address(link("veth1").index as i32, arp)).unwrap();
            other_end.set_read_timeout(Some(Duration::from_secs(5))).unwrap();

            let mut frame = vec![0xff; 6];
            frame.extend([2, 0, 0, 0, 0, 1, 0x08, 0x06]);
            frame.extend(1..=28);
            let socket = PacketSocket::open().unwrap();
            socket.send(link("veth0").index, &frame).unwrap();
            let mut received = [0; 100];
            let length = other_end.read(&mut received).unwrap();
            assert_eq!(&received[..length], frame);

            assert_eq!(
                socket.send(link("veth0").index, &frame[..13]).unwrap_err().kind(),
                io::ErrorKind::InvalidInput
            );
            assert!(socket.send(4711, &frame).is_err());
            ip("link set dev veth0 down");
            assert_eq!(
                socket.send(link("veth0").index, &frame).unwrap_err().raw_os_error(),
                Some(libc::ENETDOWN)
            );
        });
    }
}
