//! `io.vipkit.Ipvs` against its Rust types.

use super::{Contract, changes, listed, missing, named, notice, refused, running};
use crate::call::NoParameters;
use crate::error::Error;
use crate::ipvs::{self, State, Step};

fn daemon() -> ipvs::Daemon {
    ipvs::Daemon {
        running: running(),
        ipvs: Some("1.2.1".to_owned()),
        health_connected: true,
        health_since: "2026-11-24T06:00:01Z".to_owned(),
        foreign: 1,
        repairs: 2,
        faults: vec![notice()],
    }
}

fn service() -> ipvs::Service {
    ipvs::Service {
        name: "web".to_owned(),
        address: "192.168.4.15:80".to_owned(),
        protocol: "tcp".to_owned(),
        scheduler: "wrr".to_owned(),
        persistence: Some(300.0),
        persistence_netmask: Some("255.255.255.0".to_owned()),
        on_failure: "remove".to_owned(),
        present: true,
        servers: vec![server()],
        faults: vec![notice()],
        warnings: vec![notice()],
        connections: 12,
        incoming_packets: 120,
        outgoing_packets: 0,
        incoming_bytes: 9600,
        outgoing_bytes: 0,
    }
}

fn server() -> ipvs::Server {
    ipvs::Server {
        address: "192.168.4.100:80".to_owned(),
        forward: "dr".to_owned(),
        weight: 1,
        table_weight: Some(1),
        state: State::Up,
        since: Some("2026-11-24T06:00:01Z".to_owned()),
        reason: "connected".to_owned(),
        stale: false,
        active_connections: 1,
        inactive_connections: 2,
        persistent_connections: 3,
        connections: 4,
        incoming_packets: 40,
        outgoing_packets: 0,
        incoming_bytes: 3200,
        outgoing_bytes: 0,
    }
}

#[test]
fn the_ipvs_interface_is_what_its_file_says() {
    let contract = Contract::of(&ipvs::INTERFACE);
    contract.variants("State", vec![State::Up, State::Down, State::Unknown, State::Unchecked]);
    contract.variants("Step", vec![Step::Begin, Step::Page, Step::Level, Step::Change]);
    contract.method(ipvs::GET_DAEMON, NoParameters {}, ipvs::GetDaemonReply { daemon: daemon() });
    contract.method(
        ipvs::LIST,
        listed(),
        ipvs::ListReply { services: vec![service()], cursor: Some("web".to_owned()) },
    );
    contract.method(ipvs::GET, named(), ipvs::GetReply { service: service() });
    contract.method(
        ipvs::MONITOR,
        NoParameters {},
        ipvs::Monitor {
            step: Step::Change,
            sequence: 7,
            daemon: Some(daemon()),
            services: vec![service()],
            removed: vec!["db".to_owned()],
        },
    );
    contract.method(
        ipvs::RELOAD,
        NoParameters {},
        ipvs::ReloadReply { digest: "sha256:0123".to_owned(), services: changes() },
    );
    let (name, known) = missing();
    contract.error(&Error::new(ipvs::NO_SUCH_SERVICE, &ipvs::NoSuchService { name, known }));
    contract.error(&Error::new(ipvs::CONFIG_REFUSED, &refused()));
    contract.complete();
}

#[test]
fn what_is_not_in_the_table_is_left_out() {
    let server = ipvs::Server { table_weight: None, since: None, ..server() };
    let service =
        ipvs::Service { persistence: None, persistence_netmask: None, servers: vec![server], ..service() };
    let mut json = serde_json::to_value(&service).unwrap();
    json.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    json["servers"][0].as_object_mut().unwrap().retain(|_, value| !value.is_null());
    assert_eq!(serde_json::from_value::<ipvs::Service>(json).unwrap(), service);
}
