//! What holds for all adverts and all bytes.

use proptest::prelude::*;

use super::*;
use crate::units::Version;
use crate::vrrp::{Accepted, Datagram, HOP_LIMIT, Packet, Received, Signature, emit, fuzz, receive, v3};

/// An advert that some router could send, how it proves itself, and whence and where to it goes.
#[derive(Clone, Debug)]
struct Sent {
    advert: Advert,
    route: Route,
    form: ChecksumForm,
    authentication: Authentication,
    sequence: Sequence,
}

impl Sent {
    fn message(&self) -> Vec<u8> {
        emit(&self.advert, self.route, self.form, &self.authentication.seal(self.sequence))
    }

    /// The form that a receiver finds.
    fn checksum(&self) -> Option<ChecksumForm> {
        let has_forms = self.advert.interval.version() == Version::V3 && self.route.source.is_ipv4();
        has_forms.then_some(self.form)
    }

    fn received(&self, message: &[u8]) -> Result<Accepted, Reject> {
        let expect = expectation(&self.advert, self.authentication.clone());
        receive(&expect, &Datagram { route: self.route, hop_limit: Some(HOP_LIMIT), message })
    }
}

fn interval(version_2: bool) -> BoxedStrategy<Interval> {
    if version_2 {
        (1..=255u8).prop_map(|s| Interval::Seconds(NonZeroU8::new(s).unwrap())).boxed()
    } else {
        (1..=4095u16).prop_map(|c| Interval::Centis(Centis::new(c).unwrap())).boxed()
    }
}

fn authentication(version_2: bool) -> impl Strategy<Value = Authentication> {
    let pass = "[!-~]{1,8}".prop_map(|text| Authentication::Pass(password(&text)));
    let hmac = (1..=255u8, prop::collection::vec(any::<u8>(), 32..=64))
        .prop_map(|(id, bytes)| Authentication::Hmac(monotonic(id, Key::new(&bytes).unwrap())));
    prop_oneof![
        1 => Just(Authentication::None),
        u32::from(version_2) => pass,
        1 => hmac,
    ]
}

fn address(family: Family) -> BoxedStrategy<IpAddr> {
    match family {
        Family::V4 => any::<[u8; 4]>().prop_map(IpAddr::from).boxed(),
        Family::V6 => any::<[u8; 16]>().prop_map(IpAddr::from).boxed(),
    }
}

/// A host's own. One in 65,536 is left out: from there the two forms of the checksum are one.
fn source(family: Family) -> impl Strategy<Value = IpAddr> {
    let forms_differ = |&source: &IpAddr| {
        let route = Route { source, destination: group(Family::of(source)) };
        let [a, b] = ChecksumForm::ALL.map(|form| v3::sum(&[0; 8], route, form));
        a != b || source.is_ipv6()
    };
    let is_a_host = |source: &IpAddr| {
        !source.is_unspecified() && !source.is_multicast() && *source != ip("255.255.255.255")
    };
    address(family).prop_filter("no host's", is_a_host).prop_filter("one form", forms_differ)
}

fn sent_by(version_2: bool, family: Family) -> impl Strategy<Value = Sent> {
    let addresses = prop::collection::vec(address(family), 1..=255);
    let advert = (1..=255u8, any::<u8>(), interval(version_2), addresses).prop_map(
        |(vrid, p, interval, addresses)| Advert {
            vrid: Vrid::new(vrid).unwrap(),
            priority: Priority(p),
            interval,
            addresses,
        },
    );
    let form = prop::sample::select(&ChecksumForm::ALL[..]);
    (advert, source(family), form, authentication(version_2), any::<u64>()).prop_map(
        move |(advert, source, form, authentication, sequence)| Sent {
            advert,
            route: Route { source, destination: group(family) },
            form,
            authentication,
            sequence: Sequence(sequence),
        },
    )
}

fn sent() -> impl Strategy<Value = Sent> {
    prop_oneof![sent_by(true, Family::V4), sent_by(false, Family::V4), sent_by(false, Family::V6)]
}

proptest! {
    #[test]
    fn what_is_emitted_is_accepted(sent in sent()) {
        let message = sent.message();
        let packet = Packet::new(sent.route, message.clone()).unwrap();
        let received = match &packet {
            Packet::V4 { bytes, .. } => Received::V4(bytes),
            Packet::V6 { source, destination, message } => {
                let route = Route { source: (*source).into(), destination: (*destination).into() };
                Received::V6 { route, hop_limit: Some(HOP_LIMIT), message }
            }
        };
        prop_assert_eq!(received.vrid(), Some(sent.advert.vrid.number()));
        let datagram = received.datagram().unwrap();
        prop_assert_eq!(datagram, Datagram { route: sent.route, hop_limit: Some(HOP_LIMIT), message: &message });

        let accepted = sent.received(&message).unwrap();
        let signature = match &sent.authentication {
            Authentication::Hmac(hmac) => Some(Signature { key_id: hmac.active_key, sequence: sent.sequence }),
            Authentication::None | Authentication::Pass(_) => None,
        };
        let (source, advert, checksum) = (sent.route.source, sent.advert.clone(), sent.checksum());
        prop_assert_eq!(accepted, Accepted { source, advert, checksum, signature });
    }

    #[test]
    fn one_flipped_bit_is_never_accepted(sent in sent(), bit in any::<prop::sample::Index>()) {
        let mut message = sent.message();
        let bit = bit.index(message.len() * 8);
        message[bit / 8] ^= 1 << (bit % 8);
        // From a few sources it makes the checksum right in the other form: what that is for, see `strict`.
        prop_assert!(!sent.received(&message).is_ok_and(|accepted| accepted.checksum == sent.checksum()));
    }

    #[test]
    fn arbitrary_bytes_give_a_value_or_a_reject(bytes in prop::collection::vec(any::<u8>(), 0..1500)) {
        prop_assert_eq!(fuzz::decoder(&bytes), Ok(()));
        prop_assert_eq!(fuzz::hmac(&bytes), Ok(()));
    }

    #[test]
    fn sequences_follow_the_clock(
        seconds in 0..1u64 << 40, nanos in 0..1_000_000_000u32,
        // From a unit of the fraction to 36 years.
        later in 16_000..1u64 << 60,
    ) {
        let at = Duration::new(seconds, nanos);
        let (before, after) = (Sequence::at(Wall(at)), Sequence::at(Wall(at + Duration::from_nanos(later))));
        prop_assert!(after.is_after(before) && !before.is_after(after));
    }

    #[test]
    fn sequences_are_in_order(a in any::<u64>(), distance in 1..1u64 << 63) {
        let (a, b) = (Sequence(a), Sequence(a.wrapping_add(distance)));
        prop_assert!(b.is_after(a) && !a.is_after(b) && !a.is_after(a));
        prop_assert!(a.next().is_after(a));
    }
}
