//! Netlink attributes (linux/netlink.h, `struct nlattr`): length, kind, value, padded to four bytes, in the machine's
//! byte order. Knows nothing of IPVS. Reading is total; what is written is always well formed.
//!
//! ```text
//!  0               1               2               3
//! +---------------+---------------+---------------+---------------+
//! |      length, header included  |N|O|          kind             |
//! +---------------+---------------+---------------+---------------+
//! |      value, or attributes (nested)            :    padding    |
//! +---------------------------------------------------------------+
//! ```

use core::iter;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Family, ParseError};

/// An attribute this crate does not know, kept as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Other {
    /// Its kind, flags included.
    pub kind: u16,
    /// Its value, without padding. More than 65531 bytes do not fit and are left out when written.
    pub value: Vec<u8>,
}

/// An attribute where it lies.
#[derive(Clone, Copy)]
pub(super) struct Attribute<'a> {
    raw_kind: u16,
    value: &'a [u8],
}

/// The attributes of `bytes`, in which `what` is written.
pub(super) fn attributes<'a>(
    what: &'static str,
    bytes: &'a [u8],
) -> impl Iterator<Item = Result<Attribute<'a>, ParseError>> {
    let mut rest = bytes;
    iter::from_fn(move || {
        let offset = bytes.len() - rest.len();
        if rest.is_empty() {
            return None;
        }
        let Some((attribute, after)) = split_first(rest) else {
            rest = &[];
            return Some(Err(ParseError::Malformed { what, offset, found: bytes.len() - offset }));
        };
        rest = after;
        Some(Ok(attribute))
    })
}

fn split_first(bytes: &[u8]) -> Option<(Attribute<'_>, &[u8])> {
    let (&[l0, l1, k0, k1], _) = bytes.split_first_chunk::<HEADER>()?;
    let length = usize::from(u16::from_ne_bytes([l0, l1]));
    let attribute = Attribute { raw_kind: u16::from_ne_bytes([k0, k1]), value: bytes.get(HEADER..length)? };
    // The last attribute need not be padded.
    Some((attribute, bytes.get(length.next_multiple_of(ALIGNMENT)..).unwrap_or_default()))
}

impl<'a> Attribute<'a> {
    /// Its kind, without the flags.
    pub(super) const fn kind(&self) -> u16 {
        self.raw_kind & KIND
    }

    pub(super) const fn bytes(&self) -> &'a [u8] {
        self.value
    }

    pub(super) fn to_other(self) -> Other {
        Other { kind: self.raw_kind, value: self.value.to_vec() }
    }

    pub(super) fn array<const N: usize>(&self, what: &'static str) -> Result<[u8; N], ParseError> {
        self.value.try_into().map_err(|_| ParseError::Length { what, expected: N, found: self.value.len() })
    }

    pub(super) fn u8(&self, what: &'static str) -> Result<u8, ParseError> {
        self.array(what).map(u8::from_ne_bytes)
    }

    pub(super) fn u16(&self, what: &'static str) -> Result<u16, ParseError> {
        self.array(what).map(u16::from_ne_bytes)
    }

    pub(super) fn u32(&self, what: &'static str) -> Result<u32, ParseError> {
        self.array(what).map(u32::from_ne_bytes)
    }

    /// A port, which travels in network byte order.
    pub(super) fn port(&self, what: &'static str) -> Result<u16, ParseError> {
        self.array(what).map(u16::from_be_bytes)
    }

    /// An address: the first bytes of a `union nf_inet_addr`.
    pub(super) fn address(&self, what: &'static str, family: Family) -> Result<IpAddr, ParseError> {
        match (family, self.value.first_chunk::<4>()) {
            (Family::Inet, Some(octets)) => Ok(Ipv4Addr::from(*octets).into()),
            (Family::Inet, None) => Err(ParseError::Length { what, expected: 4, found: self.value.len() }),
            (Family::Inet6, _) => self.array::<16>(what).map(|octets| Ipv6Addr::from(octets).into()),
        }
    }
}

/// Attributes being written.
#[derive(Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// Goes on behind `header`, whose length is a multiple of four.
    pub(super) fn behind(header: &[u8]) -> Self {
        Self(header.to_vec())
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }

    pub(super) fn put(&mut self, kind: u16, value: &[u8]) {
        let Ok(length) = u16::try_from(HEADER + value.len()) else { return };
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(ALIGNMENT), 0);
    }

    pub(super) fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        fill(&mut inner);
        self.put(kind | NESTED, &inner.0);
    }

    pub(super) fn put_u16(&mut self, kind: u16, value: u16) {
        self.put(kind, &value.to_ne_bytes());
    }

    pub(super) fn put_u32(&mut self, kind: u16, value: u32) {
        self.put(kind, &value.to_ne_bytes());
    }

    pub(super) fn put_port(&mut self, kind: u16, port: u16) {
        self.put(kind, &port.to_be_bytes());
    }

    /// An address as a `union nf_inet_addr`, 16 bytes in either family.
    pub(super) fn put_address(&mut self, kind: u16, address: IpAddr) {
        let octets = match address {
            IpAddr::V4(address) => {
                let [a, b, c, d] = address.octets();
                [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
            }
            IpAddr::V6(address) => address.octets(),
        };
        self.put(kind, &octets);
    }

    pub(super) fn put_others(&mut self, others: &[Other]) {
        others.iter().for_each(|other| self.put(other.kind, &other.value));
    }
}

/// The size of `struct nlattr`, what attributes are aligned to, the flag of nested ones, and the bits that are no
/// flags: `NLA_HDRLEN`, `NLA_ALIGNTO`, `NLA_F_NESTED`, `NLA_TYPE_MASK` (linux/netlink.h).
const HEADER: usize = 4;
const ALIGNMENT: usize = 4;
const NESTED: u16 = 1 << 15;
const KIND: u16 = 0x3fff;
