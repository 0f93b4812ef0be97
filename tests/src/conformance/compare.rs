//! Compares what was seen of a router with what a step expects: what it does not expect must not be seen.

use std::collections::BTreeMap;
use std::fmt::Debug;

use vipkit_core::units::Mono;

use super::packet::hex;
use super::row::{Sent, Step};
use crate::host::Seen;

/// Place of the priority in a packet without IP options.
const PRIORITY: usize = 20 + 2;

/// What was seen since the step before; `at` is the moment of a row's milliseconds.
pub(super) fn seen(step: &Step, seen: &[(Mono, Seen)], at: impl Fn(f64) -> Mono) -> Result<(), String> {
    let (mut sent, mut states, mut addresses, mut lines) = (vec![], vec![], vec![], vec![]);
    let mut announced = BTreeMap::new();
    for (moment, seen) in seen {
        match seen {
            Seen::Advert(packet) => sent.push((*moment, packet.as_slice())),
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

fn adverts(step: &Step, sent: &[(Mono, &[u8])], at: impl Fn(f64) -> Mono) -> Result<(), String> {
    let mut expected = Vec::new();
    for sent in &step.send {
        match sent {
            Sent::Bytes(bytes) => expected.push((at(step.at_ms), bytes.clone())),
            Sent::Described { priority, at_ms, every_ms, times } => {
                let first = at_ms.unwrap_or(step.at_ms);
                let moments = (0..(*times).max(1)).map(|n| at(first + every_ms * f64::from(n)));
                expected.extend(moments.map(|moment| (moment, format!("priority {priority}"))));
            }
        }
    }
    expected.sort_by_key(|(moment, _)| *moment);
    for ((moment, what), (sent, packet)) in expected.iter().zip(sent) {
        let found = [format!("priority {}", packet[PRIORITY]), hex(packet)];
        let holds = moment == sent && found.contains(what);
        check("advert", holds, &format!("{what} at {moment:?}"), &format!("{found:?} at {sent:?}"))?;
    }
    same("number of adverts", &expected.len(), &sent.len())
}

pub(super) fn same<T: PartialEq + Debug>(what: &str, expected: &T, found: &T) -> Result<(), String> {
    check(what, expected == found, &format!("{expected:?}"), &format!("{found:?}"))
}

pub(super) fn check(what: &str, holds: bool, expected: &str, found: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("{what}: expected {expected}, found {found}")) }
}
