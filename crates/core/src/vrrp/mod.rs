//! VRRP adverts as values. `v2` and `v3` know the bytes, `receive` what a router must verify before it
//! believes one, `reject` how it says no. What an advert means for a router's state is not decided here.

pub mod fuzz;
pub mod hmac;
pub mod packet;
pub mod receive;
pub mod reject;
pub mod v2;
pub mod v3;

#[cfg(test)]
mod tests;

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::units::{Family, Interval, Priority, Vrid};

pub use hmac::{Hmac, Key, KeyId, Sequence, Signature};
pub use packet::{Packet, Received};
pub use receive::{Accepted, Cast, Datagram, Expectation, UnicastPeer, receive};
pub use reject::Reject;

/// IP protocol number of VRRP (RFC 9568 §5.1.1.4, IANA).
pub const PROTOCOL: u8 = 112;
/// Destination of adverts over IPv4 (RFC 9568 §5.1.1.2, IANA).
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
/// Destination of adverts over IPv6 (RFC 9568 §5.1.2.2, IANA).
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
/// TTL and hop limit of every advert (RFC 9568 §5.1.1.3 and §5.1.2.3).
pub const HOP_LIMIT: u8 = 255;
/// The only message type: ADVERTISEMENT (RFC 9568 §5.2.2).
pub const TYPE_ADVERTISEMENT: u8 = 1;
/// Bytes before the addresses, in both versions (RFC 9568 §5.2).
pub const HEADER_LENGTH: usize = 8;
/// Most addresses of one advert: the count is a byte (RFC 9568 §5.2.5).
pub const ADDRESSES_MAX: usize = 255;

/// An ADVERTISEMENT of either version; the interval's kind says which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advert {
    /// Virtual router it speaks for.
    pub vrid: Vrid,
    /// The sender's priority.
    pub priority: Priority,
    /// The sender's Advertisement_Interval.
    pub interval: Interval,
    /// Virtual addresses, all of one family, at most [`ADDRESSES_MAX`].
    pub addresses: Vec<IpAddr>,
}

/// The addresses an advert travels between: version 3 can cover them by its checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The sender's primary address.
    pub source: IpAddr,
    /// The multicast group, or a unicast peer.
    pub destination: IpAddr,
}

/// What the checksum of version 3 over IPv4 covers. RFC 5798 was read in two ways; over IPv6 both are one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ChecksumForm {
    /// Message and a pseudo-header of the IPv4 addresses: what keepalived and FRR send and require.
    #[default]
    PseudoHeader,
    /// The message alone (RFC 9568 §5.2.8).
    Rfc9568,
}

impl ChecksumForm {
    /// Both forms.
    pub const ALL: [Self; 2] = [Self::PseudoHeader, Self::Rfc9568];

    /// Its name in configuration and output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PseudoHeader => "pseudo-header",
            Self::Rfc9568 => "rfc9568",
        }
    }
}

impl fmt::Display for ChecksumForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The group that adverts of a family are sent to.
#[must_use]
pub const fn group(family: Family) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(GROUP_V4),
        Family::V6 => IpAddr::V6(GROUP_V6),
    }
}

/// How routers of one virtual router know each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Authentication {
    /// Not at all: Auth Type 0 in version 2.
    #[default]
    None,
    /// Version 2: a simple password (RFC 2338 §5.3.6, which RFC 3768 reserves), Auth Type 1.
    Pass(SimplePassword),
    /// An HMAC behind each advert, of either version.
    Hmac(Hmac),
}

/// What proves that one advert is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seal<'a> {
    /// Nothing.
    None,
    /// Version 2: a simple password.
    Pass(&'a SimplePassword),
    /// A trailer.
    Hmac {
        /// The key's number.
        id: KeyId,
        /// The key.
        key: &'a Key,
        /// The advert's place in our sequence.
        sequence: Sequence,
    },
}

/// A simple text password: up to 8 bytes, zero padded, sent in clear (RFC 2338 §5.3.6). Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SimplePassword([u8; 8]);

impl SimplePassword {
    /// From 1-8 bytes; none or more is no password.
    #[must_use]
    pub fn new(text: &[u8]) -> Option<Self> {
        let mut padded = [0; 8];
        if text.is_empty() {
            return None;
        }
        padded.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self(padded))
    }

    /// The eight bytes of the wire.
    #[must_use]
    pub const fn wire(&self) -> [u8; 8] {
        self.0
    }

    /// Compares in constant time.
    #[must_use]
    pub fn matches(&self, data: &[u8; 8]) -> bool {
        self.0.iter().zip(data).fold(0, |acc, (a, b)| acc | (a ^ b)) == 0
    }
}

impl fmt::Debug for SimplePassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimplePassword(hidden)")
    }
}

/// The bytes of an advert, ready for the IP payload.
///
/// `form` counts in version 3 over IPv4 only, a password in version 2 only. More than [`ADDRESSES_MAX`] addresses are
/// cut, addresses of another family than the route's left out: the configuration refuses both.
#[must_use]
pub fn emit(advert: &Advert, route: Route, form: ChecksumForm, seal: &Seal<'_>) -> Vec<u8> {
    let mut message = match advert.interval {
        Interval::Seconds(seconds) => v2::emit(advert, seconds, seal),
        Interval::Centis(centis) => v3::emit(advert, centis, route),
    };
    let length = message.len();
    if let Seal::Hmac { id, key, sequence } = *seal {
        message.extend(hmac::trailer(id, key, sequence, route.source, &message));
    }
    // Over IPv4 it covers the message alone, over IPv6 the trailer too: there the kernel computes it over all it sends.
    let covered = if route.source.is_ipv4() { message.get(..length).unwrap_or_default() } else { &message };
    let sum = match advert.interval {
        Interval::Seconds(_) => v2::sum(covered),
        Interval::Centis(_) => v3::sum(covered, route, form),
    };
    v2::store_checksum(&mut message, sum);
    message
}
