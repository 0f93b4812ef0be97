//! The IPv6 header before what is sent as a whole frame. Received packets come without it: a raw socket takes it off.
//! Must not look into the payload.

use core::net::Ipv6Addr;

use pnet_packet::ip::IpNextHeaderProtocol;
use pnet_packet::ipv6::MutableIpv6Packet;

use crate::vrrp::HOP_LIMIT;

/// Bytes of a header without extensions (RFC 8200 §3).
pub const HEADER_LENGTH: usize = 40;
/// Traffic class of control traffic (class selector 6 of RFC 2474 §4.2.2), as adverts over IPv4 have it.
pub(crate) const INTERNETWORK_CONTROL: u8 = 0xc0;

/// A whole packet around a payload, with the hop limit of 255 that VRRP and neighbour discovery require.
pub(crate) fn emit(
    source: Ipv6Addr,
    destination: Ipv6Addr,
    traffic_class: u8,
    next_header: IpNextHeaderProtocol,
    payload: &[u8],
) -> Vec<u8> {
    let mut packet = vec![0; HEADER_LENGTH];
    if let Some(mut header) = MutableIpv6Packet::new(&mut packet) {
        header.set_version(6);
        header.set_traffic_class(traffic_class);
        header.set_payload_length(u16::try_from(payload.len()).unwrap_or(u16::MAX));
        header.set_next_header(next_header);
        header.set_hop_limit(HOP_LIMIT);
        header.set_source(source);
        header.set_destination(destination);
    }
    packet.extend(payload);
    packet
}
