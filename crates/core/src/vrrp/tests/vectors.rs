//! Golden vectors: adverts of every kind whose bytes were computed elsewhere or seen on a wire.

use super::*;
use crate::vrrp::{Datagram, HOP_LIMIT, UnicastPeer, emit, receive};

/// 13:20:00.5 of a day in 2025.
const SEQUENCE: Sequence = Sequence(0x6800_0000_8000_0000);

#[test]
fn golden_vectors() {
    let multicast = route("10.0.1.1", "224.0.0.18");
    let unicast = route("10.0.1.1", "10.0.1.2");
    let ipv6 = route("fe80::1cd6:e2ff:fe2d:135c", "ff02::12");
    let (secret, key) = (password("1111"), key(0));
    let hmac = Seal::Hmac { id: key_id(1), key: &key, sequence: SEQUENCE };
    let old = v2(51, 100, 1, &["10.0.1.5"]);
    let new = v3(100, 100, &["10.0.1.5"]);
    let (pseudo, plain) = (ChecksumForm::PseudoHeader, ChecksumForm::Rfc9568);
    for (advert, route, form, seal, expected) in [
        (&old, multicast, plain, Seal::None, "2133640100016fc50a0001050000000000000000"),
        (&old, multicast, plain, Seal::Pass(&secret), "2133640101010c630a0001053131313100000000"),
        (&new, multicast, plain, Seal::None, "3133640100645f620a000105"),
        (&new, multicast, pseudo, Seal::None, "31336401006473d20a000105"),
        (&new, unicast, pseudo, Seal::None, "31336401006448e30a000105"),
        (
            &v3(100, 100, &["fe80::5", "2001:db8::5"]),
            ipv6,
            pseudo,
            Seal::None,
            "3133640200642e94fe80000000000000000000000000000520010db8000000000000000000000005",
        ),
        (
            &v3(200, 100, &["192.0.2.100"]),
            route("198.51.100.10", "224.0.0.18"),
            plain,
            hmac,
            "3133c80100644402c00002640101000068000000800000001b84bc4e8e43892dc6d98448f8ee2265",
        ),
        (
            &v3(200, 100, &["fe80::100"]),
            route("fe80::10", "fe80::20"),
            pseudo,
            hmac,
            "3133c8010064a2e9fe80000000000000000000000000010001010000680000008000000\
             0c8c56146ebfd66ee10ec4d8186461b78",
        ),
    ] {
        let expected = hex(expected);
        assert_eq!(emit(advert, route, form, &seal), expected, "{advert:?}");

        let authentication = match seal {
            Seal::None => Authentication::None,
            Seal::Pass(password) => Authentication::Pass(password.clone()),
            Seal::Hmac { id, key, .. } => Authentication::Hmac(monotonic(id.number(), key.clone())),
        };
        let cast = match route.destination.is_multicast() {
            true => Cast::Multicast(route.destination),
            false => Cast::Unicast(vec![UnicastPeer { address: route.source, min_ttl: 1 }]),
        };
        let expect = Expectation { cast, ..expectation(advert, authentication) };
        let datagram = Datagram { route, hop_limit: Some(HOP_LIMIT), message: &expected };
        assert_eq!(receive(&expect, &datagram).unwrap().advert, *advert);
    }
}
