//! VRRP adverts as values. `v2` and `v3` know the bytes, `receive` what a router must verify before it
//! believes one, `reject` how it says no. What an advert means for a router's state is not decided here.

pub mod receive;
pub mod reject;
pub mod v2;
pub mod v3;

use core::fmt;
use core::net::{IpAddr, Ipv4Addr};

use crate::units::{Interval, Priority, Vrid};

pub use receive::{Accepted, Datagram, Expectation, receive};
pub use reject::Reject;

/// IP protocol number of VRRP (RFC 9568 §5.1.1.4, IANA).
pub const PROTOCOL: u8 = 112;
/// Destination of adverts over IPv4 (RFC 9568 §5.1.1.2, IANA).
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
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

/// Authentication of version 2 (RFC 2338 §5.3.6, which RFC 3768 reserves); version 3 has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Authentication {
    /// Type 0.
    #[default]
    None,
    /// Type 1.
    Pass(SimplePassword),
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
/// `form` counts in version 3 over IPv4 only, `authentication` in version 2 only. More than
/// [`ADDRESSES_MAX`] addresses are cut, addresses of the other family left out: the configuration refuses both.
#[must_use]
pub fn emit(advert: &Advert, route: Route, form: ChecksumForm, authentication: &Authentication) -> Vec<u8> {
    match advert.interval {
        Interval::Seconds(seconds) => v2::emit(advert, seconds, authentication),
        Interval::Centis(centis) => v3::emit(advert, centis, route, form),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_padded_compared_and_hidden() {
        let password = SimplePassword::new(b"1111").unwrap();
        assert_eq!(password.wire(), *b"1111\0\0\0\0");
        assert!(password.matches(b"1111\0\0\0\0"));
        assert!(!password.matches(b"1111\0\0\0x"));
        assert!(!format!("{password:?}").contains("1111"));
        assert_eq!(SimplePassword::new(b""), None);
        assert_eq!(SimplePassword::new(b"123456789"), None);
    }
}
