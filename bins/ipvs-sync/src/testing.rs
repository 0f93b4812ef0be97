//! What the tests of the pure modules are made of: services and destinations by number, tables by chance.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;
use vipkit_config::{Config, Source};
use vipkit_control::health::{Check, Judgement, Part, State};
use vipkit_core::ipvs::{
    Destination, DestinationId, Forwarding, Name, Protocol, Scheduler, Service, ServiceFlags, ServiceId,
    Tunnel,
};

use crate::table::{Entry, Table};
use crate::verdicts::{Verdict, Verdicts};

/// 192.0.2.NUMBER:80 over TCP.
pub fn service(number: u8, scheduler: &str) -> Service {
    let address = IpAddr::from([192, 0, 2, number]);
    let id = ServiceId::Address { protocol: Protocol::Tcp, address, port: 80 };
    Service::new(id, Scheduler::named(Name::new(scheduler).unwrap()))
}

/// 10.0.0.NUMBER:80 by direct routing.
pub fn destination(number: u8, weight: u32) -> Destination {
    let address = IpAddr::from([10, 0, 0, number]);
    Destination::new(DestinationId { address, port: 80 }, Forwarding::DirectRoute, weight)
}

/// A table of these services and destinations.
pub fn table(entries: &[(Service, &[Destination])]) -> Table {
    let entry = |(service, destinations): &(Service, &[Destination])| {
        let destinations = destinations.iter().map(|d| (d.id, d.clone())).collect();
        (service.id, Entry { service: service.clone(), destinations })
    };
    Table(entries.iter().map(entry).collect())
}

/// A configuration.
pub fn config(text: &str) -> Config {
    let source = Source { name: "vipkit.toml".to_owned(), text: text.to_owned() };
    vipkit_config::parse(&[source]).unwrap()
}

/// Verdicts with these checks down.
pub fn down(checks: &[&str]) -> Verdicts {
    let verdict = Verdict {
        judged: Some(Judgement::Down),
        weight: None,
        since: "2026-01-01T00:00:00.000Z".to_owned(),
        reason: "connection refused".to_owned(),
        generation: 1,
    };
    Verdicts::remembered(checks.iter().map(|check| ((*check).to_owned(), verdict.clone())).collect())
}

/// What healthcheckd says of a check; what to act on is what it found, or else `judged`.
pub fn check(name: &str, state: State, judged: Option<Judgement>) -> Check {
    let judged = match state {
        State::Up => Some(Judgement::Up),
        State::Down => Some(Judgement::Down),
        State::Unknown | State::CouldNotRun => judged,
    };
    let part = Part {
        label: "tcp".to_owned(),
        kind: "tcp".to_owned(),
        target: "10.0.0.1:80".to_owned(),
        state,
        judged,
        weight: None,
        since: "2026-01-01T00:00:00.000Z".to_owned(),
        reason: format!("{state:?}"),
        warning: None,
        failures: 0,
        successes: 0,
        checked: None,
        took: None,
        latency: None,
        next: None,
        interval: 1.0,
        timeout: 1.0,
        retries: 0,
        retry_delay: 1.0,
        rise: 1,
        fall: 1,
        shared_by: 1,
        counters: BTreeMap::new(),
    };
    Check {
        name: name.to_owned(),
        kind: part.kind.clone(),
        target: part.target.clone(),
        state,
        judged,
        weight: None,
        since: part.since.clone(),
        reason: part.reason.clone(),
        warning: None,
        generation: 1,
        disabled: None,
        used_by: Vec::new(),
        runs: vec![part],
    }
}

fn any_service() -> impl Strategy<Value = Service> {
    let persistence = prop::option::of((1_u32..4, 24_u8..26));
    (0_u8..6, prop::sample::select(vec!["rr", "wlc"]), persistence).prop_map(|(number, scheduler, kept)| {
        let mut service = service(number, scheduler);
        if let Some((timeout, last)) = kept {
            service.flags = ServiceFlags::PERSISTENT;
            service.timeout = timeout;
            service.netmask = vipkit_core::ipvs::Netmask::Inet(Ipv4Addr::new(255, 255, 255, last));
        }
        service
    })
}

fn any_destination() -> impl Strategy<Value = Destination> {
    let forwarding = [Forwarding::DirectRoute, Forwarding::Masquerade, Forwarding::Tunnel(Tunnel::default())];
    (0_u8..5, 0_u32..3, prop::sample::select(forwarding.to_vec()))
        .prop_map(|(number, weight, forwarding)| Destination { forwarding, ..destination(number, weight) })
}

/// Small tables, so that two of them have much in common.
pub fn any_table() -> impl Strategy<Value = Table> {
    let destinations = prop::collection::vec(any_destination(), 0..5);
    let entry = (any_service(), destinations).prop_map(|(service, destinations)| {
        (service.id, Entry { service, destinations: destinations.into_iter().map(|d| (d.id, d)).collect() })
    });
    prop::collection::vec(entry, 0..6)
        .prop_map(|entries| Table(entries.into_iter().collect::<BTreeMap<_, _>>()))
}
