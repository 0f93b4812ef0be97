//! Why a received packet is not believed. Each reason has a stable name: it is a counter that people see.
//! Deciding is `receive`'s work; this file only names.

use core::net::IpAddr;

use thiserror::Error;

use crate::units::Interval;

/// Why a packet was refused, with what was found. A refused packet changes nothing but a counter (RFC 9568 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Reject {
    /// The IP header is cut short or contradicts itself.
    #[error("malformed IP header")]
    IpHeader,
    /// A fragment: adverts are never fragmented, and only whole ones can be judged.
    #[error("IP fragment")]
    Fragment,
    /// Not VRRP.
    #[error("IP protocol {found}, not 112")]
    Protocol {
        /// IP protocol number.
        found: u8,
    },
    /// TTL or hop limit is not 255: it came through a router (RFC 9568 §5.1.1.3).
    #[error("TTL {found}, not 255")]
    IpTtl {
        /// TTL found.
        found: u8,
    },
    /// Not sent to the VRRP group.
    #[error("sent to {found}, not to the VRRP group")]
    Destination {
        /// Destination address.
        found: IpAddr,
    },
    /// The source is our own address: our advert came back (a loop), or another host has our address.
    #[error("source {found} is our own address")]
    OwnSource {
        /// Source address.
        found: IpAddr,
    },
    /// No host has this source address.
    #[error("source {found} is no host's address")]
    Source {
        /// Source address.
        found: IpAddr,
    },
    /// Not the version this instance speaks (RFC 9568 §7.1).
    #[error("VRRP version {found}")]
    Version {
        /// Version nibble.
        found: u8,
    },
    /// Not an ADVERTISEMENT (RFC 9568 §5.2.2).
    #[error("VRRP type {found}")]
    Type {
        /// Type nibble.
        found: u8,
    },
    /// Length and address count do not agree (RFC 9568 §7.1).
    #[error("{found} bytes where {expected} are due")]
    PacketLength {
        /// Length that the header and the count call for.
        expected: usize,
        /// Bytes in the IP payload.
        found: usize,
    },
    /// The checksum matches in no form (RFC 9568 §5.2.8).
    #[error("wrong checksum")]
    Checksum,
    /// Another virtual router's (RFC 9568 §7.1).
    #[error("VRID {found}")]
    Vrid {
        /// VRID found.
        found: u8,
    },
    /// Version 2: another authentication type than ours (RFC 3768 §7.1).
    #[error("authentication type {found}")]
    AuthenticationType {
        /// Type found.
        found: u8,
    },
    /// Version 2: the simple password differs (RFC 2338 §5.3.6).
    #[error("wrong password")]
    AuthenticationData,
    /// Version 3: an interval of zero (RFC 9568 erratum 8301); version 2: none of 1-255.
    #[error("Advertisement_Interval 0")]
    IntervalZero,
    /// Version 2: not our interval (RFC 3768 §7.1).
    #[error("Advertisement_Interval {}s, ours differs", found.length().as_secs())]
    Interval {
        /// The sender's.
        found: Interval,
    },
    /// No address in the advert (RFC 9568 §5.2.5, erratum 8299).
    #[error("no address in the advert")]
    NoAddress,
}

impl Reject {
    /// Every counter name, in the order of the checks.
    pub const NAMES: [&'static str; 17] = [
        "ip_header_errors",
        "fragment_errors",
        "protocol_errors",
        "ip_ttl_errors",
        "destination_errors",
        "own_source_errors",
        "source_errors",
        "version_errors",
        "type_errors",
        "packet_length_errors",
        "checksum_errors",
        "vrid_errors",
        "authentication_type_errors",
        "authentication_data_errors",
        "interval_zero_errors",
        "interval_errors",
        "no_address_errors",
    ];

    /// Name of its counter.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::IpHeader => "ip_header_errors",
            Self::Fragment => "fragment_errors",
            Self::Protocol { .. } => "protocol_errors",
            Self::IpTtl { .. } => "ip_ttl_errors",
            Self::Destination { .. } => "destination_errors",
            Self::OwnSource { .. } => "own_source_errors",
            Self::Source { .. } => "source_errors",
            Self::Version { .. } => "version_errors",
            Self::Type { .. } => "type_errors",
            Self::PacketLength { .. } => "packet_length_errors",
            Self::Checksum => "checksum_errors",
            Self::Vrid { .. } => "vrid_errors",
            Self::AuthenticationType { .. } => "authentication_type_errors",
            Self::AuthenticationData => "authentication_data_errors",
            Self::IntervalZero => "interval_zero_errors",
            Self::Interval { .. } => "interval_errors",
            Self::NoAddress => "no_address_errors",
        }
    }
}
