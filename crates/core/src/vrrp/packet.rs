//! What a raw socket hands over and takes: over IPv4 a whole packet, over IPv6 the message and, beside it, what counts of
//! the header. Must not judge what is in it.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Datagram, Reject, Route};
use crate::ipv4;
use crate::units::Family;

/// A packet to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// Over IPv4.
    V4 {
        /// Where to.
        destination: Ipv4Addr,
        /// Header and message.
        bytes: Vec<u8>,
    },
    /// Over IPv6: the header is the kernel's to make.
    V6 {
        /// Where from.
        source: Ipv6Addr,
        /// Where to.
        destination: Ipv6Addr,
        /// The message.
        message: Vec<u8>,
    },
}

impl Packet {
    /// Around a message. A route of two families is none.
    #[must_use]
    pub fn new(route: Route, message: Vec<u8>) -> Option<Self> {
        match (route.source, route.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                Some(Self::V4 { destination, bytes: ipv4::emit(source, destination, &message) })
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => Some(Self::V6 { source, destination, message }),
            _ => None,
        }
    }
}

/// A packet that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// Over IPv4: header first.
    V4(&'a [u8]),
    /// Over IPv6: what the kernel tells of the header.
    V6 {
        /// Where it came from and went to.
        route: Route,
        /// Its hop limit, if the kernel told.
        hop_limit: Option<u8>,
        /// The payload.
        message: &'a [u8],
    },
}

impl<'a> Received<'a> {
    /// Its family.
    #[must_use]
    pub const fn family(&self) -> Family {
        match self {
            Self::V4(_) => Family::V4,
            Self::V6 { .. } => Family::V6,
        }
    }

    /// The payload with what counts of the header.
    ///
    /// # Errors
    /// What is wrong with the header.
    pub fn datagram(&self) -> Result<Datagram<'a>, Reject> {
        match *self {
            Self::V4(packet) => ipv4::parse(packet),
            Self::V6 { route, hop_limit, message } => Ok(Datagram { route, hop_limit, message }),
        }
    }

    /// The VRID in it, if it is long enough to have one: whom it may concern.
    #[must_use]
    pub fn vrid(&self) -> Option<u8> {
        self.datagram().ok().and_then(|datagram| datagram.message.get(1).copied())
    }
}
