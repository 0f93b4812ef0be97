//! What a router refuses, one row for each reason: the packet, what was expected of it, and the answer.

use super::*;
use crate::ipv4;
use crate::vrrp::{Datagram, HOP_LIMIT, UnicastPeer, emit, receive};

const NOW: u64 = 1_750_000_000;

/// An advert on its way, and the router that it reaches.
struct Case {
    advert: Advert,
    route: Route,
    hop_limit: Option<u8>,
    form: ChecksumForm,
    expect: Expectation,
}

/// Of 10.0.1.1 to the group.
fn multicast() -> Case {
    let advert = v3(200, 100, &["10.0.1.5"]);
    Case {
        expect: expectation(&advert, Authentication::None),
        advert,
        route: route("10.0.1.1", "224.0.0.18"),
        hop_limit: Some(HOP_LIMIT),
        form: ChecksumForm::PseudoHeader,
    }
}

fn version_2() -> Case {
    let advert = v2(51, 200, 1, &["10.0.1.5", "10.0.1.6"]);
    Case { expect: expectation(&advert, Authentication::None), advert, ..multicast() }
}

fn over_ipv6() -> Case {
    let advert = v3(200, 100, &["fe80::5", "2001:db8::5"]);
    let route = route("fe80::1", "ff02::12");
    Case { expect: expectation(&advert, Authentication::None), advert, route, ..multicast() }
}

/// Of the peer 10.0.1.1, which is at most one router away.
fn unicast() -> Case {
    let mut case = multicast();
    case.expect.cast = Cast::Unicast(vec![
        UnicastPeer { address: ip("10.0.1.9"), min_ttl: 1 },
        UnicastPeer { address: ip("10.0.1.1"), min_ttl: 254 },
    ]);
    Case { route: route("10.0.1.1", "10.0.1.2"), ..case }
}

impl Case {
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn received(&self, message: &[u8]) -> Result<(), Reject> {
        let datagram = Datagram { route: self.route, hop_limit: self.hop_limit, message };
        receive(&self.expect, &datagram).map(|_| ())
    }

    /// What becomes of the advert with a seal.
    fn sealed(&self, seal: &Seal<'_>) -> Result<(), Reject> {
        self.received(&emit(&self.advert, self.route, self.form, seal))
    }

    fn outcome(&self) -> Result<(), Reject> {
        self.sealed(&Seal::None)
    }
}

#[test]
fn multicast_is_of_the_group_and_of_this_link() {
    assert_eq!(multicast().outcome(), Ok(()));
    for (case, expected) in [
        (multicast().with(|c| c.hop_limit = Some(254)), Reject::IpTtl { found: Some(254) }),
        (over_ipv6().with(|c| c.hop_limit = Some(64)), Reject::IpTtl { found: Some(64) }),
        (over_ipv6().with(|c| c.hop_limit = None), Reject::IpTtl { found: None }),
        (
            multicast().with(|c| c.route.destination = ip("10.0.1.2")),
            Reject::Destination { found: ip("10.0.1.2") },
        ),
        (
            over_ipv6().with(|c| c.route.destination = ip("ff02::1")),
            Reject::Destination { found: ip("ff02::1") },
        ),
        (
            multicast().with(|c| c.expect.own_source = Some(ip("10.0.1.1"))),
            Reject::OwnSource { found: ip("10.0.1.1") },
        ),
        (multicast().with(|c| c.route.source = ip("0.0.0.0")), Reject::Source { found: ip("0.0.0.0") }),
        (over_ipv6().with(|c| c.route.source = ip("::")), Reject::Source { found: ip("::") }),
        (over_ipv6().with(|c| c.route.source = ip("ff02::1")), Reject::Source { found: ip("ff02::1") }),
        (
            multicast().with(|c| c.route.source = ip("255.255.255.255")),
            Reject::Source { found: ip("255.255.255.255") },
        ),
    ] {
        assert_eq!(case.outcome(), Err(expected));
    }
}

#[test]
fn unicast_is_of_peers_and_close_enough() {
    assert_eq!(unicast().outcome(), Ok(()));
    assert_eq!(unicast().with(|c| c.hop_limit = Some(254)).outcome(), Ok(()));
    assert_eq!(
        unicast().with(|c| (c.route.source, c.hop_limit) = (ip("10.0.1.9"), Some(1))).outcome(),
        Ok(())
    );
    for (case, expected) in [
        (unicast().with(|c| c.route.source = ip("10.0.1.3")), Reject::NotAPeer { found: ip("10.0.1.3") }),
        (unicast().with(|c| c.hop_limit = Some(253)), Reject::PeerTtl { found: 253, least: 254 }),
        (unicast().with(|c| c.hop_limit = None), Reject::IpTtl { found: None }),
        (
            unicast().with(|c| c.route.destination = ip("224.0.0.18")),
            Reject::Destination { found: ip("224.0.0.18") },
        ),
        (
            unicast().with(|c| c.route.destination = ip("255.255.255.255")),
            Reject::Destination { found: ip("255.255.255.255") },
        ),
        (
            unicast().with(|c| c.expect.own_source = Some(ip("10.0.1.1"))),
            Reject::OwnSource { found: ip("10.0.1.1") },
        ),
    ] {
        assert_eq!(case.outcome(), Err(expected));
    }
}

#[test]
fn the_message_is_what_it_says() {
    let zero = |interval: [u8; 2]| {
        let mut message = vec![0x31, 51, 200, 1, interval[0], interval[1], 0, 0, 10, 0, 1, 5];
        let sum = crate::vrrp::v3::sum(&message, multicast().route, ChecksumForm::Rfc9568);
        crate::vrrp::v2::store_checksum(&mut message, sum);
        message
    };
    assert_eq!(multicast().received(&zero([0xf0, 100])), Ok(()));
    assert_eq!(multicast().received(&zero([0xf0, 0])), Err(Reject::IntervalZero));
    for (message, expected) in [
        (vec![], Reject::PacketLength { expected: 8, found: 0 }),
        (vec![0x21; 12], Reject::Version { found: 2 }),
        (vec![0x32; 12], Reject::Type { found: 2 }),
        (vec![0x31; 7], Reject::PacketLength { expected: 8, found: 7 }),
        (vec![0x31, 51, 200, 3, 0, 100, 0, 0], Reject::PacketLength { expected: 20, found: 8 }),
        (vec![0x31, 51, 200, 0, 0, 100, 0, 0], Reject::Checksum),
        (vec![0x31, 51, 200, 0, 0, 100, 0x06, 0x68], Reject::NoAddress),
    ] {
        assert_eq!(multicast().received(&message), Err(expected), "{message:02x?}");
    }
    let other = |vrid| multicast().with(|c| c.advert.vrid = Vrid::new(vrid).unwrap());
    assert_eq!(other(52).outcome(), Err(Reject::Vrid { found: 52 }));
    let two_over_ipv6 = over_ipv6().with(|c| c.expect.interval = version_2().advert.interval);
    assert_eq!(two_over_ipv6.received(&[0x21; 40]), Err(Reject::Version { found: 2 }));
}

#[test]
fn version_2_shares_interval_and_password() {
    let secret = password("1111");
    let seal = Seal::Pass(&secret);
    let with = |text| version_2().with(|c| c.expect.authentication = Authentication::Pass(password(text)));
    assert_eq!(version_2().outcome(), Ok(()));
    assert_eq!(with("1111").sealed(&seal), Ok(()));
    assert_eq!(with("2222").sealed(&seal), Err(Reject::AuthenticationData));
    assert_eq!(with("1111").outcome(), Err(Reject::AuthenticationType { found: 0 }));
    assert_eq!(version_2().sealed(&seal), Err(Reject::AuthenticationType { found: 1 }));
    let slow = version_2().with(|c| c.advert.interval = v2(51, 1, 2, &[]).interval);
    assert_eq!(slow.outcome(), Err(Reject::Interval { found: slow.advert.interval }));
}

#[test]
fn strict_refuses_what_the_rfcs_let_one_refuse() {
    // The advert, what is changed of it, and why strict refuses it; lenient takes each.
    type Row = (fn() -> Case, fn(&mut Case), Option<Reject>);
    let rows: [Row; 9] = [
        (multicast, |_| {}, None),
        (multicast, |c| c.advert.addresses = ips(&["10.0.1.77"]), None),
        (
            multicast,
            |c| c.form = ChecksumForm::Rfc9568,
            Some(Reject::OtherChecksumForm { found: ChecksumForm::Rfc9568 }),
        ),
        (version_2, |c| c.advert.addresses.reverse(), None),
        (version_2, |c| c.advert.addresses.truncate(1), Some(Reject::OtherAddresses)),
        (
            version_2,
            |c| (c.advert.priority, c.advert.addresses) = (Priority::OWNER, ips(&["10.0.1.77"])),
            None,
        ),
        (over_ipv6, |_| {}, None),
        (over_ipv6, |c| c.form = ChecksumForm::Rfc9568, None),
        (
            over_ipv6,
            |c| c.advert.addresses.reverse(),
            Some(Reject::FirstAddress { found: ip("2001:db8::5") }),
        ),
    ];
    for (case, change, refused) in rows {
        let case = case().with(change);
        assert_eq!(case.outcome(), Ok(()), "{:?}", case.advert);
        let strict = case.with(|c| c.expect.strict = true);
        assert_eq!(strict.outcome().err(), refused, "{:?}", strict.advert);
    }
}

#[test]
fn hmac_refuses_what_is_not_of_a_known_key_and_of_now() {
    let (right, other) = (key(0), key(1));
    let at = |seconds: u64| Sequence::at(Wall(Duration::from_secs(seconds)));
    let seal = |id, key, seconds| Seal::Hmac { id: key_id(id), key, sequence: at(seconds) };
    for case in [multicast(), version_2(), over_ipv6(), unicast()] {
        let case = case.with(|c| {
            c.expect.authentication = Authentication::Hmac(in_time(1, key(0), 5));
            c.expect.wall = Wall(Duration::from_secs(NOW));
        });
        for (seal, expected) in [
            (seal(1, &right, NOW), Ok(())),
            (seal(1, &right, NOW + 3), Ok(())),
            (Seal::None, Err(Reject::HmacMissing)),
            (seal(1, &other, NOW), Err(Reject::HmacInvalid)),
            (seal(2, &right, NOW), Err(Reject::HmacUnknownKey { found: 2 })),
            (seal(1, &right, NOW - 10), Err(Reject::HmacStale { ahead: -10 })),
            (seal(1, &right, NOW + 10), Err(Reject::HmacStale { ahead: 10 })),
            // Stale before unknown: it is said without making a hash.
            (seal(2, &other, NOW + 10), Err(Reject::HmacStale { ahead: 10 })),
        ] {
            assert_eq!(case.sealed(&seal), expected, "{:?} {seal:?}", case.advert);
        }

        let message = emit(&case.advert, case.route, case.form, &seal(1, &right, NOW));
        let trailer = message.len() - 28;
        for (at, value) in [(trailer, 2), (trailer + 1, 0), (trailer + 2, 1), (trailer + 3, 1)] {
            let mut changed = message.clone();
            changed[at] = value;
            assert_eq!(case.received(&changed), Err(Reject::HmacMalformed), "byte {at}");
        }
        for length in (0..message.len()).chain([message.len() + 1]) {
            let mut cut = message.clone();
            cut.resize(length, 0);
            assert!(case.received(&cut).is_err(), "{length} bytes");
        }

        let plain = case.with(|c| c.expect.authentication = Authentication::None);
        assert_eq!(plain.sealed(&seal(1, &right, NOW)), Err(Reject::HmacUnexpected));
    }
}

#[test]
fn modes_differ_only_in_what_they_make_of_no_hmac() {
    let (right, other) = (key(0), key(1));
    let seal = |key| Seal::Hmac { id: key_id(1), key, sequence: Sequence(1) };
    for mode in Mode::ALL {
        let case = multicast().with(|c| {
            c.expect.authentication = Authentication::Hmac(Hmac { mode, ..monotonic(1, key(0)) });
        });
        let missing = if mode == Mode::Enforce { Err(Reject::HmacMissing) } else { Ok(()) };
        assert_eq!(case.outcome(), missing, "{mode:?}");
        assert_eq!(case.sealed(&seal(&right)), Ok(()), "{mode:?}");
        assert_eq!(case.sealed(&seal(&other)), Err(Reject::HmacInvalid), "{mode:?}");
    }
}

#[test]
fn an_ipv4_header_is_whole_and_of_vrrp() {
    let message = emit(&multicast().advert, multicast().route, ChecksumForm::PseudoHeader, &Seal::None);
    let whole = ipv4::emit([10, 0, 1, 1].into(), [224, 0, 0, 18].into(), &message);
    let changed = |at: usize, value: u8| {
        let mut packet = whole.clone();
        packet[at] = value;
        packet
    };
    for (packet, expected) in [
        (changed(6, 0x20), Reject::Fragment),
        (changed(7, 1), Reject::Fragment),
        (changed(9, 17), Reject::Protocol { found: 17 }),
        (changed(9, 51), Reject::Protocol { found: 51 }),
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
