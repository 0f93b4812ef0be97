//! Instances, services and checks in each condition, and their daemons: what the tests of the modules look at, and what
//! the fakes of `tests/cli` serve.

use vipkit_control::common::{Notice, Running};
use vipkit_control::health::{self, Check, Disabled, Judgement, Latency, Part, Timing};
use vipkit_control::ipvs::{self, Server, Service};
use vipkit_control::vrrp::{Address, Daemon, Held, Instance, Peer, State, Tracker, TrackerKind};

pub fn running() -> Running {
    Running {
        node: "web1".to_owned(),
        version: "0.1.0".to_owned(),
        pid: 4711,
        started: "2026-01-30T22:30:00.000Z".to_owned(),
        config: "/etc/vipkit/vipkit.toml".to_owned(),
        digest: "0a1b2c3d4e5f".to_owned(),
        log_records_dropped: 0,
    }
}

pub fn daemon() -> Daemon {
    Daemon { running: running(), lateness: 0.0001, lateness_max: 0.002 }
}

pub fn health_daemon() -> health::Daemon {
    health::Daemon {
        running: running(),
        lateness: 0.0001,
        lateness_max: 0.002,
        runs: 2,
        in_flight: 0,
        waiting: 0,
    }
}

pub fn ipvs_daemon() -> ipvs::Daemon {
    ipvs::Daemon {
        running: running(),
        ipvs: Some("1.2.1".to_owned()),
        health_connected: true,
        health_since: "2026-01-30T22:30:00.100Z".to_owned(),
        foreign: 0,
        repairs: 0,
        faults: Vec::new(),
    }
}

/// A check that is up.
pub fn check(name: &str) -> Check {
    let part = part("tcp");
    Check {
        name: name.to_owned(),
        kind: part.kind.clone(),
        target: part.target.clone(),
        state: part.state,
        judged: part.judged,
        weight: None,
        since: part.since.clone(),
        reason: part.reason.clone(),
        warning: None,
        generation: 1,
        disabled: None,
        used_by: vec!["service web".to_owned()],
        runs: vec![part],
    }
}

/// What a check is made of, up.
pub fn part(label: &str) -> Part {
    Part {
        label: label.to_owned(),
        kind: "tcp".to_owned(),
        target: "192.168.4.100:80".to_owned(),
        state: health::State::Up,
        judged: Some(Judgement::Up),
        weight: None,
        since: "2026-01-30T22:30:00.100Z".to_owned(),
        reason: "connected".to_owned(),
        warning: None,
        failures: 0,
        successes: 0,
        checked: Some("2026-02-03T02:59:59.600Z".to_owned()),
        took: Some(0.000_21),
        latency: Some(Latency { p50: 0.000_21, p90: 0.000_4, p99: 0.000_9, samples: 64 }),
        next: Some("2026-02-03T03:00:01.600Z".to_owned()),
        interval: 2.0,
        timeout: 1.0,
        retries: 2,
        retry_delay: 0.5,
        rise: 1,
        fall: 1,
        shared_by: 1,
        counters: [("passed".to_owned(), 9000), ("failed".to_owned(), 0)].into(),
    }
}

/// The same part, found down.
pub fn down_part(label: &str) -> Part {
    Part {
        state: health::State::Down,
        judged: Some(Judgement::Down),
        since: "2026-02-03T02:56:48.000Z".to_owned(),
        reason: "connection refused".to_owned(),
        ..part(label)
    }
}

/// The same check, found down.
pub fn down(name: &str) -> Check {
    let part = down_part("tcp");
    Check {
        state: part.state,
        judged: part.judged,
        since: part.since.clone(),
        reason: part.reason.clone(),
        generation: 2,
        runs: vec![part],
        ..check(name)
    }
}

/// A check that somebody disabled while it was up.
pub fn disabled(name: &str) -> Check {
    let by = Disabled { by: "uid 0".to_owned(), since: "2026-02-03T02:00:00.000Z".to_owned() };
    Check { disabled: Some(by), runs: vec![Part { next: None, ..part("tcp") }], ..check(name) }
}

/// The check with this part.
pub fn with_part(part: Part, check: Check) -> Check {
    Check { runs: vec![part], ..check }
}

/// One run of a check that passed.
pub fn passed(label: &str) -> health::Report {
    let step = |step: &str, took| Timing { step: step.to_owned(), took };
    health::Report {
        label: label.to_owned(),
        kind: "https".to_owned(),
        target: "192.168.4.100:443".to_owned(),
        state: health::State::Up,
        weight: None,
        reason: "200 OK".to_owned(),
        warning: None,
        took: 0.0123,
        timings: vec![step("connect", 0.000_2), step("tls", 0.003_4), step("first byte", 0.008_7)],
    }
}

/// A service whose two servers are up.
pub fn service(name: &str) -> Service {
    Service {
        name: name.to_owned(),
        address: "192.168.4.15:80".to_owned(),
        protocol: "tcp".to_owned(),
        scheduler: "wrr".to_owned(),
        persistence: None,
        persistence_netmask: None,
        on_failure: "remove".to_owned(),
        present: true,
        servers: vec![server("192.168.4.100:80", 1), server("192.168.4.200:80", 2)],
        faults: Vec::new(),
        warnings: Vec::new(),
        connections: 24,
        incoming_packets: 240,
        outgoing_packets: 0,
        incoming_bytes: 19_200,
        outgoing_bytes: 0,
    }
}

pub fn server(address: &str, weight: u32) -> Server {
    Server {
        address: address.to_owned(),
        forward: "dr".to_owned(),
        weight,
        table_weight: Some(weight),
        state: ipvs::State::Up,
        since: Some("2026-01-30T22:30:00.100Z".to_owned()),
        reason: "connected".to_owned(),
        stale: false,
        active_connections: 3,
        inactive_connections: 12,
        persistent_connections: 0,
        connections: 12,
        incoming_packets: 120,
        outgoing_packets: 0,
        incoming_bytes: 9_600,
        outgoing_bytes: 0,
    }
}

/// A server that is down and has left the table.
pub fn removed(address: &str, weight: u32) -> Server {
    Server {
        table_weight: None,
        state: ipvs::State::Down,
        since: Some("2026-02-03T02:56:48.000Z".to_owned()),
        reason: "connection refused".to_owned(),
        active_connections: 0,
        inactive_connections: 0,
        ..server(address, weight)
    }
}

pub fn active(name: &str) -> Instance {
    Instance {
        name: name.to_owned(),
        interface: "eth0".to_owned(),
        place: "eth0".to_owned(),
        virtual_router_id: 51,
        version: 3,
        family: "IPv4".to_owned(),
        state: State::Active,
        since: "2026-02-03T02:56:48.000Z".to_owned(),
        reason: "no advert for 3.609 s".to_owned(),
        priority: 100,
        effective_priority: 100,
        preempt: true,
        accept: true,
        strict: false,
        authentication: "none".to_owned(),
        hmac: None,
        checksum: Some("pseudo-header".to_owned()),
        source: Some("192.168.4.100".to_owned()),
        unicast_peers: Vec::new(),
        virtual_mac: None,
        advertisement_interval: 1.0,
        active_adver_interval: 1.0,
        skew_time: 0.609,
        active_down_interval: 3.609,
        timer: Some(0.25),
        trackers: Vec::new(),
        addresses: vec![address("192.168.4.80/24", true, true)],
        address_count: 1,
        addresses_present: 1,
        routes: Vec::new(),
        rules: Vec::new(),
        peers: Vec::new(),
        refused: Vec::new(),
        faults: Vec::new(),
        warnings: Vec::new(),
        hints: Vec::new(),
        counters: [("advertisements_sent".to_owned(), 192), ("checksum_errors".to_owned(), 0)].into(),
    }
}

pub fn backup(name: &str) -> Instance {
    Instance {
        state: State::Backup,
        reason: "192.168.4.100 has priority 150".to_owned(),
        timer: Some(3.25),
        addresses: vec![address("192.168.4.80/24", false, false)],
        addresses_present: 0,
        peers: vec![peer("192.168.4.100", 150)],
        counters: [("advertisements_received".to_owned(), 191)].into(),
        ..active(name)
    }
}

pub fn fault(name: &str) -> Instance {
    let what = "192.168.4.80/24 is on eth0 already, and vrrpd did not put it there";
    Instance {
        state: State::Fault,
        reason: what.to_owned(),
        timer: None,
        addresses: vec![address("192.168.4.80/24", true, false)],
        faults: vec![notice(
            what,
            "if nothing else needs it: `ip addr del 192.168.4.80/24 dev eth0`; if this host owns it for good: priority = 255",
        )],
        ..active(name)
    }
}

pub fn notice(what: &str, remedy: &str) -> Notice {
    Notice { what: what.to_owned(), remedy: remedy.to_owned() }
}

pub fn address(address: &str, present: bool, ours: bool) -> Address {
    Address { address: address.to_owned(), present, ours, advertised: true }
}

pub fn held(what: &str, present: bool) -> Held {
    Held { what: what.to_owned(), present }
}

/// The instance with these addresses.
pub fn with_addresses(addresses: Vec<Address>, instance: Instance) -> Instance {
    let present = addresses.iter().filter(|address| address.present).count();
    Instance {
        address_count: addresses.len() as u64,
        addresses_present: present as u64,
        addresses,
        ..instance
    }
}

/// A tracked check that is up, and lowers the priority when it is not.
pub fn tracker(name: &str) -> Tracker {
    Tracker {
        kind: TrackerKind::Check,
        name: name.to_owned(),
        weight: Some(-60),
        state: health::State::Up,
        judged: Some(Judgement::Up),
        stale: false,
        change: 0,
        fault: false,
        since: Some("2026-01-30T22:30:00.100Z".to_owned()),
        reason: "connected".to_owned(),
    }
}

/// The same, down.
pub fn tracker_down(name: &str) -> Tracker {
    Tracker {
        state: health::State::Down,
        judged: Some(Judgement::Down),
        change: -60,
        since: Some("2026-02-03T02:56:48.000Z".to_owned()),
        reason: "refused".to_owned(),
        ..tracker(name)
    }
}

pub fn peer(address: &str, priority: u8) -> Peer {
    Peer {
        address: address.to_owned(),
        version: 3,
        priority,
        advertisement_interval: 1.0,
        checksum: Some("pseudo-header".to_owned()),
        key_id: None,
        other_addresses: false,
        first_heard: "2026-02-03T02:56:47.000Z".to_owned(),
        last_heard: "2026-02-03T02:59:59.600Z".to_owned(),
        advertisements: 191,
    }
}
