//! Why a received packet is not believed. Each reason has a stable name: it is a counter that people see.
//! Deciding is `receive`'s work; this file only names.

use core::net::IpAddr;

use thiserror::Error;

use super::ChecksumForm;
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
    #[error("{}", ttl(*found))]
    IpTtl {
        /// TTL or hop limit found, if the kernel told.
        found: Option<u8>,
    },
    /// Unicast: the TTL is less than what this peer's must have left.
    #[error("TTL {found}, less than {least}")]
    PeerTtl {
        /// TTL or hop limit found.
        found: u8,
        /// The least.
        least: u8,
    },
    /// Not sent to the VRRP group, or not by unicast to us.
    #[error("sent to {found}, where we do not listen")]
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
    /// Unicast: not one of the peers.
    #[error("{found} is none of the unicast peers")]
    NotAPeer {
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
    /// No HMAC, where one is enforced.
    #[error("no HMAC")]
    HmacMissing,
    /// An HMAC, where none is configured.
    #[error("an HMAC, and authentication is not \"hmac\" here")]
    HmacUnexpected,
    /// A trailer of an unknown kind.
    #[error("HMAC of an unknown form")]
    HmacMalformed,
    /// Its time is too far from ours.
    #[error("HMAC of another time: {} s {} our clock", ahead.unsigned_abs(), if *ahead < 0 { "behind" } else { "ahead of" })]
    HmacStale {
        /// How many seconds it is ahead of our clock.
        ahead: i64,
    },
    /// We have no key of this number.
    #[error("HMAC with key {found}, which we do not have")]
    HmacUnknownKey {
        /// The key's number.
        found: u8,
    },
    /// Made with another key, or changed on its way.
    #[error("wrong HMAC: another key, or changed on its way")]
    HmacInvalid,
    /// Its sequence is not after the last one heard.
    #[error("HMAC of an advert that was heard before")]
    HmacReplay,
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
    /// Strict: the checksum has the other form than ours.
    #[error("checksum of the form {found}")]
    OtherChecksumForm {
        /// The sender's.
        found: ChecksumForm,
    },
    /// Strict, version 2: a list of other addresses, and not from their owner (RFC 3768 §7.1).
    #[error("other addresses than ours")]
    OtherAddresses,
    /// Strict: the first IPv6 address is not link-local (RFC 9568 §5.2.9, erratum 8300).
    #[error("the first address, {found}, is not link-local")]
    FirstAddress {
        /// The first address.
        found: IpAddr,
    },
}

fn ttl(found: Option<u8>) -> String {
    found.map_or_else(|| "hop limit unknown".to_owned(), |found| format!("TTL {found}, not 255"))
}

impl Reject {
    /// Every counter name, in the order of the checks.
    pub const NAMES: [&'static str; 29] = [
        "ip_header_errors",
        "fragment_errors",
        "protocol_errors",
        "destination_errors",
        "ip_ttl_errors",
        "own_source_errors",
        "source_errors",
        "peer_errors",
        "peer_ttl_errors",
        "version_errors",
        "type_errors",
        "packet_length_errors",
        "hmac_missing_errors",
        "hmac_unexpected_errors",
        "hmac_malformed_errors",
        "hmac_stale_errors",
        "hmac_unknown_key_errors",
        "hmac_invalid_errors",
        "checksum_errors",
        "vrid_errors",
        "authentication_type_errors",
        "authentication_data_errors",
        "interval_zero_errors",
        "interval_errors",
        "no_address_errors",
        "other_checksum_form_errors",
        "other_addresses_errors",
        "first_address_errors",
        "hmac_replay_errors",
    ];

    /// Name of its counter.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::IpHeader => "ip_header_errors",
            Self::Fragment => "fragment_errors",
            Self::Protocol { .. } => "protocol_errors",
            Self::Destination { .. } => "destination_errors",
            Self::IpTtl { .. } => "ip_ttl_errors",
            Self::OwnSource { .. } => "own_source_errors",
            Self::Source { .. } => "source_errors",
            Self::NotAPeer { .. } => "peer_errors",
            Self::PeerTtl { .. } => "peer_ttl_errors",
            Self::Version { .. } => "version_errors",
            Self::Type { .. } => "type_errors",
            Self::PacketLength { .. } => "packet_length_errors",
            Self::HmacMissing => "hmac_missing_errors",
            Self::HmacUnexpected => "hmac_unexpected_errors",
            Self::HmacMalformed => "hmac_malformed_errors",
            Self::HmacStale { .. } => "hmac_stale_errors",
            Self::HmacUnknownKey { .. } => "hmac_unknown_key_errors",
            Self::HmacInvalid => "hmac_invalid_errors",
            Self::Checksum => "checksum_errors",
            Self::Vrid { .. } => "vrid_errors",
            Self::AuthenticationType { .. } => "authentication_type_errors",
            Self::AuthenticationData => "authentication_data_errors",
            Self::IntervalZero => "interval_zero_errors",
            Self::Interval { .. } => "interval_errors",
            Self::NoAddress => "no_address_errors",
            Self::OtherChecksumForm { .. } => "other_checksum_form_errors",
            Self::OtherAddresses => "other_addresses_errors",
            Self::FirstAddress { .. } => "first_address_errors",
            Self::HmacReplay => "hmac_replay_errors",
        }
    }
}
