//! The HMAC: bytes give a key, a sequence, an advert and a way to spoil it. What is signed verifies; what was changed,
//! or signed by another key or for another source, does not.

use core::net::IpAddr;
use core::num::NonZeroU8;
use core::time::Duration;
use std::collections::BTreeMap;

use super::{hold, key, key_id};
use crate::units::{Centis, Family, Interval, Priority, Vrid, Wall};
use crate::vrrp::hmac::{self, Hmac, KEY_LENGTH_MIN, Mode, ReplayProtection, TRAILER_LENGTH};
use crate::vrrp::{
    Advert, Authentication, Cast, ChecksumForm, Datagram, Expectation, HOP_LIMIT, Reject, Route, Seal,
    Sequence, Signature, UnicastPeer, emit, receive,
};

/// Most seconds that two clocks differ by.
const WINDOW: u64 = 5;
/// Where the checksum is in a message.
const CHECKSUM: core::ops::Range<usize> = 6..8;

/// Takes an input apart; behind its end there are zeros.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (now, rest) = self.0.split_at(self.0.len().min(N));
        self.0 = rest;
        let mut taken = [0; N];
        taken.iter_mut().zip(now).for_each(|(to, from)| *to = *from);
        taken
    }

    fn address(&mut self, family: Family) -> IpAddr {
        match family {
            Family::V4 => IpAddr::from(self.take::<4>()),
            Family::V6 => IpAddr::from(self.take::<16>()),
        }
    }
}

/// A signed advert and somebody who spoils it.
///
/// # Errors
/// What did not hold.
pub fn hmac(input: &[u8]) -> Result<(), String> {
    let mut input = Reader(input);
    let [choices, id, length, offset, xor] = input.take();
    let at = usize::from(u16::from_be_bytes(input.take()));
    let bytes = input.take::<64>();
    let sequence = Sequence(u64::from_be_bytes(input.take()));
    order(sequence, Sequence(u64::from_be_bytes(input.take())))?;

    let secret = bytes.get(..KEY_LENGTH_MIN + usize::from(length) % 33).unwrap_or(&bytes);
    let (id, key) = (key_id(id)?, key(secret)?);
    let offset = i64::from(offset.cast_signed());
    let replay_protection = match choices & 1 {
        0 => ReplayProtection::Monotonic,
        _ => ReplayProtection::Time { window: Duration::from_secs(WINDOW) },
    };
    let mode = match choices & 2 {
        0 => Mode::Enforce,
        _ => Mode::Permissive,
    };
    let keys = BTreeMap::from([(id, key.clone())]);
    let trust = Hmac { mode, active_key: id, keys, replay_protection };
    let (advert, route) = advert(choices, &mut input)?;
    let wall = Wall(Duration::from_secs(u64::from(sequence.seconds()).saturating_add_signed(-offset)));
    let expect = Expectation {
        vrid: advert.vrid,
        interval: advert.interval,
        authentication: Authentication::Hmac(trust.clone()),
        cast: Cast::Unicast(vec![UnicastPeer { address: route.source, min_ttl: 1 }]),
        own_source: None,
        strict: false,
        checksum: ChecksumForm::default(),
        addresses: vec![],
        wall,
    };
    let form = if choices & 4 == 0 { ChecksumForm::PseudoHeader } else { ChecksumForm::Rfc9568 };
    let whole = emit(&advert, route, form, &Seal::Hmac { id, key: &key, sequence });
    let judge = |message: &[u8]| receive(&expect, &Datagram { route, hop_limit: Some(HOP_LIMIT), message });

    let ahead = sequence.ahead_of(wall);
    let stale = replay_protection != ReplayProtection::Monotonic && ahead.unsigned_abs() > WINDOW;
    let signature = Signature { key_id: id, sequence };
    match judge(&whole) {
        Ok(accepted) => {
            hold!(!stale, "{ahead} s ahead");
            hold!(accepted.advert == advert, "another advert: {:?}", accepted.advert);
            hold!(accepted.signature == Some(signature), "another signature: {:?}", accepted.signature);
        }
        Err(Reject::HmacStale { ahead: found }) => {
            hold!(stale && found == ahead, "{ahead} s ahead, and stale")
        }
        Err(Reject::Source { .. }) => {}
        Err(reject) => return Err(format!("ours, and refused: {reject}")),
    }

    let at = at % whole.len().max(1);
    let mut changed = whole.clone();
    changed.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= xor.max(1));
    if let Ok(accepted) = judge(&changed) {
        // A changed checksum may be right in its other form. Where HMACs are not enforced, a changed count can make
        // addresses of one: then nothing is verified, and nothing is said to be.
        let unsigned = accepted.signature.is_none() && mode == Mode::Permissive;
        let same = accepted.advert == advert && accepted.signature == Some(signature);
        hold!(unsigned || CHECKSUM.contains(&at) && same, "byte {at} changed, and accepted");
    }
    signed(&trust, wall, route.source, &whole, (at, xor.max(1)))
}

/// Only the trailer counts here: what made it, what it covers.
fn signed(
    trust: &Hmac,
    wall: Wall,
    source: IpAddr,
    whole: &[u8],
    (at, xor): (usize, u8),
) -> Result<(), String> {
    let trust = Hmac { replay_protection: ReplayProtection::Monotonic, ..trust.clone() };
    let (message, trailer) = whole.split_last_chunk::<TRAILER_LENGTH>().ok_or("no trailer")?;
    let verify = |trust: &Hmac, source, message, trailer| {
        hmac::verify(trust, wall, source, message, trailer).map(|signature| signature.sequence)
    };
    hold!(verify(&trust, source, message, trailer).is_ok(), "not verified");

    let mut other = message.to_vec();
    if let Some(byte) = other.get_mut(at) {
        *byte ^= xor;
        let verified = verify(&trust, source, &other, trailer).is_ok();
        hold!(verified == CHECKSUM.contains(&at), "byte {at} of the message changed: verified is {verified}");
    }
    let mut forged = *trailer;
    if let Some(byte) = forged.get_mut(at % TRAILER_LENGTH) {
        *byte ^= xor;
        hold!(verify(&trust, source, message, &forged).is_err(), "verified a changed trailer");
    }
    let neighbour = match source {
        IpAddr::V4(v4) => IpAddr::from((v4.to_bits() ^ u32::from(xor)).to_be_bytes()),
        IpAddr::V6(v6) => IpAddr::from((v6.to_bits() ^ u128::from(xor)).to_be_bytes()),
    };
    hold!(verify(&trust, neighbour, message, trailer).is_err(), "verified for another source");
    let bytes: [u8; KEY_LENGTH_MIN] = core::array::from_fn(|_| xor);
    let stranger = Hmac { keys: BTreeMap::from([(trust.active_key, key(&bytes)?)]), ..trust.clone() };
    let same_key = stranger.keys == trust.keys;
    hold!(verify(&stranger, source, message, trailer).is_ok() == same_key, "verified by another key");
    Ok(())
}

/// An advert and between whom it goes, for the family and version of the choice.
fn advert(choices: u8, input: &mut Reader<'_>) -> Result<(Advert, Route), String> {
    let family = if choices & 8 == 0 { Family::V4 } else { Family::V6 };
    let version_2 = choices & 16 != 0 && family == Family::V4;
    let [vrid, priority, high, low, count] = input.take();
    let interval = match version_2 {
        true => NonZeroU8::new(low.max(1)).map(Interval::Seconds),
        false => Centis::new((u16::from_be_bytes([high, low]) & 0x0fff).max(1)).map(Interval::Centis),
    };
    let route = Route { source: input.address(family), destination: unicast(input.address(family)) };
    Ok((
        Advert {
            vrid: Vrid::new(vrid.max(1)).ok_or("no VRID")?,
            priority: Priority(priority),
            interval: interval.ok_or("no interval")?,
            addresses: (0..count.max(1)).map(|_| input.address(family)).collect(),
        },
        route,
    ))
}

/// The address, or the one with its first half zero if it is a group's.
fn unicast(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) if v4.is_multicast() || v4.is_broadcast() => {
            IpAddr::from((v4.to_bits() & 0xffff).to_be_bytes())
        }
        IpAddr::V6(v6) if v6.is_multicast() => {
            IpAddr::from((v6.to_bits() & u128::from(u64::MAX)).to_be_bytes())
        }
        other => other,
    }
}

/// Two sequences are in one order, and the next is after its own.
fn order(a: Sequence, b: Sequence) -> Result<(), String> {
    hold!(!(a.is_after(b) && b.is_after(a)), "{a:?} and {b:?} are after each other");
    let opposite = a.0.wrapping_sub(b.0) == 1 << 63;
    hold!(a == b || opposite || a.is_after(b) || b.is_after(a), "{a:?} and {b:?} are in no order");
    hold!(a.next().is_after(a), "{a:?} is not before its next");
    Ok(())
}
