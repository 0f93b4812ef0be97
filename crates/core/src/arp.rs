//! Gratuitous ARP: the frame that tells a network which station answers for an address now.
//! Must not decide when or how often: see the announcer of vrrpd.

use core::net::Ipv4Addr;

use pnet_base::MacAddr;
use pnet_packet::arp::{ArpHardwareTypes, ArpOperations, MutableArpPacket};
use pnet_packet::ethernet::EtherTypes;

use crate::ethernet;

pub use crate::ethernet::Mac;

/// Bytes of an ARP packet for IPv4 over Ethernet (RFC 826).
const PACKET_LENGTH: usize = 28;
/// Bytes of the whole frame.
pub const FRAME_LENGTH: usize = ethernet::HEADER_LENGTH + PACKET_LENGTH;

/// A broadcast ARP request with sender and target `address` (RFC 9568 §6.4.1, RFC 5227 §3).
///
/// The target hardware address is broadcast as other VRRP routers send it; erratum 7947 would have the
/// sender's own there, and receivers must not look at it (RFC 826).
#[must_use]
pub fn gratuitous(sender: Mac, address: Ipv4Addr) -> Vec<u8> {
    let mut packet = [0; PACKET_LENGTH];
    if let Some(mut arp) = MutableArpPacket::new(&mut packet) {
        arp.set_hardware_type(ArpHardwareTypes::Ethernet);
        arp.set_protocol_type(EtherTypes::Ipv4);
        arp.set_hw_addr_len(6);
        arp.set_proto_addr_len(4);
        arp.set_operation(ArpOperations::Request);
        arp.set_sender_hw_addr(MacAddr::from(sender));
        arp.set_sender_proto_addr(address);
        arp.set_target_hw_addr(MacAddr::broadcast());
        arp.set_target_proto_addr(address);
    }
    ethernet::emit(sender, ethernet::BROADCAST, EtherTypes::Arp, &packet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emit_gratuitous() {
        #[rustfmt::skip]
        let expected = [
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 10, 0x08, 0x06, // Ethernet: to all, ARP
            0, 1, 0x08, 0, 6, 4, 0, 1, // Ethernet, IPv4, lengths, request
            2, 0, 0, 0, 0, 10, 192, 168, 4, 80, // sender
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 192, 168, 4, 80, // target
        ];
        assert_eq!(gratuitous([2, 0, 0, 0, 0, 10], Ipv4Addr::new(192, 168, 4, 80)), expected);
    }
}
