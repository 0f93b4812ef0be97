//! The decoder: any bytes as a packet and as a message, judged by routers of every kind. What one of them accepts must
//! be what it says, and be made again.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::num::NonZeroU8;
use core::time::Duration;
use std::collections::BTreeMap;

use super::{hold, key, key_id};
use crate::units::{Centis, Family, Interval, Version, Vrid, Wall};
use crate::vrrp::hmac::{Hmac, Mode, ReplayProtection, TRAILER_LENGTH};
use crate::vrrp::{
    Accepted, Authentication, Cast, ChecksumForm, Datagram, Expectation, HOP_LIMIT, Received, Reject, Route,
    Seal, SimplePassword, UnicastPeer, emit, group, receive, v2, v3,
};

const PEER_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 1, 1));
/// Of the adverts that were captured.
const PEER_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0xff, 0xfe00, 0xa));
const OUR_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 1, 2));
/// Clocks may differ by so much.
const WINDOW: Duration = Duration::from_secs(5);

/// Any bytes: as an IPv4 packet, and as a message of either family.
///
/// # Errors
/// What did not hold.
pub fn decoder(input: &[u8]) -> Result<(), String> {
    let received = Received::V4(input);
    let found = received.datagram();
    hold!(received.vrid().is_none() || found.is_ok(), "a VRID of no datagram");
    match found {
        Ok(datagram) => {
            hold!(datagram.message.len() + 20 <= input.len(), "a message longer than its packet");
            judge(&datagram)?;
        }
        Err(reject) => named(reject)?,
    }
    for (source, destination) in
        [(PEER_V4, group(Family::V4)), (PEER_V4, OUR_V4), (PEER_V6, group(Family::V6))]
    {
        judge(&Datagram {
            route: Route { source, destination },
            hop_limit: Some(HOP_LIMIT),
            message: input,
        })?;
    }
    Ok(())
}

/// As it is, and with its checksum made right: else hardly anything would come that far.
fn judge(datagram: &Datagram<'_>) -> Result<(), String> {
    judge_as_it_is(datagram)?;
    let (Route { source, .. }, whole) = (datagram.route, datagram.message);
    let covered = |trailer: usize| whole.get(..whole.len().saturating_sub(trailer)).unwrap_or_default();
    let version_2 = whole.first().is_some_and(|first| first >> 4 == 2);
    for trailer in [0, if source.is_ipv4() { TRAILER_LENGTH } else { 0 }] {
        for form in ChecksumForm::ALL {
            let sum = match version_2 {
                true => v2::sum(covered(trailer)),
                false => v3::sum(covered(trailer), datagram.route, form),
            };
            let mut message = whole.to_vec();
            v2::store_checksum(&mut message, sum);
            judge_as_it_is(&Datagram { message: &message, ..*datagram })?;
        }
    }
    Ok(())
}

fn judge_as_it_is(datagram: &Datagram<'_>) -> Result<(), String> {
    let field = |at: usize| datagram.message.get(at).copied().unwrap_or_default();
    let vrid = Vrid::new(field(1).max(1)).ok_or("no VRID")?;
    let interval = match field(0) >> 4 {
        2 => NonZeroU8::new(field(5)).map(Interval::Seconds),
        _ => Centis::new(100).map(Interval::Centis),
    };
    let interval = interval.unwrap_or(Interval::Centis(Centis::MAX));
    let Route { source, destination } = datagram.route;
    let cast = if destination.is_multicast() {
        Cast::Multicast(destination)
    } else {
        Cast::Unicast(vec![UnicastPeer { address: source, min_ttl: 254 }])
    };
    for authentication in authentications()? {
        let expect = Expectation {
            vrid,
            interval,
            authentication,
            cast: cast.clone(),
            own_source: None,
            strict: false,
            checksum: ChecksumForm::default(),
            addresses: vec![PEER_V4],
            wall: sent_at(datagram.message),
        };
        match receive(&expect, datagram) {
            Ok(accepted) => check(&expect, datagram, &accepted)?,
            Err(reject) => named(reject)?,
        }
        let strict = Expectation { strict: true, ..expect.clone() };
        if let Ok(accepted) = receive(&strict, datagram) {
            hold!(receive(&expect, datagram) == Ok(accepted), "strict takes what lenient does not");
        }
    }
    Ok(())
}

/// One of each kind, with the keys of the adverts that were captured.
fn authentications() -> Result<[Authentication; 4], String> {
    let counting: Vec<u8> = (0..64).collect();
    let (first, second) = counting.split_at(32);
    let active_key = key_id(1)?;
    let keys = BTreeMap::from([(active_key, key(first)?), (key_id(7)?, key(second)?)]);
    let hmac = |mode, replay_protection| {
        Authentication::Hmac(Hmac { mode, active_key, keys: keys.clone(), replay_protection })
    };
    let password = SimplePassword::new(b"1111").ok_or("no password")?;
    Ok([
        Authentication::None,
        Authentication::Pass(password),
        hmac(Mode::Enforce, ReplayProtection::Time { window: WINDOW }),
        hmac(Mode::Permissive, ReplayProtection::Monotonic),
    ])
}

/// The time in the trailer, if there is one.
fn sent_at(message: &[u8]) -> Wall {
    let seconds = message.last_chunk::<TRAILER_LENGTH>().and_then(|trailer| trailer.get(4..)?.first_chunk());
    Wall(Duration::from_secs(u64::from(seconds.map_or(0, |bytes| u32::from_be_bytes(*bytes)))))
}

fn named(reject: Reject) -> Result<(), String> {
    hold!(Reject::NAMES.contains(&reject.name()), "{reject:?} has no counter");
    hold!(!reject.to_string().is_empty(), "{reject:?} has no words");
    Ok(())
}

fn check(expect: &Expectation, datagram: &Datagram<'_>, accepted: &Accepted) -> Result<(), String> {
    let (message, route) = (datagram.message, datagram.route);
    let Accepted { source, advert, checksum, signature } = accepted;
    let version = expect.interval.version();
    hold!(*source == route.source, "another source");
    hold!(advert.vrid == expect.vrid && advert.interval.version() == version, "another router's");
    hold!(message.get(2) == Some(&advert.priority.0), "another priority");
    hold!(message.get(3).copied().map(usize::from) == Some(advert.addresses.len()), "another count");
    hold!(!advert.addresses.is_empty(), "no address");
    hold!(advert.addresses.iter().all(|a| a.is_ipv4() == source.is_ipv4()), "addresses of the other family");
    hold!(checksum.is_some() == (version == Version::V3 && source.is_ipv4()), "forms where there are none");
    match expect.cast {
        Cast::Multicast(_) => hold!(datagram.hop_limit == Some(HOP_LIMIT), "it came through a router"),
        Cast::Unicast(_) => hold!(datagram.hop_limit >= Some(254), "it came through routers"),
    }

    let seal = match (&expect.authentication, signature) {
        (Authentication::None, None) => Seal::None,
        (Authentication::Pass(password), None) => Seal::Pass(password),
        (Authentication::Hmac(hmac), None) => {
            hold!(hmac.mode != Mode::Enforce, "no HMAC where one is enforced");
            Seal::None
        }
        (Authentication::Hmac(hmac), Some(signature)) => {
            let key = hmac.keys.get(&signature.key_id).ok_or("verified by a key that is not there")?;
            Seal::Hmac { id: signature.key_id, key, sequence: signature.sequence }
        }
        (Authentication::None | Authentication::Pass(_), Some(_)) => {
            return Err("verified without keys".to_owned());
        }
    };
    let again = emit(advert, route, checksum.unwrap_or_default(), &seal);
    hold!(again.len() == message.len(), "made again with another length");
    hold!(again == message || ignored(version, message, &seal), "made again with other bytes");
    let same = receive(expect, &Datagram { message: &again, ..*datagram });
    hold!(same.as_ref() == Ok(accepted), "made again and not the same: {same:?}");
    Ok(())
}

/// Whether it has something that receivers ignore and nobody sends: reserved bits (RFC 9568 §5.2.6), Authentication
/// Data without authentication (RFC 3768 §5.3.10).
fn ignored(version: Version, message: &[u8], seal: &Seal<'_>) -> bool {
    let trailer = if matches!(seal, Seal::Hmac { .. }) { TRAILER_LENGTH } else { 0 };
    let message = message.get(..message.len().saturating_sub(trailer)).unwrap_or_default();
    match version {
        Version::V2 => {
            !matches!(seal, Seal::Pass(_)) && message.last_chunk() != Some(&[0_u8; v2::AUTHENTICATION_LENGTH])
        }
        Version::V3 => message.get(4).is_some_and(|byte| byte & 0xf0 != 0),
    }
}
