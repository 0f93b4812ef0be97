//! What the tests of adverts share: adverts, keys and expectations by their parts, and small ones of the types.

mod captures;
mod hmac;
mod properties;
mod receive;
mod vectors;

use core::net::IpAddr;
use core::num::NonZeroU8;
use core::time::Duration;
use std::collections::BTreeMap;

use super::hmac::{Hmac, Mode, ReplayProtection};
use super::{
    Advert, Authentication, Cast, ChecksumForm, Expectation, Key, KeyId, Reject, Route, Seal, Sequence,
    SimplePassword, group,
};
use crate::units::{Centis, Family, Interval, Priority, Vrid, Wall};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn ips(list: &[&str]) -> Vec<IpAddr> {
    list.iter().map(|address| ip(address)).collect()
}

fn route(source: &str, destination: &str) -> Route {
    Route { source: ip(source), destination: ip(destination) }
}

fn advert(vrid: u8, priority: u8, interval: Interval, addresses: &[&str]) -> Advert {
    let vrid = Vrid::new(vrid).unwrap();
    Advert { vrid, priority: Priority(priority), interval, addresses: ips(addresses) }
}

fn v2(vrid: u8, priority: u8, seconds: u8, addresses: &[&str]) -> Advert {
    advert(vrid, priority, Interval::Seconds(NonZeroU8::new(seconds).unwrap()), addresses)
}

fn v3(priority: u8, centis: u16, addresses: &[&str]) -> Advert {
    advert(51, priority, Interval::Centis(Centis::new(centis).unwrap()), addresses)
}

fn password(text: &str) -> SimplePassword {
    SimplePassword::new(text.as_bytes()).unwrap()
}

fn key_id(number: u8) -> KeyId {
    KeyId::new(number).unwrap()
}

/// 32 bytes that count up.
fn key(first: u8) -> Key {
    let bytes: Vec<u8> = (first..first + 32).collect();
    Key::new(&bytes).unwrap()
}

fn monotonic(id: u8, key: Key) -> Hmac {
    Hmac {
        mode: Mode::Enforce,
        active_key: key_id(id),
        keys: BTreeMap::from([(key_id(id), key)]),
        replay_protection: ReplayProtection::Monotonic,
    }
}

fn in_time(id: u8, key: Key, window: u64) -> Hmac {
    let window = Duration::from_secs(window);
    Hmac { replay_protection: ReplayProtection::Time { window }, ..monotonic(id, key) }
}

impl Authentication {
    /// What an advert has by it.
    fn seal(&self, sequence: Sequence) -> Seal<'_> {
        match self {
            Self::None => Seal::None,
            Self::Pass(password) => Seal::Pass(password),
            Self::Hmac(hmac) => {
                Seal::Hmac { id: hmac.active_key, key: &hmac.keys[&hmac.active_key], sequence }
            }
        }
    }
}

/// Of a router that sends such adverts itself, to the group of their family.
fn expectation(advert: &Advert, authentication: Authentication) -> Expectation {
    Expectation {
        vrid: advert.vrid,
        interval: advert.interval,
        authentication,
        cast: Cast::Multicast(group(Family::of(advert.addresses[0]))),
        own_source: None,
        strict: false,
        checksum: ChecksumForm::default(),
        addresses: advert.addresses.clone(),
        wall: Wall::default(),
    }
}

#[test]
fn passwords_are_padded_compared_and_hidden() {
    let password = password("1111");
    assert_eq!(password.wire(), *b"1111\0\0\0\0");
    assert!(password.matches(b"1111\0\0\0\0"));
    assert!(!password.matches(b"1111\0\0\0x"));
    assert!(!format!("{password:?}").contains("1111"));
    assert_eq!(SimplePassword::new(b""), None);
    assert_eq!(SimplePassword::new(b"123456789"), None);
}

#[test]
fn every_reject_has_its_own_counter() {
    let mut names = Reject::NAMES.to_vec();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Reject::NAMES.len());
    assert!(Reject::NAMES.contains(&Reject::Checksum.name()));
}
