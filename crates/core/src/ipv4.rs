//! The IPv4 header around an advert: taken off what a raw socket delivers, put before what it sends.
//! Must not look into the payload.

use core::net::Ipv4Addr;

use pnet_packet::ip::{IpNextHeaderProtocol, IpNextHeaderProtocols::Vrrp};
use pnet_packet::ipv4::{Ipv4Packet, MutableIpv4Packet};

use crate::vrrp::{Datagram, HOP_LIMIT, PROTOCOL, Reject, Route};

/// Bytes of a header without options (RFC 791 §3.1).
pub const HEADER_LENGTH: usize = 20;
/// Precedence 6, internetwork control: what other VRRP routers set too (RFC 791 §3.1).
const TYPE_OF_SERVICE: u8 = 0xc0;
const MORE_FRAGMENTS: u8 = 0b001;

/// Takes the header off a whole packet. Bytes beyond its total length (padding of the link) are left out.
///
/// # Errors
/// [`Reject::IpHeader`], [`Reject::Fragment`] or [`Reject::Protocol`].
pub fn parse(packet: &[u8]) -> Result<Datagram<'_>, Reject> {
    let header = Ipv4Packet::new(packet).ok_or(Reject::IpHeader)?;
    let start = usize::from(header.get_header_length()) * 4;
    let end = usize::from(header.get_total_length());
    if header.get_version() != 4 || start < HEADER_LENGTH {
        return Err(Reject::IpHeader);
    }
    let message = packet.get(start..end).ok_or(Reject::IpHeader)?;
    if header.get_flags() & MORE_FRAGMENTS != 0 || header.get_fragment_offset() != 0 {
        return Err(Reject::Fragment);
    }
    let IpNextHeaderProtocol(found) = header.get_next_level_protocol();
    if found != PROTOCOL {
        return Err(Reject::Protocol { found });
    }
    let route = Route { source: header.get_source().into(), destination: header.get_destination().into() };
    Ok(Datagram { route, hop_limit: Some(header.get_ttl()), message })
}

/// A whole packet around an advert's message. Its identification stays zero: a raw socket fills it in, and in a frame of
/// our own it says nothing, since no advert is ever fragmented.
#[must_use]
pub fn emit(source: Ipv4Addr, destination: Ipv4Addr, message: &[u8]) -> Vec<u8> {
    let length = HEADER_LENGTH + message.len();
    let mut packet = vec![0; HEADER_LENGTH];
    packet.extend(message);
    if let Some(mut header) = MutableIpv4Packet::new(&mut packet) {
        header.set_version(4);
        header.set_header_length(5);
        header.set_dscp(TYPE_OF_SERVICE >> 2);
        header.set_total_length(u16::try_from(length).unwrap_or(u16::MAX));
        header.set_ttl(HOP_LIMIT);
        header.set_next_level_protocol(Vrrp);
        header.set_source(source);
        header.set_destination(destination);
        let sum = pnet_packet::ipv4::checksum(&header.to_immutable());
        header.set_checksum(sum);
    }
    packet
}
