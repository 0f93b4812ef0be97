//! Compares what was seen of a router with what a step expects: what it does not expect must not be seen.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::IpAddr;

use vipkit_core::units::Mono;

use super::arrival::Arrival;
use super::row::{Sent, Step};
use crate::host::Seen;

/// Place of the priority in a message.
const PRIORITY: usize = 2;
/// Bytes of an IP header without options.
const IPV4_HEADER: usize = 20;
/// Bytes of an HMAC behind a message.
const TRAILER: usize = 28;

/// What was seen since the step before; `at` is the moment of a row's milliseconds.
pub(super) fn seen(step: &Step, seen: &[(Mono, Seen)], at: impl Fn(f64) -> Mono) -> Result<(), String> {
    let (mut sent, mut states, mut addresses, mut lines) = (vec![], vec![], vec![], vec![]);
    let mut announced = BTreeMap::new();
    for (moment, seen) in seen {
        match seen {
            Seen::Advert(packet) => sent.push((*moment, Arrival::of(packet))),
            Seen::Announce(list) => list.iter().for_each(|a| *announced.entry(*a).or_default() += 1),
            Seen::State(state) => states.push(state.to_string()),
            Seen::Addresses(list) => addresses.push(list),
            Seen::Log(line) => lines.push(line),
        }
    }
    adverts(step, &sent, at)?;
    same("states", &Vec::from_iter(step.state.clone()), &states)?;
    same("addresses", &Vec::from_iter(&step.addresses), &addresses)?;
    same("announced", &step.announce, &announced)?;
    if let Some(count) = step.log_lines {
        check("log lines", lines.len() == count, &count.to_string(), &format!("{lines:?}"))?;
    }
    let Some(part) = &step.log else { return Ok(()) };
    check("log", lines.iter().any(|line| line.contains(part)), part, &format!("{lines:?}"))
}

/// An advert that a step expects.
enum Expected {
    Whole(Arrival),
    Described { priority: u8, to: Option<IpAddr>, key_id: Option<u8> },
}

fn adverts(step: &Step, sent: &[(Mono, Arrival)], at: impl Fn(f64) -> Mono) -> Result<(), String> {
    let mut expected = Vec::new();
    for sent in &step.send {
        match sent {
            Sent::Made { packet, .. } => expected.push((at(step.at_ms), Expected::Whole(packet.parse()?))),
            Sent::Described { priority, to, key_id, at_ms, every_ms, times } => {
                let first = at_ms.unwrap_or(step.at_ms);
                for n in 0..(*times).max(1) {
                    let described = Expected::Described { priority: *priority, to: *to, key_id: *key_id };
                    expected.push((at(first + every_ms * f64::from(n)), described));
                }
            }
        }
    }
    expected.sort_by_key(|(moment, _)| *moment);
    for ((moment, what), (sent, packet)) in expected.iter().zip(sent) {
        check("time of an advert", moment == sent, &format!("{moment:?}"), &format!("{sent:?}"))?;
        match what {
            Expected::Whole(whole) => same("advert", &whole.to_string(), &packet.to_string())?,
            Expected::Described { priority, to, key_id } => {
                let (destination, message) = parts(packet)?;
                same("priority", priority, &message[PRIORITY])?;
                to.map_or(Ok(()), |to| same("destination", &to, &destination))?;
                key_id.map_or(Ok(()), |id| same("key ID", &id, &message[message.len() - TRAILER + 1]))?;
            }
        }
    }
    same("number of adverts", &expected.len(), &sent.len())
}

/// Where it goes, and its message.
fn parts(packet: &Arrival) -> Result<(IpAddr, &[u8]), String> {
    match packet {
        Arrival::V4(packet) => {
            let to: [u8; 4] = packet[16..IPV4_HEADER].try_into().map_err(|_| "no IPv4 header")?;
            Ok((to.into(), &packet[IPV4_HEADER..]))
        }
        Arrival::V6 { destination, message, .. } => Ok(((*destination).into(), message)),
    }
}

pub(super) fn same<T: PartialEq + Debug>(what: &str, expected: &T, found: &T) -> Result<(), String> {
    check(what, expected == found, &format!("{expected:?}"), &format!("{found:?}"))
}

pub(super) fn check(what: &str, holds: bool, expected: &str, found: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("{what}: expected {expected}, found {found}")) }
}
