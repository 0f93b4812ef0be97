//! Whole Ethernet frames: what a packet socket takes when the station that sends is not the interface's own, as a
//! virtual router's is not. Must not decide which station that is.

use core::net::{Ipv4Addr, Ipv6Addr};

use pnet_base::MacAddr;
use pnet_packet::ethernet::{EtherType, EtherTypes, MutableEthernetPacket};
use pnet_packet::ip::IpNextHeaderProtocols::Vrrp;

use crate::ipv6;
use crate::units::{Family, Vrid};
use crate::vrrp::Packet;

/// A link-layer address of six bytes.
pub type Mac = [u8; 6];

/// Bytes of a header without tags.
pub const HEADER_LENGTH: usize = 14;
/// Every station.
pub(crate) const BROADCAST: Mac = [0xff; 6];

/// The address of a virtual router's station (RFC 9568 §7.3).
#[must_use]
pub const fn virtual_mac(family: Family, vrid: Vrid) -> Mac {
    let family = match family {
        Family::V4 => 1,
        Family::V6 => 2,
    };
    [0x00, 0x00, 0x5e, 0x00, family, vrid.number()]
}

/// The frame of an advert from a station to a multicast group; none if it goes to one peer, whose link-layer address
/// only the kernel knows.
#[must_use]
pub fn frame(source: Mac, packet: &Packet) -> Option<Vec<u8>> {
    match packet {
        Packet::V4 { destination, bytes } if destination.is_multicast() => {
            Some(emit(source, group_v4(*destination), EtherTypes::Ipv4, bytes))
        }
        Packet::V6 { source: from, destination, message } if destination.is_multicast() => {
            let bytes = ipv6::emit(*from, *destination, ipv6::INTERNETWORK_CONTROL, Vrrp, message);
            Some(emit(source, group_v6(*destination), EtherTypes::Ipv6, &bytes))
        }
        Packet::V4 { .. } | Packet::V6 { .. } => None,
    }
}

/// A frame around a packet.
pub(crate) fn emit(source: Mac, destination: Mac, kind: EtherType, packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; HEADER_LENGTH];
    if let Some(mut header) = MutableEthernetPacket::new(&mut frame) {
        header.set_destination(MacAddr::from(destination));
        header.set_source(MacAddr::from(source));
        header.set_ethertype(kind);
    }
    frame.extend(packet);
    frame
}

/// The stations of a group: its low 23 bits behind 01-00-5E (RFC 1112 §6.4).
const fn group_v4(group: Ipv4Addr) -> Mac {
    let [_, b, c, d] = group.octets();
    [0x01, 0x00, 0x5e, b & 0x7f, c, d]
}

/// The stations of a group: its low 32 bits behind 33-33 (RFC 2464 §7).
pub(crate) const fn group_v6(group: Ipv6Addr) -> Mac {
    let [.., a, b, c, d] = group.octets();
    [0x33, 0x33, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vrrp::{GROUP_V4, GROUP_V6, Route};

    const VRID: Vrid = Vrid::new(51).unwrap();

    #[test]
    fn frame_of_an_advert_over_ipv4() {
        let route = Route { source: [10, 0, 1, 1].into(), destination: GROUP_V4.into() };
        let packet = Packet::new(route, vec![0x31, 51]).unwrap();
        #[rustfmt::skip]
        let expected = [
            0x01, 0x00, 0x5e, 0, 0, 0x12, 0x00, 0x00, 0x5e, 0x00, 0x01, 51, 0x08, 0x00, // to the group, IPv4
            0x45, 0xc0, 0, 22, 0, 0, 0, 0, 255, 112, 0xcf, 0xa4, // lengths, TTL, VRRP, checksum
            10, 0, 1, 1, 224, 0, 0, 18, 0x31, 51,
        ];
        assert_eq!(frame(virtual_mac(Family::V4, VRID), &packet).unwrap(), expected);
    }

    #[test]
    fn frame_of_an_advert_over_ipv6() {
        let source: Ipv6Addr = "fe80::1".parse().unwrap();
        let route = Route { source: source.into(), destination: GROUP_V6.into() };
        let packet = Packet::new(route, vec![0x31, 51]).unwrap();
        let mut expected = vec![0x33, 0x33, 0, 0, 0, 0x12, 0x00, 0x00, 0x5e, 0x00, 0x02, 51, 0x86, 0xdd];
        expected.extend([0x6c, 0, 0, 0, 0, 2, 112, 255]); // traffic class 0xc0, two bytes of VRRP, hop limit
        expected.extend(source.octets());
        expected.extend(GROUP_V6.octets());
        expected.extend([0x31, 51]);
        assert_eq!(frame(virtual_mac(Family::V6, VRID), &packet).unwrap(), expected);
    }

    #[test]
    fn no_frame_to_one_peer() {
        for (source, destination) in [("10.0.1.1", "10.0.1.2"), ("fe80::1", "fe80::2")] {
            let route = Route { source: source.parse().unwrap(), destination: destination.parse().unwrap() };
            assert_eq!(frame([2, 0, 0, 0, 0, 10], &Packet::new(route, vec![0]).unwrap()), None);
        }
    }

    #[test]
    fn only_the_low_bits_of_a_group_count() {
        assert_eq!(group_v4(Ipv4Addr::new(239, 129, 2, 3)), [0x01, 0x00, 0x5e, 1, 2, 3]);
        assert_eq!(
            group_v6(Ipv6Addr::new(0xff0e, 0, 0, 0, 0, 9, 0x1234, 0x5678)),
            [0x33, 0x33, 0x12, 0x34, 0x56, 0x78]
        );
    }
}
