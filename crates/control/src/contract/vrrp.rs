//! `io.vipkit.Vrrp` against its Rust types, and the largest instance against the bound on messages.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Value, json};

use super::{Contract, listed, missing, named, names, notice, refused, running};
use crate::call::NoParameters;
use crate::common;
use crate::error::Error;
use crate::handler::Outcome;
use crate::monitor::{Feed, Source};
use crate::page::{MAX_BYTES, Page};
use crate::service;
use crate::vrrp;

fn daemon() -> vrrp::Daemon {
    vrrp::Daemon { running: running(), lateness: 0.0001, lateness_max: 0.002 }
}

fn reloaded() -> vrrp::Reloaded {
    vrrp::Reloaded { added: names("a"), changed: names("b"), removed: names("c"), unchanged: names("d") }
}

fn address(address: &str) -> vrrp::Address {
    vrrp::Address { address: address.to_owned(), present: false, ours: false, advertised: true }
}

fn held(what: &str) -> vrrp::Held {
    vrrp::Held { what: what.to_owned(), present: false }
}

fn tracker() -> vrrp::Tracker {
    vrrp::Tracker {
        kind: vrrp::TrackerKind::Check,
        name: "nginx".to_owned(),
        weight: Some(-60),
        state: vrrp::TrackedState::CouldNotRun,
        judged: Some(vrrp::Judgement::Down),
        stale: true,
        change: -60,
        fault: false,
        since: Some("2026-11-24T06:00:01Z".to_owned()),
        reason: "refused".to_owned(),
    }
}

fn instance() -> vrrp::Instance {
    vrrp::Instance {
        name: "web".to_owned(),
        interface: "eth0".to_owned(),
        place: "vrrp.51".to_owned(),
        virtual_router_id: 51,
        version: 3,
        family: "IPv4".to_owned(),
        state: vrrp::State::Backup,
        since: "2026-11-24T06:00:01Z".to_owned(),
        reason: "heard 192.168.4.100 with priority 200".to_owned(),
        priority: 100,
        effective_priority: 40,
        preempt: true,
        accept: true,
        strict: false,
        authentication: "hmac".to_owned(),
        hmac: Some(vrrp::Hmac {
            mode: "enforce".to_owned(),
            active_key: 2,
            keys: vec![1, 2],
            replay_protection: "time".to_owned(),
            time_window: Some(5.0),
        }),
        checksum: Some("pseudo-header".to_owned()),
        source: Some("192.168.4.200".to_owned()),
        unicast_peers: vec![vrrp::UnicastPeer { address: "192.168.4.100".to_owned(), min_ttl: 255 }],
        virtual_mac: Some(vrrp::VirtualMac {
            interface: "vrrp.51".to_owned(),
            mac: "00:00:5e:00:01:33".to_owned(),
            adverts_from: "interface".to_owned(),
            present: true,
            up: false,
        }),
        advertisement_interval: 1.0,
        active_adver_interval: 1.0,
        skew_time: 0.609,
        active_down_interval: 3.609,
        timer: Some(2.75),
        trackers: vec![tracker()],
        addresses: vec![address("192.168.4.80/24")],
        address_count: 1,
        addresses_present: 0,
        routes: vec![held("default via 192.168.4.1 table 100")],
        rules: vec![held("from 192.168.4.80/32 table 100 priority 1000")],
        peers: vec![vrrp::Peer {
            address: "192.168.4.100".to_owned(),
            version: 3,
            priority: 200,
            advertisement_interval: 1.0,
            checksum: Some("rfc9568".to_owned()),
            key_id: Some(2),
            other_addresses: false,
            first_heard: "2026-11-24T06:00:01Z".to_owned(),
            last_heard: "2026-11-24T06:00:09Z".to_owned(),
            advertisements: 9,
        }],
        refused: vec![vrrp::Refusal {
            address: "192.168.4.7".to_owned(),
            counter: "not_a_peer".to_owned(),
            reason: "192.168.4.7 is none of the unicast peers".to_owned(),
            last: "2026-11-24T06:00:09Z".to_owned(),
        }],
        faults: vec![notice()],
        warnings: vec![notice()],
        hints: vec![notice()],
        counters: BTreeMap::from([("advertisements_received".to_owned(), 9)]),
    }
}

#[test]
fn the_vrrp_interface_is_what_its_file_says() {
    use vrrp::{Judgement, State, Step, TrackedState, TrackerKind};
    let contract = Contract::of(&vrrp::INTERFACE);
    contract.variants("State", vec![State::Initialize, State::Backup, State::Active, State::Fault]);
    contract.variants("TrackerKind", vec![TrackerKind::Check, TrackerKind::Interface]);
    let tracked = [TrackedState::Up, TrackedState::Down, TrackedState::Unknown, TrackedState::CouldNotRun];
    contract.variants("TrackedState", tracked.to_vec());
    contract.variants("Judgement", vec![Judgement::Up, Judgement::Down]);
    contract.variants("Step", vec![Step::Begin, Step::Page, Step::Level, Step::Change]);
    contract.method(vrrp::GET_DAEMON, NoParameters {}, vrrp::GetDaemonReply { daemon: daemon() });
    contract.method(
        vrrp::LIST,
        listed(),
        vrrp::ListReply { instances: vec![instance()], cursor: Some("web".to_owned()) },
    );
    contract.method(vrrp::GET, named(), vrrp::GetReply { instance: instance() });
    contract.method(
        vrrp::LIST_ADDRESSES,
        vrrp::ListAddressesParameters {
            name: "web".to_owned(),
            cursor: Some("256".to_owned()),
            limit: Some(10),
        },
        vrrp::ListAddressesReply {
            addresses: vec![address("192.168.4.80/24")],
            cursor: Some("266".to_owned()),
        },
    );
    contract.method(
        vrrp::MONITOR,
        NoParameters {},
        vrrp::Monitor {
            step: Step::Change,
            sequence: 7,
            daemon: Some(daemon()),
            instances: vec![instance()],
            removed: vec!["db".to_owned()],
        },
    );
    contract.method(
        vrrp::RELOAD,
        NoParameters {},
        vrrp::ReloadReply { digest: "sha256:0123".to_owned(), instances: reloaded() },
    );
    let (name, known) = missing();
    contract.error(&Error::new(vrrp::NO_SUCH_INSTANCE, &vrrp::NoSuchInstance { name, known }));
    contract.error(&Error::new(vrrp::CONFIG_REFUSED, &refused()));
    contract.complete();
}

#[test]
fn what_may_be_missing_may_be_missing() {
    let bare = vrrp::Instance {
        hmac: None,
        checksum: None,
        source: None,
        virtual_mac: None,
        timer: None,
        trackers: vec![vrrp::Tracker { weight: None, judged: None, since: None, ..tracker() }],
        ..instance()
    };
    let mut json = serde_json::to_value(&bare).unwrap();
    json.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    json["trackers"][0].as_object_mut().unwrap().retain(|_, value| !value.is_null());
    assert_eq!(serde_json::from_value::<vrrp::Instance>(json).unwrap(), bare);
    let parameters: common::ListParameters = serde_json::from_value(json!({})).unwrap();
    assert_eq!(parameters, common::ListParameters::default());
    let end: vrrp::ListReply = serde_json::from_value(json!({"instances": []})).unwrap();
    assert_eq!(end.cursor, None);
}

#[test]
fn only_reload_changes_and_only_monitor_streams() {
    let names = |which: fn(&service::Method) -> bool| -> Vec<_> {
        let methods = vrrp::INTERFACE.methods.iter().filter(|method| which(method));
        methods.map(|method| method.name).collect()
    };
    assert_eq!(names(|method| method.changes), [vrrp::RELOAD]);
    assert_eq!(names(|method| method.streams), [vrrp::MONITOR]);
}

/// Things that one instance can track.
const TRACKERS: usize = 64;

/// As much of everything as an instance shows, in its longest words.
fn largest() -> vrrp::Instance {
    const ADDRESS: &str = "2001:db8:1111:2222:3333:4444:5555:6666";
    let notice = common::Notice { what: "x".repeat(500), remedy: "x".repeat(500) };
    let route = format!(
        "{ADDRESS}/128 via {ADDRESS} dev {} table 4294967295 metric 4294967295 src {ADDRESS} scope global",
        "x".repeat(15),
    );
    let rule = format!(
        "from {ADDRESS}/128 to {ADDRESS}/128 fwmark 0xffffffff/0xffffffff table 4294967295 priority 4294967295"
    );
    let vrrp::Instance { peers, refused, .. } = instance();
    let long = |peer: &vrrp::Peer| vrrp::Peer { address: ADDRESS.to_owned(), ..peer.clone() };
    let refusal =
        vrrp::Refusal { address: ADDRESS.to_owned(), reason: "x".repeat(200), ..refused[0].clone() };
    let tracker = vrrp::Tracker { name: "x".repeat(64), reason: "x".repeat(256), ..tracker() };
    vrrp::Instance {
        name: "x".repeat(64),
        reason: "x".repeat(500),
        trackers: vec![tracker; TRACKERS],
        addresses: vec![address(&format!("{ADDRESS}/128")); vrrp::SHOWN_MAX],
        routes: vec![held(&route); vrrp::SHOWN_MAX],
        rules: vec![held(&rule); vrrp::SHOWN_MAX],
        unicast_peers: vec![vrrp::UnicastPeer { address: ADDRESS.to_owned(), min_ttl: 255 }; 64],
        peers: vec![long(&peers[0]); 16],
        refused: vec![refusal; vrrp::REFUSED_MAX],
        faults: vec![notice.clone(); 8],
        warnings: vec![notice.clone(); 16],
        hints: vec![notice; 4],
        counters: (0..64).map(|number| (format!("{number:032}"), u64::from(u32::MAX))).collect(),
        ..instance()
    }
}

/// Instances of that size.
struct Large(usize);

impl Source for Large {
    type Daemon = vrrp::Daemon;
    type Object = vrrp::Instance;
    type Reply = vrrp::Monitor;

    fn daemon(&self) -> vrrp::Daemon {
        daemon()
    }

    fn names(&self) -> Vec<String> {
        (0..self.0).map(|number| format!("{number:064}")).collect()
    }

    fn object(&self, name: &str) -> Option<vrrp::Instance> {
        Some(vrrp::Instance { name: name.to_owned(), ..largest() })
    }
}

#[test]
fn the_largest_instance_fits_a_message() {
    let size = serde_json::to_vec(&largest()).unwrap().len();
    assert!(size < MAX_BYTES, "{size}");
    let mut page = Page::new(10);
    assert!(page.admits(&largest()) && !page.admits(&largest()), "{size} bytes: one to a page");
}

#[test]
fn a_monitor_of_large_instances_sends_them_all() {
    let Outcome::Stream(mut stream) = Feed::default().monitor(Rc::new(Large(5))) else { panic!("a stream") };
    let mut names = Vec::new();
    loop {
        let frame = stream.reply().unwrap();
        let message = frame.bytes().strip_suffix(b"\0").unwrap();
        let mut reply: Value = serde_json::from_slice(message).unwrap();
        let monitor: vrrp::Monitor = serde_json::from_value(reply["parameters"].take()).unwrap();
        names.extend(monitor.instances.into_iter().map(|instance| instance.name));
        if monitor.step == vrrp::Step::Level {
            break;
        }
    }
    assert_eq!(names, Large(5).names());
}
