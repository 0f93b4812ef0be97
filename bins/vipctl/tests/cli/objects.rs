//! The objects that the fakes keep: as they are when all is well, and otherwise.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use vipkit_control::common::{Changes, Running};
use vipkit_control::health::{self, Check, Judgement};
use vipkit_control::ipvs::{self, Server};
use vipkit_control::service::{Interface, Service};
use vipkit_control::vrrp::{self, Address, Instance, State};

use crate::fake::Kind;

const fn serving(interfaces: &'static [&'static Interface]) -> Service {
    Service { vendor: "vipkit", product: "fake", version: "1", url: "https://example.org", interfaces }
}

static VRRP: Service = serving(&[&vrrp::INTERFACE]);
static IPVS: Service = serving(&[&ipvs::INTERFACE]);
static HEALTH: Service = serving(&[&health::INTERFACE]);

impl Kind for Instance {
    const DAEMON: &'static str = "vrrpd";
    const SERVICE: &'static Service = &VRRP;
    const INTERFACE: &'static str = "io.vipkit.Vrrp";
    const FIELD: &'static str = "instance";
    const NO_SUCH: &'static str = vrrp::NO_SUCH_INSTANCE;
    type Daemon = vrrp::Daemon;
    type Monitor = vrrp::Monitor;

    fn name(&self) -> &str {
        &self.name
    }

    fn daemon(running: Running) -> vrrp::Daemon {
        vrrp::Daemon { running, lateness: 0.0, lateness_max: 0.0 }
    }

    fn unchanged() -> Value {
        json!(vrrp::Reloaded::default())
    }
}

impl Kind for ipvs::Service {
    const DAEMON: &'static str = "ipvs-sync";
    const SERVICE: &'static Service = &IPVS;
    const INTERFACE: &'static str = "io.vipkit.Ipvs";
    const FIELD: &'static str = "service";
    const NO_SUCH: &'static str = ipvs::NO_SUCH_SERVICE;
    type Daemon = ipvs::Daemon;
    type Monitor = ipvs::Monitor;

    fn name(&self) -> &str {
        &self.name
    }

    fn daemon(running: Running) -> ipvs::Daemon {
        ipvs::Daemon {
            running,
            ipvs: Some("1.2.1".to_owned()),
            health_connected: true,
            health_since: "2026-01-01T00:00:00.000Z".to_owned(),
            foreign: 0,
            repairs: 0,
            faults: Vec::new(),
        }
    }

    fn unchanged() -> Value {
        json!(Changes { unchanged: 1, ..Changes::default() })
    }
}

impl Kind for Check {
    const DAEMON: &'static str = "healthcheckd";
    const SERVICE: &'static Service = &HEALTH;
    const INTERFACE: &'static str = "io.vipkit.Health";
    const FIELD: &'static str = "check";
    const NO_SUCH: &'static str = health::NO_SUCH_CHECK;
    type Daemon = health::Daemon;
    type Monitor = health::Monitor;

    fn name(&self) -> &str {
        &self.name
    }

    fn daemon(running: Running) -> health::Daemon {
        health::Daemon { running, lateness: 0.0, lateness_max: 0.0, runs: 1 }
    }

    fn unchanged() -> Value {
        json!(Changes { unchanged: 1, ..Changes::default() })
    }
}

/// An instance as it is when all is well in this state.
pub fn instance(name: &str, state: State) -> Instance {
    let present = state == State::Active;
    Instance {
        name: name.to_owned(),
        interface: "eth0".to_owned(),
        virtual_router_id: 51,
        version: 3,
        state,
        since: "2026-02-03T02:56:48.000Z".to_owned(),
        reason: "because".to_owned(),
        priority: 100,
        preempt: true,
        checksum: Some("pseudo-header".to_owned()),
        source: Some("192.168.4.100".to_owned()),
        advertisement_interval: 1.0,
        active_adver_interval: 1.0,
        skew_time: 0.609,
        active_down_interval: 3.609,
        addresses: vec![Address { address: "192.168.4.80/24".to_owned(), present, ours: present }],
        peers: Vec::new(),
        faults: Vec::new(),
        warnings: Vec::new(),
        hints: Vec::new(),
        counters: BTreeMap::new(),
    }
}

/// A check that is up or down.
pub fn check(name: &str, judged: Judgement) -> Check {
    let (state, reason) = match judged {
        Judgement::Up => (health::State::Up, "connected"),
        Judgement::Down => (health::State::Down, "connection refused"),
    };
    Check {
        name: name.to_owned(),
        kind: "tcp".to_owned(),
        target: "192.168.4.100:80".to_owned(),
        state,
        judged: Some(judged),
        since: "2026-02-03T02:56:48.000Z".to_owned(),
        reason: reason.to_owned(),
        generation: 1,
        failures: 0,
        checked: None,
        took: None,
        interval: 2.0,
        timeout: 1.0,
        retries: 2,
        retry_delay: 0.5,
        shared_by: 1,
        counters: BTreeMap::new(),
    }
}

/// A service with one server, up and in the table or neither.
pub fn service(name: &str, up: bool) -> ipvs::Service {
    let server = Server {
        address: "192.168.4.100:80".to_owned(),
        forward: "dr".to_owned(),
        weight: 1,
        table_weight: up.then_some(1),
        state: if up { ipvs::State::Up } else { ipvs::State::Down },
        since: Some("2026-02-03T02:56:48.000Z".to_owned()),
        reason: if up { "connected" } else { "connection refused" }.to_owned(),
        stale: false,
        active_connections: 0,
        inactive_connections: 0,
        persistent_connections: 0,
        connections: 0,
        incoming_packets: 0,
        outgoing_packets: 0,
        incoming_bytes: 0,
        outgoing_bytes: 0,
    };
    ipvs::Service {
        name: name.to_owned(),
        address: "192.168.4.15:80".to_owned(),
        protocol: "tcp".to_owned(),
        scheduler: "wrr".to_owned(),
        persistence: None,
        persistence_netmask: None,
        on_failure: "remove".to_owned(),
        present: true,
        servers: vec![server],
        faults: Vec::new(),
        warnings: Vec::new(),
        connections: 0,
        incoming_packets: 0,
        outgoing_packets: 0,
        incoming_bytes: 0,
        outgoing_bytes: 0,
    }
}
