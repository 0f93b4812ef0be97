//! `io.vipkit.Health` against its Rust types.

use std::collections::BTreeMap;

use super::{Contract, changes, listed, missing, named, refused, running};
use crate::call::NoParameters;
use crate::error::Error;
use crate::health::{self, Judgement, State, Step};

fn daemon() -> health::Daemon {
    health::Daemon { running: running(), lateness: 0.0001, lateness_max: 0.002, runs: 19 }
}

fn check() -> health::Check {
    health::Check {
        name: "web/192.168.4.100:80".to_owned(),
        kind: "tcp".to_owned(),
        target: "192.168.4.100:80".to_owned(),
        state: State::CouldNotRun,
        judged: Some(Judgement::Up),
        since: "2026-11-24T06:00:01Z".to_owned(),
        reason: "too many open files".to_owned(),
        generation: 3,
        failures: 1,
        checked: Some("2026-11-24T06:00:09Z".to_owned()),
        took: Some(0.002),
        interval: 2.0,
        timeout: 1.0,
        retries: 2,
        retry_delay: 0.5,
        shared_by: 2,
        counters: BTreeMap::from([("runs".to_owned(), 9)]),
    }
}

#[test]
fn the_health_interface_is_what_its_file_says() {
    let contract = Contract::of(&health::INTERFACE);
    contract.variants("State", vec![State::Up, State::Down, State::Unknown, State::CouldNotRun]);
    contract.variants("Judgement", vec![Judgement::Up, Judgement::Down]);
    contract.variants("Step", vec![Step::Begin, Step::Page, Step::Level, Step::Change]);
    contract.method(health::GET_DAEMON, NoParameters {}, health::GetDaemonReply { daemon: daemon() });
    contract.method(
        health::LIST,
        listed(),
        health::ListReply { checks: vec![check()], cursor: Some("web".to_owned()) },
    );
    contract.method(health::GET, named(), health::GetReply { check: check() });
    contract.method(
        health::MONITOR,
        NoParameters {},
        health::Monitor {
            step: Step::Change,
            sequence: 7,
            daemon: Some(daemon()),
            checks: vec![check()],
            removed: vec!["db".to_owned()],
        },
    );
    contract.method(
        health::RELOAD,
        NoParameters {},
        health::ReloadReply { digest: "sha256:0123".to_owned(), checks: changes() },
    );
    let (name, known) = missing();
    contract.error(&Error::new(health::NO_SUCH_CHECK, &health::NoSuchCheck { name, known }));
    contract.error(&Error::new(health::CONFIG_REFUSED, &refused()));
    contract.complete();
}

#[test]
fn a_check_that_never_ran_leaves_out_what_it_never_had() {
    let never = health::Check { judged: None, checked: None, took: None, ..check() };
    let mut json = serde_json::to_value(&never).unwrap();
    json.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    assert_eq!(serde_json::from_value::<health::Check>(json).unwrap(), never);
}
