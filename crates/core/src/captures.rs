//! Adverts captured from keepalived (fixtures/vrrp, each with its origin): what they say is read, and the
//! same bytes are made again. Golden vectors of both checksum forms, and arbitrary bytes that must not panic.

use std::net::IpAddr;
use std::num::NonZeroU8;

use crate::units::{Centis, Interval, Priority, Vrid};
use crate::vrrp::{
    self, Accepted, Advert, Authentication, ChecksumForm, Datagram, Expectation, Reject, Route,
    SimplePassword,
};
use crate::{ipv4, vrrp::receive};
use proptest::prelude::*;

const ETHERNET_HEADER: usize = 14;

struct Case {
    frames: &'static str,
    advert: fn(priority: u8) -> Advert,
    authentication: Option<&'static str>,
    checksum: Option<ChecksumForm>,
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
}

fn ips(list: &[&str]) -> Vec<IpAddr> {
    list.iter().map(|a| a.parse().unwrap()).collect()
}

fn v2(vrid: u8, priority: u8, seconds: u8, addresses: &[&str]) -> Advert {
    Advert {
        vrid: Vrid::new(vrid).unwrap(),
        priority: Priority(priority),
        interval: Interval::Seconds(NonZeroU8::new(seconds).unwrap()),
        addresses: ips(addresses),
    }
}

fn v3(priority: u8, centis: u16, addresses: &[&str]) -> Advert {
    Advert {
        vrid: Vrid::new(51).unwrap(),
        priority: Priority(priority),
        interval: Interval::Centis(Centis::new(centis).unwrap()),
        addresses: ips(addresses),
    }
}

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../fixtures/vrrp/", $name, ".hex"))
    };
}

const VIP: &[&str] = &["192.168.4.80"];

const IPV4_CASES: &[Case] = &[
    Case {
        frames: fixture!("v2-noauth-3addr"),
        advert: |p| v2(7, p, 2, &["10.0.0.1", "10.0.0.2", "10.0.0.3"]),
        authentication: None,
        checksum: None,
    },
    Case {
        frames: fixture!("v2-owner"),
        advert: |p| v2(52, p, 1, VIP),
        authentication: None,
        checksum: None,
    },
    Case {
        frames: fixture!("v2-pass"),
        advert: |p| v2(51, p, 1, VIP),
        authentication: Some("1111"),
        checksum: None,
    },
    Case {
        frames: fixture!("v2-prio0"),
        advert: |p| v2(51, p, 1, VIP),
        authentication: None,
        checksum: None,
    },
    Case {
        frames: fixture!("v3-ipv4"),
        advert: |p| v3(p, 100, VIP),
        authentication: None,
        checksum: Some(ChecksumForm::PseudoHeader),
    },
    Case {
        frames: fixture!("v3-ipv4-10ms"),
        advert: |p| v3(p, 1, VIP),
        authentication: None,
        checksum: Some(ChecksumForm::PseudoHeader),
    },
    Case {
        frames: fixture!("v3-ipv4-as-v2"),
        advert: |p| v3(p, 100, VIP),
        authentication: None,
        checksum: Some(ChecksumForm::Rfc9568),
    },
    Case {
        frames: fixture!("v3-unicast"),
        advert: |p| v3(p, 100, VIP),
        authentication: None,
        checksum: Some(ChecksumForm::PseudoHeader),
    },
];

fn authentication(password: Option<&str>) -> Authentication {
    password
        .map_or(Authentication::None, |p| Authentication::Pass(SimplePassword::new(p.as_bytes()).unwrap()))
}

fn expectation(advert: &Advert, authentication: Authentication, group: IpAddr) -> Expectation {
    Expectation { vrid: advert.vrid, interval: advert.interval, authentication, group, own_source: None }
}

#[test]
fn captures_over_ipv4_are_understood_and_emitted_again() {
    for case in IPV4_CASES {
        for line in case.frames.lines() {
            let frame = hex(line);
            let packet = &frame[ETHERNET_HEADER..];
            let datagram = ipv4::parse(packet).unwrap();
            let priority = datagram.message[2];
            let advert = (case.advert)(priority);
            let authentication = authentication(case.authentication);

            let expect = expectation(&advert, authentication.clone(), datagram.route.destination);
            let accepted = receive(&expect, &datagram).unwrap();
            let source = datagram.route.source;
            assert_eq!(accepted, Accepted { source, advert: advert.clone(), checksum: case.checksum });

            let form = case.checksum.unwrap_or_default();
            let message = vrrp::emit(&advert, datagram.route, form, &authentication);
            assert_eq!(message, datagram.message, "{line}");

            let (IpAddr::V4(from), IpAddr::V4(to)) = (source, datagram.route.destination) else { panic!() };
            let mut emitted = ipv4::emit(from, to, &message);
            let mut captured = packet.to_vec();
            for kernel_fills in [4, 5, 10, 11] {
                emitted[kernel_fills] = 0;
                captured[kernel_fills] = 0;
            }
            assert_eq!(emitted, captured, "{line}");
        }
    }
}

#[test]
fn the_captured_farewell_has_priority_zero() {
    let last = fixture!("v2-prio0").lines().last().unwrap();
    assert_eq!(ipv4::parse(&hex(last)[ETHERNET_HEADER..]).unwrap().message[2], 0);
}

#[test]
fn a_capture_over_ipv6_is_understood_and_emitted_again() {
    let frame = hex(fixture!("v3-ipv6").lines().next().unwrap());
    let address = |at: usize| IpAddr::from(<[u8; 16]>::try_from(&frame[at..at + 16]).unwrap());
    let route = Route { source: address(22), destination: address(38) };
    let datagram = Datagram { route, hop_limit: frame[21], message: &frame[54..] };
    let advert = v3(100, 100, &["fe80::51", "fd00:4::80"]);
    let accepted =
        receive(&expectation(&advert, Authentication::None, route.destination), &datagram).unwrap();
    assert_eq!(accepted.advert, advert);
    for form in [ChecksumForm::PseudoHeader, ChecksumForm::Rfc9568] {
        assert_eq!(vrrp::emit(&advert, route, form, &Authentication::None), datagram.message);
    }
}

#[test]
fn golden_vectors() {
    let multicast = Route { source: [10, 0, 1, 1].into(), destination: [224, 0, 0, 18].into() };
    let unicast = Route { destination: [10, 0, 1, 2].into(), ..multicast };
    let old = v2(51, 100, 1, &["10.0.1.5"]);
    let new = v3(100, 100, &["10.0.1.5"]);
    let none = authentication(None);
    for (advert, route, form, auth, expected) in [
        (&old, multicast, ChecksumForm::Rfc9568, &none, "2133640100016fc50a0001050000000000000000"),
        (
            &old,
            multicast,
            ChecksumForm::Rfc9568,
            &authentication(Some("1111")),
            "2133640101010c630a0001053131313100000000",
        ),
        (&new, multicast, ChecksumForm::Rfc9568, &none, "3133640100645f620a000105"),
        (&new, multicast, ChecksumForm::PseudoHeader, &none, "31336401006473d20a000105"),
        (&new, unicast, ChecksumForm::PseudoHeader, &none, "31336401006448e30a000105"),
    ] {
        assert_eq!(vrrp::emit(advert, route, form, auth), hex(expected));
    }
}

#[test]
fn refuse_a_fragment_another_protocol_and_a_header_that_lies() {
    let whole = hex(fixture!("v3-ipv4").lines().next().unwrap()).split_off(ETHERNET_HEADER);
    let changed = |at: usize, value: u8| {
        let mut packet = whole.clone();
        packet[at] = value;
        packet
    };
    for (packet, expected) in [
        (changed(6, 0x20), Reject::Fragment),
        (changed(7, 1), Reject::Fragment),
        (changed(9, 17), Reject::Protocol { found: 17 }),
        (changed(0, 0x65), Reject::IpHeader),
        (changed(0, 0x44), Reject::IpHeader),
        (changed(3, 19), Reject::IpHeader),
        (changed(3, 200), Reject::IpHeader),
        (whole[..19].to_vec(), Reject::IpHeader),
    ] {
        assert_eq!(ipv4::parse(&packet), Err(expected), "{packet:02x?}");
    }
    assert!(ipv4::parse(&changed(6, 0x40)).is_ok(), "do not fragment is no fragment");
}

#[test]
fn every_reject_has_its_own_counter() {
    let mut names = Reject::NAMES.to_vec();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Reject::NAMES.len());
    assert!(Reject::NAMES.contains(&Reject::Checksum.name()));
}

fn adverts() -> impl Strategy<Value = (Advert, Authentication)> {
    let interval = prop_oneof![
        (1..=255u8).prop_map(|s| Interval::Seconds(NonZeroU8::new(s).unwrap())),
        (1..=4095u16).prop_map(|c| Interval::Centis(Centis::new(c).unwrap())),
    ];
    let addresses = prop::collection::vec(any::<[u8; 4]>().prop_map(IpAddr::from), 1..=255);
    let password = prop::option::of("[!-~]{1,8}");
    (1..=255u8, any::<u8>(), interval, addresses, password).prop_map(
        |(vrid, p, interval, addresses, word)| {
            let auth = if matches!(interval, Interval::Seconds(_)) { word } else { None };
            let advert =
                Advert { vrid: Vrid::new(vrid).unwrap(), priority: Priority(p), interval, addresses };
            (advert, authentication(auth.as_deref()))
        },
    )
}

proptest! {
    #[test]
    fn what_is_emitted_is_accepted(
        (advert, auth) in adverts(), rfc in any::<bool>(), source in any::<[u8; 4]>(),
    ) {
        prop_assume!(source[0] != 0 && source[0] < 224);
        let route = Route { source: source.into(), destination: vrrp::GROUP_V4.into() };
        let form = if rfc { ChecksumForm::Rfc9568 } else { ChecksumForm::PseudoHeader };
        let message = vrrp::emit(&advert, route, form, &auth);
        let packet = ipv4::emit(source.into(), vrrp::GROUP_V4, &message);
        let datagram = ipv4::parse(&packet).unwrap();
        let accepted = receive(&expectation(&advert, auth.clone(), route.destination), &datagram).unwrap();
        prop_assert_eq!(&accepted.advert, &advert);
        prop_assert_eq!(vrrp::emit(&accepted.advert, route, form, &auth), message);
    }

    #[test]
    fn arbitrary_bytes_give_a_value_or_a_reject(packet in prop::collection::vec(any::<u8>(), 0..1500)) {
        let advert = v3(100, 100, VIP);
        if let Ok(datagram) = ipv4::parse(&packet) {
            let _ = receive(&expectation(&advert, Authentication::None, vrrp::GROUP_V4.into()), &datagram);
        }
        let route = Route { source: [10, 0, 1, 1].into(), destination: vrrp::GROUP_V4.into() };
        let datagram = Datagram { route, hop_limit: 255, message: &packet };
        for advert in [advert, v2(51, 100, 1, VIP)] {
            let _ = receive(&expectation(&advert, Authentication::None, route.destination), &datagram);
        }
    }

    #[test]
    fn one_flipped_bit_is_never_accepted((advert, auth) in adverts(), bit in any::<prop::sample::Index>()) {
        let route = Route { source: [10, 0, 1, 1].into(), destination: vrrp::GROUP_V4.into() };
        let mut message = vrrp::emit(&advert, route, ChecksumForm::PseudoHeader, &auth);
        let bit = bit.index(message.len() * 8);
        message[bit / 8] ^= 1 << (bit % 8);
        let datagram = Datagram { route, hop_limit: 255, message: &message };
        prop_assert!(receive(&expectation(&advert, auth, route.destination), &datagram).is_err());
    }
}
