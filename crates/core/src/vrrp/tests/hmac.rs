//! Sequences, and what the HMAC covers: every bit but the checksum's, and the source.

use super::*;
use crate::vrrp::hmac::{TRAILER_LENGTH, verify};
use crate::vrrp::{Datagram, HOP_LIMIT, emit, receive};

const CHECKSUM: core::ops::Range<usize> = 6..8;

/// Adverts of each kind that can have one, and between whom they go.
fn kinds() -> [(Advert, Route); 3] {
    let ipv4 = route("10.0.1.1", "224.0.0.18");
    [
        (v2(51, 100, 1, &["10.0.1.5", "10.0.1.6"]), ipv4),
        (v3(100, 100, &["10.0.1.5", "10.0.1.6"]), ipv4),
        (v3(100, 100, &["fe80::5", "2001:db8::5"]), route("fe80::1", "ff02::12")),
    ]
}

#[test]
fn every_bit_is_covered_but_the_checksums() {
    let hmac = monotonic(1, key(0));
    for (advert, route) in kinds() {
        let authentication = Authentication::Hmac(hmac.clone());
        let seal = authentication.seal(Sequence(1 << 32));
        let whole = emit(&advert, route, ChecksumForm::PseudoHeader, &seal);
        let expect = expectation(&advert, authentication.clone());
        for bit in 0..whole.len() * 8 {
            let mut changed = whole.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let (message, trailer) = changed.split_last_chunk::<TRAILER_LENGTH>().unwrap();
            let verified = verify(&hmac, Wall::default(), route.source, message, trailer);
            let datagram = Datagram { route, hop_limit: Some(HOP_LIMIT), message: &changed };
            let received = receive(&expect, &datagram);
            if CHECKSUM.contains(&(bit / 8)) {
                assert!(verified.is_ok(), "bit {bit} of {advert:?}");
                assert_eq!(received, Err(Reject::Checksum), "bit {bit} of {advert:?}");
            } else {
                let trailer_at = whole.len() - TRAILER_LENGTH;
                let expected = match (bit / 8).checked_sub(trailer_at) {
                    Some(0 | 2 | 3) => Reject::HmacMalformed,
                    Some(1) if trailer[1] == 0 => Reject::HmacMalformed,
                    Some(1) => Reject::HmacUnknownKey { found: trailer[1] },
                    _ => Reject::HmacInvalid,
                };
                assert_eq!(verified, Err(expected), "bit {bit} of {advert:?}");
                assert!(received.is_err(), "bit {bit} of {advert:?}");
            }
        }
    }
}

#[test]
fn the_source_is_covered_and_the_destination_is_not() {
    let hmac = monotonic(1, key(0));
    for (advert, route) in kinds() {
        let authentication = Authentication::Hmac(hmac.clone());
        let whole = emit(&advert, route, ChecksumForm::PseudoHeader, &authentication.seal(Sequence(7)));
        let (message, trailer) = whole.split_last_chunk::<TRAILER_LENGTH>().unwrap();
        let other = match route.source {
            IpAddr::V4(_) => ip("10.0.1.2"),
            IpAddr::V6(_) => ip("fe80::2"),
        };
        assert_eq!(verify(&hmac, Wall::default(), other, message, trailer), Err(Reject::HmacInvalid));
        let unicast = Route { destination: other, ..route };
        let copy = emit(&advert, unicast, ChecksumForm::PseudoHeader, &authentication.seal(Sequence(7)));
        assert_eq!(copy.last_chunk::<TRAILER_LENGTH>(), Some(trailer), "one for all unicast copies");
    }
}

#[test]
fn keys_have_a_length_and_are_hidden() {
    for (length, right) in [(0, false), (31, false), (32, true), (64, true), (65, false)] {
        assert_eq!(Key::new(&vec![b'k'; length]).is_some(), right, "{length} bytes");
    }
    assert_eq!(format!("{:?}", Key::new(&[b'k'; 32]).unwrap()), "Key(hidden)");
    assert_eq!(KeyId::new(0), None);
}

#[test]
fn a_sequence_is_a_moment_and_then_counts() {
    let at = |seconds, nanos| Sequence::at(Wall(Duration::new(seconds, nanos)));
    assert_eq!(at(0x6800_0000, 500_000_000), Sequence(0x6800_0000_8000_0000));
    assert_eq!(at(1, 999_999_999), Sequence(0x1_ffff_0000));
    assert_eq!(at((1 << 32) + 5, 0), at(5, 0), "seconds are of 32 bits");
    assert_eq!(Sequence(0x1_0000_ffff).next(), Sequence(0x1_0001_0000), "carries into the fraction");
    assert_eq!(Sequence(0x1_ffff_ffff).next(), Sequence(0x2_0000_0000), "and into the seconds");
    assert!(at(1, 0).is_after(at(0, 999_999_999)));
    assert!(!at(1, 0).is_after(at(1, 0)));
    // In 2106, as RFC 1982 has it.
    assert!(Sequence(0).is_after(Sequence(u64::MAX)));
    assert!(at(1 << 32, 0).is_after(at((1 << 32) - 1, 0)));
    assert_eq!(at(1 << 32, 0).ahead_of(Wall(Duration::from_secs((1 << 32) - 3))), 3);
    assert_eq!(at((1 << 32) - 3, 0).ahead_of(Wall(Duration::from_secs(1 << 32))), -3);
}
