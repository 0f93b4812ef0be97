//! A packet as a raw socket hands it over, and its text in a row. Over IPv4 that is all of it, in hex; over IPv6, whose
//! header the kernel keeps, the payload with what the kernel tells beside it: `fe80::2 > ff02::12 hlim 255: 3133c8...`.
//! Without `hlim` the kernel did not tell the hop limit. Must not judge.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use vipkit_core::vrrp::{Packet, Received, Route};

use super::hex::{hex, unhex};

/// A packet that arrives, or is sent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Arrival {
    /// Over IPv4: header first.
    V4(Vec<u8>),
    /// Over IPv6.
    V6 {
        /// Where it came from.
        source: Ipv6Addr,
        /// Where it went to.
        destination: Ipv6Addr,
        /// Its hop limit, if the kernel told.
        hop_limit: Option<u8>,
        /// The payload.
        message: Vec<u8>,
    },
}

impl Arrival {
    /// What a router sent, as it arrives nearby. The hop limit is that of all its packets.
    #[must_use]
    pub fn of(packet: &Packet) -> Self {
        match packet.clone() {
            Packet::V4 { bytes, .. } => Self::V4(bytes),
            Packet::V6 { source, destination, message } => {
                Self::V6 { source, destination, hop_limit: Some(255), message }
            }
        }
    }

    /// As the router is told of it.
    #[must_use]
    pub fn received(&self) -> Received<'_> {
        match self {
            Self::V4(packet) => Received::V4(packet),
            Self::V6 { source, destination, hop_limit, message } => {
                let route = Route { source: (*source).into(), destination: (*destination).into() };
                Received::V6 { route, hop_limit: *hop_limit, message }
            }
        }
    }

    /// Its bytes: over IPv4 the packet, over IPv6 the payload.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::V4(packet) => packet,
            Self::V6 { message, .. } => message,
        }
    }

    /// The same with other bytes.
    #[must_use]
    pub fn with_bytes(&self, bytes: Vec<u8>) -> Self {
        match self {
            Self::V4(_) => Self::V4(bytes),
            Self::V6 { source, destination, hop_limit, .. } => {
                Self::V6 { source: *source, destination: *destination, hop_limit: *hop_limit, message: bytes }
            }
        }
    }
}

impl fmt::Display for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(packet) => f.write_str(&hex(packet)),
            Self::V6 { source, destination, hop_limit, message } => {
                write!(f, "{source} > {destination}")?;
                hop_limit.map_or(Ok(()), |hop_limit| write!(f, " hlim {hop_limit}"))?;
                write!(f, ": {}", hex(message))
            }
        }
    }
}

impl FromStr for Arrival {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((source, rest)) = text.split_once(" > ") else { return unhex(text).map(Self::V4) };
        let explain = || format!("no packet: {text}");
        let (header, message) = rest.rsplit_once(": ").ok_or_else(explain)?;
        let (destination, hop_limit) =
            header.split_once(" hlim ").map_or((header, None), |(to, hop_limit)| (to, Some(hop_limit)));
        Ok(Self::V6 {
            source: source.parse().map_err(|_| explain())?,
            destination: destination.parse().map_err(|_| explain())?,
            hop_limit: hop_limit.map(str::parse).transpose().map_err(|_| explain())?,
            message: unhex(message)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_text_is_read_back() {
        for text in [
            "45c0",
            "",
            "fe80::2 > ff02::12 hlim 255: 3133",
            "fe80::2 > ff02::12: 3133",
            "fe80::2 > ff02::12: ",
        ] {
            assert_eq!(text.parse::<Arrival>().unwrap().to_string(), text);
        }
        for text in ["4", "fe80::2 > ff02::12", "fe80::2 > ff02::12 hlim: 31", "10.0.1.2 > 224.0.0.18: 31"] {
            assert!(text.parse::<Arrival>().is_err(), "{text}");
        }
    }
}
