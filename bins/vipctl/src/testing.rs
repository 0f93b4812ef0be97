//! What the tests of this crate look at: instances in each condition, and the daemon they belong to.

use std::time::SystemTime;

use vipkit_control::vrrp::{Address, Daemon, Instance, Notice, Peer, State};

use crate::daemons::{Report, Seen};
use crate::failure::Unreachable;

/// When it is.
pub fn now() -> SystemTime {
    humantime::parse_rfc3339("2026-02-03T03:00:00Z").unwrap()
}

pub fn daemon() -> Daemon {
    Daemon {
        node: "web1".to_owned(),
        version: "0.1.0".to_owned(),
        pid: 4711,
        started: "2026-01-30T22:30:00.000Z".to_owned(),
        config: "/etc/vipkit/vipkit.toml".to_owned(),
        digest: "0a1b2c3d4e5f".to_owned(),
        lateness: 0.0001,
        lateness_max: 0.002,
        log_records_dropped: 0,
    }
}

pub fn report(instances: Vec<Instance>) -> Report {
    let seen = Ok(Seen { daemon: daemon(), instances });
    Report { name: "vrrpd", socket: "/run/vipkit/vrrpd.sock".into(), seen }
}

pub fn unreachable() -> Report {
    let what = "vrrpd is not running: there is no /run/vipkit/vrrpd.sock".to_owned();
    let seen = Err(Unreachable { what, remedy: "`systemctl start vrrpd`".to_owned() });
    Report { name: "vrrpd", socket: "/run/vipkit/vrrpd.sock".into(), seen }
}

pub fn active(name: &str) -> Instance {
    Instance {
        name: name.to_owned(),
        interface: "eth0".to_owned(),
        virtual_router_id: 51,
        version: 3,
        state: State::Active,
        since: "2026-02-03T02:56:48.000Z".to_owned(),
        reason: "no advert for 3.609 s".to_owned(),
        priority: 100,
        preempt: true,
        checksum: Some("pseudo-header".to_owned()),
        source: Some("192.168.4.100".to_owned()),
        advertisement_interval: 1.0,
        active_adver_interval: 1.0,
        skew_time: 0.609,
        active_down_interval: 3.609,
        addresses: vec![address("192.168.4.80/24", true, true)],
        peers: Vec::new(),
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
        addresses: vec![address("192.168.4.80/24", false, false)],
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
    Address { address: address.to_owned(), present, ours }
}

pub fn peer(address: &str, priority: u8) -> Peer {
    Peer {
        address: address.to_owned(),
        priority,
        advertisement_interval: 1.0,
        checksum: Some("pseudo-header".to_owned()),
        first_heard: "2026-02-03T02:56:47.000Z".to_owned(),
        last_heard: "2026-02-03T02:59:59.600Z".to_owned(),
        advertisements: 191,
    }
}
