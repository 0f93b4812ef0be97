//! Adverts captured from keepalived (fixtures/vrrp, each with its origin): what they say is read, and the same frames
//! are made again. What was captured is judged by the clock that it was captured by.

use super::*;
use crate::ethernet;
use crate::vrrp::{self, Accepted, Packet, Received, Sequence, UnicastPeer};

struct Case {
    frames: &'static str,
    advert: fn(priority: u8) -> Advert,
    authentication: fn() -> Authentication,
    checksum: Option<ChecksumForm>,
}

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../fixtures/vrrp/", $name, ".hex"))
    };
}

const VIP: &[&str] = &["192.168.4.80"];
const VIPS_V6: &[&str] = &["fe80::51", "fd00:4::80"];
const PSEUDO_HEADER: Option<ChecksumForm> = Some(ChecksumForm::PseudoHeader);
const WINDOW: u64 = 5;

fn none() -> Authentication {
    Authentication::None
}

fn key_1() -> Authentication {
    Authentication::Hmac(in_time(1, key(0), WINDOW))
}

fn key_7() -> Authentication {
    Authentication::Hmac(in_time(7, key(0x20), WINDOW))
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case { frames: fixture!("v2-noauth-3addr"), checksum: None, authentication: none,
           advert: |p| v2(7, p, 2, &["10.0.0.1", "10.0.0.2", "10.0.0.3"]) },
    Case { frames: fixture!("v2-owner"), checksum: None, authentication: none, advert: |p| v2(52, p, 1, VIP) },
    Case { frames: fixture!("v2-pass"), checksum: None,
           authentication: || Authentication::Pass(password("1111")), advert: |p| v2(51, p, 1, VIP) },
    Case { frames: fixture!("v2-prio0"), checksum: None, authentication: none, advert: |p| v2(51, p, 1, VIP) },
    Case { frames: fixture!("v2-hmac"), checksum: None, authentication: key_7, advert: |p| v2(51, p, 1, VIP) },
    Case { frames: fixture!("v3-ipv4"), checksum: PSEUDO_HEADER, authentication: none, advert: |p| v3(p, 100, VIP) },
    Case { frames: fixture!("v3-ipv4-10ms"), checksum: PSEUDO_HEADER, authentication: none,
           advert: |p| v3(p, 1, VIP) },
    Case { frames: fixture!("v3-ipv4-as-v2"), checksum: Some(ChecksumForm::Rfc9568), authentication: none,
           advert: |p| v3(p, 100, VIP) },
    Case { frames: fixture!("v3-unicast"), checksum: PSEUDO_HEADER, authentication: none,
           advert: |p| v3(p, 100, VIP) },
    Case { frames: fixture!("v3-vmac"), checksum: PSEUDO_HEADER, authentication: none, advert: |p| v3(p, 100, VIP) },
    Case { frames: fixture!("v3-vmac-src"), checksum: PSEUDO_HEADER, authentication: none,
           advert: |p| v3(p, 100, VIP) },
    Case { frames: fixture!("v3-hmac"), checksum: PSEUDO_HEADER, authentication: key_1, advert: |p| v3(p, 100, VIP) },
    Case { frames: fixture!("v3-ipv6"), checksum: None, authentication: none, advert: |p| v3(p, 100, VIPS_V6) },
    Case { frames: fixture!("v3-ipv6-hmac"), checksum: None, authentication: key_1,
           advert: |p| v3(p, 100, VIPS_V6) },
];

/// As a raw socket hands it over.
fn received(frame: &[u8]) -> Received<'_> {
    let (header, packet) = frame.split_at(ethernet::HEADER_LENGTH);
    if header[12..] == [0x08, 0x00] {
        return Received::V4(packet);
    }
    let address = |at: usize| IpAddr::from(<[u8; 16]>::try_from(&packet[at..at + 16]).unwrap());
    let route = Route { source: address(8), destination: address(24) };
    Received::V6 { route, hop_limit: Some(packet[7]), message: &packet[40..] }
}

/// A frame without what the kernel fills in, or the hardware: identification and checksum of an IPv4 header, the flow
/// label of IPv6, a peer's link-layer address.
fn without_the_kernels(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    let fills: &[usize] = match frame[12..14] {
        [0x08, 0x00] => &[18, 19, 24, 25],
        _ => &[15, 16, 17],
    };
    for &at in fills {
        frame[at] = if at == 15 { frame[at] & 0xf0 } else { 0 };
    }
    frame
}

/// The sequence in a trailer, if there is room for one, and its moment.
fn sequence(message: &[u8]) -> (Sequence, Wall) {
    let trailer = message.last_chunk::<{ vrrp::hmac::TRAILER_LENGTH }>();
    let bytes = trailer.map_or([0; 8], |trailer| trailer[4..12].try_into().unwrap());
    let sequence = Sequence(u64::from_be_bytes(bytes));
    (sequence, Wall(Duration::from_secs(u64::from(sequence.seconds()))))
}

#[test]
fn captures_are_understood_and_emitted_again() {
    for case in CASES {
        for line in case.frames.lines() {
            let frame = hex(line);
            let datagram = received(&frame).datagram().unwrap();
            let Route { source, destination } = datagram.route;
            let advert = (case.advert)(datagram.message[2]);
            let authentication = (case.authentication)();
            let (sequence, wall) = sequence(datagram.message);

            let cast = match destination.is_multicast() {
                true => Cast::Multicast(destination),
                false => Cast::Unicast(vec![UnicastPeer { address: source, min_ttl: 255 }]),
            };
            let checksum = case.checksum.unwrap_or_default();
            let expect = Expectation {
                cast,
                checksum,
                wall,
                strict: true,
                ..expectation(&advert, authentication.clone())
            };
            let seal = authentication.seal(sequence);
            let signature = match seal {
                Seal::Hmac { id, .. } => Some(vrrp::Signature { key_id: id, sequence }),
                Seal::None | Seal::Pass(_) => None,
            };
            let accepted = vrrp::receive(&expect, &datagram).unwrap();
            let advert_again = advert.clone();
            let expected = Accepted { source, advert: advert_again, checksum: case.checksum, signature };
            assert_eq!(accepted, expected);

            let message = vrrp::emit(&advert, datagram.route, checksum, &seal);
            assert_eq!(message, datagram.message, "{line}");
            let packet = Packet::new(datagram.route, message).unwrap();
            let station = frame[6..12].try_into().unwrap();
            match ethernet::frame(station, &packet) {
                Some(emitted) => {
                    assert_eq!(without_the_kernels(&emitted), without_the_kernels(&frame), "{line}");
                }
                None => assert!(matches!(expect.cast, Cast::Unicast(_)), "{line}"),
            }
        }
    }
}

#[test]
fn a_captured_hmac_is_refused_outside_its_window_and_under_other_keys() {
    for (frames, advert, hmac) in [
        (fixture!("v2-hmac"), v2(51, 100, 1, VIP), in_time(7, key(0x20), WINDOW)),
        (fixture!("v3-hmac"), v3(100, 100, VIP), in_time(1, key(0), WINDOW)),
        (fixture!("v3-ipv6-hmac"), v3(100, 100, VIPS_V6), in_time(1, key(0), WINDOW)),
    ] {
        let frame = hex(frames.lines().next().unwrap());
        let datagram = received(&frame).datagram().unwrap();
        let (_, Wall(then)) = sequence(datagram.message);
        let judged = |hmac: &Hmac, wall: u64| {
            let wall = Wall(Duration::from_secs(wall));
            let expect = Expectation { wall, ..expectation(&advert, Authentication::Hmac(hmac.clone())) };
            vrrp::receive(&expect, &datagram).map(|_| ())
        };
        let then = then.as_secs();
        assert_eq!(judged(&hmac, then + WINDOW), Ok(()));
        assert_eq!(judged(&hmac, then - WINDOW), Ok(()));
        assert_eq!(judged(&hmac, then + WINDOW + 1), Err(Reject::HmacStale { ahead: -6 }));
        assert_eq!(judged(&hmac, then - WINDOW - 1), Err(Reject::HmacStale { ahead: 6 }));
        let other = in_time(hmac.active_key.number(), key(9), WINDOW);
        assert_eq!(judged(&other, then), Err(Reject::HmacInvalid));
        let found = hmac.active_key.number();
        assert_eq!(judged(&in_time(9, key(0), WINDOW), then), Err(Reject::HmacUnknownKey { found }));
    }
}

#[test]
fn the_captured_farewell_has_priority_zero() {
    let last = hex(fixture!("v2-prio0").lines().last().unwrap());
    assert_eq!(received(&last).datagram().unwrap().message[2], 0);
}

#[test]
fn a_captured_virtual_station_is_the_one_of_its_virtual_router() {
    let frame = hex(fixture!("v3-vmac-src").lines().next().unwrap());
    assert_eq!(frame[6..12], ethernet::virtual_mac(Family::V4, Vrid::new(51).unwrap()));
}

#[test]
fn a_captured_authentication_header_is_another_protocol() {
    for line in fixture!("v2-ah").lines() {
        let frame = hex(line);
        assert_eq!(received(&frame).datagram(), Err(Reject::Protocol { found: 51 }));
        assert_eq!(received(&frame).vrid(), None);
    }
}
