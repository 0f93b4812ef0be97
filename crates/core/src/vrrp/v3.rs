//! The bytes of a VRRPv3 advert over IPv4 and IPv6 (RFC 9568 §5.2). Must not judge: see `receive`.
//!
//! ```text
//!  0                   1                   2                   3
//! +-------+-------+---------------+---------------+---------------+
//! |Version| Type  | Virtual Rtr ID|   Priority    |IPvX Addr Count|
//! +-------+-------+---------------+---------------+---------------+
//! |Reserve| Max Advertise Interval|          Checksum             |
//! +-------+-----------------------+-------------------------------+
//! |                      IPvX Address(es) (1 .. n)                |
//! +---------------------------------------------------------------+
//! ```

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pnet_packet::ip::IpNextHeaderProtocols::Vrrp;
use pnet_packet::util::{checksum, ipv4_checksum, ipv6_checksum};

use super::v2::{CHECKSUM_WORD, stored_checksum};
use super::{ADDRESSES_MAX, Advert, ChecksumForm, HEADER_LENGTH, Reject, Route, TYPE_ADVERTISEMENT};
use crate::units::Centis;

/// The fields of a message as they stand in it, lengths verified, nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    /// Virtual Rtr ID.
    pub vrid: u8,
    /// Priority.
    pub priority: u8,
    /// Max Advertise Interval, in centiseconds, 12 bits; the reserved bits are ignored (§5.2.6).
    pub interval: u16,
    /// IPvX Addresses.
    pub addresses: Vec<IpAddr>,
}

/// Takes a message apart whose version and type are known to be right.
///
/// # Errors
/// [`Reject::PacketLength`] unless the message is exactly as long as its count says.
pub fn parse(message: &[u8], route: Route) -> Result<Fields, Reject> {
    let found = message.len();
    let (&[_, vrid, priority, count, high, low, _, _], rest) =
        message
            .split_first_chunk::<HEADER_LENGTH>()
            .ok_or(Reject::PacketLength { expected: HEADER_LENGTH, found })?;
    let address_length = if route.source.is_ipv4() { 4 } else { 16 };
    let expected = HEADER_LENGTH + address_length * usize::from(count);
    if found != expected {
        return Err(Reject::PacketLength { expected, found });
    }
    let addresses = if route.source.is_ipv4() {
        rest.as_chunks::<4>().0.iter().map(|&a| Ipv4Addr::from(a).into()).collect()
    } else {
        rest.as_chunks::<16>().0.iter().map(|&a| Ipv6Addr::from(a).into()).collect()
    };
    let interval = u16::from_be_bytes([high & 0x0f, low]);
    Ok(Fields { vrid, priority, interval, addresses })
}

/// The form in which the checksum of a message, with the trailer that it covers, is right, if any.
#[must_use]
pub fn checksum_form(covered: &[u8], route: Route) -> Option<ChecksumForm> {
    let stored = u16::from_be_bytes(stored_checksum(covered));
    ChecksumForm::ALL.into_iter().find(|&form| sum(covered, route, form) == stored)
}

/// The message of an advert, its checksum not set.
pub(super) fn emit(advert: &Advert, interval: Centis, route: Route) -> Vec<u8> {
    let mut list: Vec<u8> = Vec::new();
    let mut count: u8 = 0;
    for address in advert.addresses.iter().filter(|a| a.is_ipv4() == route.source.is_ipv4()) {
        if usize::from(count) == ADDRESSES_MAX {
            break;
        }
        count += 1;
        match address {
            IpAddr::V4(v4) => list.extend(v4.octets()),
            IpAddr::V6(v6) => list.extend(v6.octets()),
        }
    }
    let [high, low] = interval.count().to_be_bytes();
    let mut message =
        vec![3 << 4 | TYPE_ADVERTISEMENT, advert.vrid.number(), advert.priority.0, count, high, low, 0, 0];
    message.extend(list);
    message
}

/// The checksum in one form. Over IPv6 there is one form, with pseudo-header (§5.2.8).
pub(super) fn sum(message: &[u8], route: Route, form: ChecksumForm) -> u16 {
    match (route.source, route.destination, form) {
        (IpAddr::V4(source), IpAddr::V4(destination), ChecksumForm::PseudoHeader) => {
            ipv4_checksum(message, CHECKSUM_WORD, &[], &source, &destination, Vrrp)
        }
        (IpAddr::V6(source), IpAddr::V6(destination), _) => {
            ipv6_checksum(message, CHECKSUM_WORD, &[], &source, &destination, Vrrp)
        }
        _ => checksum(message, CHECKSUM_WORD),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuse_every_length_but_the_right_one() {
        let route = Route { source: [10, 0, 1, 1].into(), destination: [224, 0, 0, 18].into() };
        let message = [0x31, 51, 100, 1, 0, 100, 0, 0, 10, 0, 1, 5];
        assert!(parse(&message, route).is_ok());
        for length in (0..message.len()).chain([message.len() + 1, message.len() + 4]) {
            let mut other = message.to_vec();
            other.resize(length, 0);
            assert!(
                matches!(parse(&other, route), Err(Reject::PacketLength { found, .. }) if found == length)
            );
        }
    }

    #[test]
    fn parse_ignores_the_reserved_bits() {
        let route = Route { source: [10, 0, 1, 1].into(), destination: [224, 0, 0, 18].into() };
        let message = [0x31, 51, 100, 1, 0xf1, 0x02, 0, 0, 10, 0, 1, 5];
        assert_eq!(parse(&message, route).unwrap().interval, 0x102);
    }
}
