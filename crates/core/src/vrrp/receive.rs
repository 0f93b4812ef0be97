//! What a router must verify before it believes an advert (RFC 9568 §7.1, RFC 3768 §7.1), as one ordered
//! function. Must not decide what the advert means: a refused packet is counted, never acted on.

use core::net::IpAddr;
use core::num::NonZeroU8;

use super::{
    Advert, Authentication, ChecksumForm, HEADER_LENGTH, HOP_LIMIT, Reject, Route, TYPE_ADVERTISEMENT, v2, v3,
};
use crate::units::{Centis, Interval, Priority, Version, Vrid};

/// A packet with the parts of its IP header that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Where it came from and went to.
    pub route: Route,
    /// TTL (IPv4) or hop limit (IPv6).
    pub hop_limit: u8,
    /// The IP payload.
    pub message: &'a [u8],
}

/// What this router expects of an advert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// Its virtual router.
    pub vrid: Vrid,
    /// Its own Advertisement_Interval; its kind says which version it speaks.
    pub interval: Interval,
    /// Its authentication (version 2).
    pub authentication: Authentication,
    /// The group it listens to.
    pub group: IpAddr,
    /// The address it sends from, while it has one.
    pub own_source: Option<IpAddr>,
}

/// An advert that passed every check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The sender.
    pub source: IpAddr,
    /// The advert.
    pub advert: Advert,
    /// Version 3: the form in which its checksum is right.
    pub checksum: Option<ChecksumForm>,
}

/// Checks a packet in the order of RFC 9568 §7.1; the first failure is the answer.
///
/// # Errors
/// A [`Reject`] with what was found.
pub fn receive(expect: &Expectation, datagram: &Datagram<'_>) -> Result<Accepted, Reject> {
    let &Datagram { route, hop_limit, message } = datagram;
    if hop_limit != HOP_LIMIT {
        return Err(Reject::IpTtl { found: hop_limit });
    }
    if route.destination != expect.group {
        return Err(Reject::Destination { found: route.destination });
    }
    if Some(route.source) == expect.own_source {
        return Err(Reject::OwnSource { found: route.source });
    }
    if route.source.is_unspecified() || route.source.is_multicast() || is_broadcast(route.source) {
        return Err(Reject::Source { found: route.source });
    }
    let Some((&first, _)) = message.split_first() else {
        return Err(Reject::PacketLength { expected: HEADER_LENGTH, found: 0 });
    };
    let (version, kind) = (first >> 4, first & 0x0f);
    if version != expect.interval.version().number() {
        return Err(Reject::Version { found: version });
    }
    if kind != TYPE_ADVERTISEMENT {
        return Err(Reject::Type { found: kind });
    }
    let (advert, checksum) = match expect.interval.version() {
        Version::V2 => (receive_v2(expect, message)?, None),
        Version::V3 => receive_v3(expect, message, route)?,
    };
    if advert.addresses.is_empty() {
        return Err(Reject::NoAddress);
    }
    Ok(Accepted { source: route.source, advert, checksum })
}

fn receive_v2(expect: &Expectation, message: &[u8]) -> Result<Advert, Reject> {
    let fields = v2::parse(message)?;
    if !fields.checksum_holds {
        return Err(Reject::Checksum);
    }
    let vrid = same_vrid(expect, fields.vrid)?;
    match (&expect.authentication, fields.authentication_type) {
        (Authentication::None, 0) => {}
        (Authentication::Pass(password), 1) if password.matches(&fields.authentication_data) => {}
        (Authentication::Pass(_), 1) => return Err(Reject::AuthenticationData),
        (_, found) => return Err(Reject::AuthenticationType { found }),
    }
    let interval = NonZeroU8::new(fields.interval).map(Interval::Seconds).ok_or(Reject::IntervalZero)?;
    if interval != expect.interval {
        return Err(Reject::Interval { found: interval });
    }
    Ok(Advert { vrid, priority: Priority(fields.priority), interval, addresses: fields.addresses })
}

fn receive_v3(
    expect: &Expectation,
    message: &[u8],
    route: Route,
) -> Result<(Advert, Option<ChecksumForm>), Reject> {
    let fields = v3::parse(message, route)?;
    let form = fields.checksum.ok_or(Reject::Checksum)?;
    let vrid = same_vrid(expect, fields.vrid)?;
    let interval = Centis::new(fields.interval).map(Interval::Centis).ok_or(Reject::IntervalZero)?;
    let advert = Advert { vrid, priority: Priority(fields.priority), interval, addresses: fields.addresses };
    Ok((advert, Some(form)))
}

fn same_vrid(expect: &Expectation, found: u8) -> Result<Vrid, Reject> {
    if found == expect.vrid.number() { Ok(expect.vrid) } else { Err(Reject::Vrid { found }) }
}

fn is_broadcast(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(v4) if v4.is_broadcast())
}
