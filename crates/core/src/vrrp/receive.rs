//! What a router must verify before it believes an advert (RFC 9568 §7.1, RFC 3768 §7.1), as one ordered
//! function. Must not decide what the advert means: a refused packet is counted, never acted on.

use core::net::IpAddr;
use core::num::NonZeroU8;

use super::hmac::{self, Mode, TRAILER_LENGTH};
use super::{
    Advert, Authentication, ChecksumForm, HEADER_LENGTH, HOP_LIMIT, Reject, Route, Signature,
    TYPE_ADVERTISEMENT, v2, v3,
};
use crate::units::{Centis, Interval, Priority, Version, Vrid, Wall};

/// A packet with the parts of its IP header that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Where it came from and went to.
    pub route: Route,
    /// TTL (IPv4) or hop limit (IPv6), if it is known.
    pub hop_limit: Option<u8>,
    /// The IP payload.
    pub message: &'a [u8],
}

/// Whom adverts come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cast {
    /// Any router that sends to this group.
    Multicast(IpAddr),
    /// These routers, which send to us.
    Unicast(Vec<UnicastPeer>),
}

/// A router to exchange adverts with by unicast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UnicastPeer {
    /// Its address.
    pub address: IpAddr,
    /// Least TTL or hop limit that its adverts must have left: 255 minus the routers on the way. At least 1.
    pub min_ttl: u8,
}

/// What this router expects of an advert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// Its virtual router.
    pub vrid: Vrid,
    /// Its own Advertisement_Interval; its kind says which version it speaks.
    pub interval: Interval,
    /// Its authentication.
    pub authentication: Authentication,
    /// Whom it listens to.
    pub cast: Cast,
    /// The address it sends from, while it has one.
    pub own_source: Option<IpAddr>,
    /// Refuse all that the RFCs allow to refuse.
    pub strict: bool,
    /// The form of its own checksums.
    pub checksum: ChecksumForm,
    /// The addresses in its own adverts.
    pub addresses: Vec<IpAddr>,
    /// The time of day.
    pub wall: Wall,
}

/// An advert that passed every check that needs no memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The sender.
    pub source: IpAddr,
    /// The advert.
    pub advert: Advert,
    /// Version 3 over IPv4: the form in which its checksum is right.
    pub checksum: Option<ChecksumForm>,
    /// What its HMAC says, if it has one: whether it was heard before is still to be asked.
    pub signature: Option<Signature>,
}

/// Checks a packet in the order of RFC 9568 §7.1, its HMAC before anything that depends on its content; the first
/// failure is the answer.
///
/// # Errors
/// A [`Reject`] with what was found.
pub fn receive(expect: &Expectation, datagram: &Datagram<'_>) -> Result<Accepted, Reject> {
    let route = datagram.route;
    check_route(expect, route, datagram.hop_limit)?;
    let whole = datagram.message;
    let Some((&first, _)) = whole.split_first() else {
        return Err(Reject::PacketLength { expected: HEADER_LENGTH, found: 0 });
    };
    let (version, kind) = (first >> 4, first & 0x0f);
    let spoken = expect.interval.version();
    // Version 2 is for IPv4 only (RFC 3768 §1).
    if version != spoken.number() || spoken == Version::V2 && !route.source.is_ipv4() {
        return Err(Reject::Version { found: version });
    }
    if kind != TYPE_ADVERTISEMENT {
        return Err(Reject::Type { found: kind });
    }
    let (message, signature) = authenticate(expect, route.source, whole)?;
    let (advert, checksum) = match spoken {
        Version::V2 => (receive_v2(expect, message)?, None),
        // Over IPv6 the checksum covers the HMAC too.
        Version::V3 if route.source.is_ipv6() => receive_v3(expect, message, whole, route)?,
        Version::V3 => receive_v3(expect, message, message, route)?,
    };
    if advert.addresses.is_empty() {
        return Err(Reject::NoAddress);
    }
    let accepted = Accepted { source: route.source, advert, checksum, signature };
    if expect.strict {
        check_strictly(expect, &accepted)?;
    }
    Ok(accepted)
}

/// Where it went, how far it came, and who sent it.
fn check_route(expect: &Expectation, route: Route, hop_limit: Option<u8>) -> Result<(), Reject> {
    let Route { source, destination } = route;
    match &expect.cast {
        Cast::Multicast(group) if destination != *group => {
            return Err(Reject::Destination { found: destination });
        }
        Cast::Unicast(_) if is_of_many(destination) => {
            return Err(Reject::Destination { found: destination });
        }
        Cast::Multicast(_) if hop_limit != Some(HOP_LIMIT) => return Err(Reject::IpTtl { found: hop_limit }),
        Cast::Multicast(_) | Cast::Unicast(_) => {}
    }
    if Some(source) == expect.own_source {
        return Err(Reject::OwnSource { found: source });
    }
    if source.is_unspecified() || is_of_many(source) {
        return Err(Reject::Source { found: source });
    }
    let Cast::Unicast(peers) = &expect.cast else { return Ok(()) };
    let peer = peers.iter().find(|peer| peer.address == source).ok_or(Reject::NotAPeer { found: source })?;
    let found = hop_limit.ok_or(Reject::IpTtl { found: None })?;
    if found < peer.min_ttl { Err(Reject::PeerTtl { found, least: peer.min_ttl }) } else { Ok(()) }
}

/// The message without its HMAC, and what that says.
fn authenticate<'a>(
    expect: &Expectation,
    source: IpAddr,
    whole: &'a [u8],
) -> Result<(&'a [u8], Option<Signature>), Reject> {
    match (&expect.authentication, split_trailer(expect, source, whole)) {
        (Authentication::Hmac(hmac), Some((message, trailer))) => {
            hmac::verify(hmac, expect.wall, source, message, trailer)
                .map(|signature| (message, Some(signature)))
        }
        (Authentication::Hmac(hmac), None) if hmac.mode == Mode::Enforce => Err(Reject::HmacMissing),
        (Authentication::None | Authentication::Pass(_), Some(_)) => Err(Reject::HmacUnexpected),
        (_, None) => Ok((whole, None)),
    }
}

/// A trailer is there if the message is longer than its count says by exactly as much.
fn split_trailer<'a>(
    expect: &Expectation,
    source: IpAddr,
    whole: &'a [u8],
) -> Option<(&'a [u8], &'a [u8; TRAILER_LENGTH])> {
    let count = usize::from(*whole.get(3)?);
    let length = match (expect.interval.version(), source) {
        (Version::V2, _) => HEADER_LENGTH + 4 * count + v2::AUTHENTICATION_LENGTH,
        (Version::V3, IpAddr::V4(_)) => HEADER_LENGTH + 4 * count,
        (Version::V3, IpAddr::V6(_)) => HEADER_LENGTH + 16 * count,
    };
    let (message, trailer) = whole.split_at_checked(length)?;
    Some((message, trailer.try_into().ok()?))
}

fn receive_v2(expect: &Expectation, message: &[u8]) -> Result<Advert, Reject> {
    let fields = v2::parse(message)?;
    if !fields.checksum_holds {
        return Err(Reject::Checksum);
    }
    let vrid = same_vrid(expect, fields.vrid)?;
    match (&expect.authentication, fields.authentication_type) {
        (Authentication::None | Authentication::Hmac(_), 0) => {}
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
    covered: &[u8],
    route: Route,
) -> Result<(Advert, Option<ChecksumForm>), Reject> {
    let fields = v3::parse(message, route)?;
    let form = v3::checksum_form(covered, route).ok_or(Reject::Checksum)?;
    let vrid = same_vrid(expect, fields.vrid)?;
    let interval = Centis::new(fields.interval).map(Interval::Centis).ok_or(Reject::IntervalZero)?;
    let advert = Advert { vrid, priority: Priority(fields.priority), interval, addresses: fields.addresses };
    // Over IPv6 there is but one form.
    Ok((advert, route.source.is_ipv4().then_some(form)))
}

/// What the RFCs let a router refuse, and what it otherwise takes with a warning.
fn check_strictly(expect: &Expectation, accepted: &Accepted) -> Result<(), Reject> {
    let Accepted { advert, checksum, .. } = accepted;
    if let Some(found) = checksum.filter(|form| *form != expect.checksum) {
        return Err(Reject::OtherChecksumForm { found });
    }
    if expect.interval.version() == Version::V2
        && !advert.priority.is_owner()
        && !same_addresses(&advert.addresses, &expect.addresses)
    {
        return Err(Reject::OtherAddresses);
    }
    match advert.addresses.first() {
        Some(&found @ IpAddr::V6(first)) if !first.is_unicast_link_local() => {
            Err(Reject::FirstAddress { found })
        }
        _ => Ok(()),
    }
}

/// Whether two lists have the same addresses, in any order (RFC 9568 §7.1).
#[must_use]
pub fn same_addresses(a: &[IpAddr], b: &[IpAddr]) -> bool {
    let sorted = |list: &[IpAddr]| {
        let mut list = list.to_vec();
        list.sort_unstable();
        list
    };
    a == b || a.len() == b.len() && sorted(a) == sorted(b)
}

fn same_vrid(expect: &Expectation, found: u8) -> Result<Vrid, Reject> {
    if found == expect.vrid.number() { Ok(expect.vrid) } else { Err(Reject::Vrid { found }) }
}

/// Multicast or broadcast: no host's own address.
fn is_of_many(address: IpAddr) -> bool {
    address.is_multicast() || matches!(address, IpAddr::V4(v4) if v4.is_broadcast())
}
