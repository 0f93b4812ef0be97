//! The bytes of a VRRPv2 advert over IPv4 (RFC 3768 §5.1). Must not judge: see `receive`.
//!
//! ```text
//!  0                   1                   2                   3
//! +-------+-------+---------------+---------------+---------------+
//! |Version| Type  | Virtual Rtr ID|   Priority    | Count IP Addrs|
//! +-------+-------+---------------+---------------+---------------+
//! |   Auth Type   |   Adver Int   |          Checksum             |
//! +---------------+---------------+-------------------------------+
//! |                         IP Address (1 .. n)                   |
//! +---------------------------------------------------------------+
//! |                     Authentication Data (1, 2)                |
//! +---------------------------------------------------------------+
//! ```

use core::net::{IpAddr, Ipv4Addr};
use core::num::NonZeroU8;

use pnet_packet::util::checksum;

use super::{ADDRESSES_MAX, Advert, HEADER_LENGTH, Reject, Seal, TYPE_ADVERTISEMENT};

/// Bytes of Authentication Data, always present (RFC 3768 §5.3.10).
pub const AUTHENTICATION_LENGTH: usize = 8;
/// The checksum is the fourth 16-bit word.
pub(super) const CHECKSUM_WORD: usize = 3;

/// The fields of a message as they stand in it, lengths verified, nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    /// Virtual Rtr ID.
    pub vrid: u8,
    /// Priority.
    pub priority: u8,
    /// Auth Type: 0 none, 1 simple password (RFC 2338 §5.3.6).
    pub authentication_type: u8,
    /// Adver Int, in seconds.
    pub interval: u8,
    /// The checksum is right.
    pub checksum_holds: bool,
    /// IP Addresses.
    pub addresses: Vec<IpAddr>,
    /// Authentication Data.
    pub authentication_data: [u8; AUTHENTICATION_LENGTH],
}

/// Takes a message apart whose version and type are known to be right.
///
/// # Errors
/// [`Reject::PacketLength`] unless the message is exactly as long as its count says.
pub fn parse(message: &[u8]) -> Result<Fields, Reject> {
    let found = message.len();
    let short = Reject::PacketLength { expected: HEADER_LENGTH + AUTHENTICATION_LENGTH, found };
    let (&[_, vrid, priority, count, authentication_type, interval, _, _], rest) =
        message.split_first_chunk::<HEADER_LENGTH>().ok_or(short)?;
    let (list, authentication_data) = rest.split_last_chunk::<AUTHENTICATION_LENGTH>().ok_or(short)?;
    let expected = HEADER_LENGTH + 4 * usize::from(count) + AUTHENTICATION_LENGTH;
    if found != expected {
        return Err(Reject::PacketLength { expected, found });
    }
    Ok(Fields {
        vrid,
        priority,
        authentication_type,
        interval,
        checksum_holds: sum(message).to_be_bytes() == stored_checksum(message),
        addresses: list.as_chunks::<4>().0.iter().map(|&a| IpAddr::V4(Ipv4Addr::from(a))).collect(),
        authentication_data: *authentication_data,
    })
}

/// The message of an advert, its checksum not set.
pub(super) fn emit(advert: &Advert, interval: NonZeroU8, seal: &Seal<'_>) -> Vec<u8> {
    let addresses = advert.addresses.iter().filter_map(|address| match address {
        IpAddr::V4(v4) => Some(v4.octets()),
        IpAddr::V6(_) => None,
    });
    let list: Vec<[u8; 4]> = addresses.take(ADDRESSES_MAX).collect();
    let (kind, data) = match seal {
        Seal::None | Seal::Hmac { .. } => (0, [0; AUTHENTICATION_LENGTH]),
        Seal::Pass(password) => (1, password.wire()),
    };
    let count = u8::try_from(list.len()).unwrap_or(u8::MAX);
    let mut message = vec![
        2 << 4 | TYPE_ADVERTISEMENT,
        advert.vrid.number(),
        advert.priority.0,
        count,
        kind,
        interval.get(),
        0,
        0,
    ];
    message.extend(list.iter().flatten());
    message.extend(data);
    message
}

/// The checksum of a message: over all of it (RFC 3768 §5.3.8).
pub(super) fn sum(message: &[u8]) -> u16 {
    checksum(message, CHECKSUM_WORD)
}

pub(super) fn stored_checksum(message: &[u8]) -> [u8; 2] {
    message.get(2 * CHECKSUM_WORD..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default()
}

pub(super) fn store_checksum(message: &mut [u8], sum: u16) {
    if let Some(field) = message.get_mut(2 * CHECKSUM_WORD..).and_then(<[u8]>::first_chunk_mut) {
        *field = sum.to_be_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuse_every_length_but_the_right_one() {
        let mut message = vec![0x21, 51, 100, 2, 0, 1, 0, 0];
        message.extend([0; 16]);
        assert!(parse(&message).is_ok());
        for length in (0..message.len()).chain([message.len() + 1, message.len() + 4]) {
            let mut other = message.clone();
            other.resize(length, 0);
            assert!(matches!(parse(&other), Err(Reject::PacketLength { found, .. }) if found == length));
        }
    }
}
