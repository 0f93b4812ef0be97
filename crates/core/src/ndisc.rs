//! Unsolicited neighbour advertisements: the frame that tells a network which station answers for an IPv6 address now.
//! Must not decide when or how often: see the announcer of vrrpd.

use core::net::Ipv6Addr;

use pnet_packet::ethernet::EtherTypes;
use pnet_packet::icmpv6::Icmpv6Packet;
use pnet_packet::icmpv6::Icmpv6Types::NeighborAdvert;
use pnet_packet::icmpv6::ndp::{MutableNdpOptionPacket, MutableNeighborAdvertPacket, NdpOptionTypes};
use pnet_packet::icmpv6::{self, ndp::NeighborAdvertFlags};
use pnet_packet::ip::IpNextHeaderProtocols::Icmpv6;

use crate::ethernet::{self, Mac};
use crate::ipv6;

/// Bytes of a neighbour advertisement and its one option (RFC 4861 §4.4 and §4.6.1).
const MESSAGE_LENGTH: usize = 24 + 8;
/// Bytes of the whole frame.
pub const FRAME_LENGTH: usize = ethernet::HEADER_LENGTH + ipv6::HEADER_LENGTH + MESSAGE_LENGTH;

/// All nodes of the link (RFC 4291 §2.7.1).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// An advertisement of `address` to all nodes with the Router and Override flags set and the target's link-layer
/// address (RFC 9568 §6.4.1, RFC 4861 §7.2.6).
#[must_use]
pub fn unsolicited(sender: Mac, address: Ipv6Addr) -> Vec<u8> {
    let mut message = [0; MESSAGE_LENGTH];
    if let Some(mut advert) = MutableNeighborAdvertPacket::new(&mut message) {
        advert.set_icmpv6_type(NeighborAdvert);
        advert.set_flags(NeighborAdvertFlags::Router | NeighborAdvertFlags::Override);
        advert.set_target_addr(address);
        if let Some(mut option) = MutableNdpOptionPacket::new(advert.get_options_raw_mut()) {
            option.set_option_type(NdpOptionTypes::TargetLLAddr);
            option.set_length(1); // of 8 bytes
            option.set_data(&sender);
        }
    }
    let sum = Icmpv6Packet::new(&message).map(|packet| icmpv6::checksum(&packet, &address, &ALL_NODES));
    if let Some(mut advert) = MutableNeighborAdvertPacket::new(&mut message) {
        advert.set_checksum(sum.unwrap_or_default());
    }
    let packet = ipv6::emit(address, ALL_NODES, 0, Icmpv6, &message);
    ethernet::emit(sender, ethernet::group_v6(ALL_NODES), EtherTypes::Ipv6, &packet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emit_unsolicited() {
        let (mac, address) = ([2, 0, 0, 0, 0, 10], "fd00:4::80".parse().unwrap());
        #[rustfmt::skip]
        let expected = [
            0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 10, 0x86, 0xdd, // Ethernet: to all nodes, IPv6
            0x60, 0, 0, 0, 0, 32, 58, 255, // 32 bytes of ICMPv6, hop limit
            0xfd, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, // source
            0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, // all nodes
            136, 0, 0xd9, 0x8b, 0xa0, 0, 0, 0, // neighbour advertisement, checksum, Router and Override
            0xfd, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, // target
            2, 1, 2, 0, 0, 0, 0, 10, // target link-layer address
        ];
        assert_eq!(unsolicited(mac, address), expected);
    }
}
