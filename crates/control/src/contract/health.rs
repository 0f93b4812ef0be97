//! `io.vipkit.Health` against its Rust types.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Contract, changes, listed, missing, named, names, refused, running};
use crate::call::NoParameters;
use crate::error::Error;
use crate::health::{self, Judgement, State, Step, WeightUnit};
use crate::service::Method;

fn daemon() -> health::Daemon {
    health::Daemon {
        running: running(),
        lateness: 0.0001,
        lateness_max: 0.002,
        runs: 19,
        in_flight: 2,
        waiting: 1,
    }
}

fn weight() -> health::Weight {
    health::Weight { unit: WeightUnit::Percent, number: 50 }
}

fn part() -> health::Part {
    health::Part {
        label: "front".to_owned(),
        kind: "https".to_owned(),
        target: "192.168.4.100:443".to_owned(),
        state: State::Up,
        judged: Some(Judgement::Up),
        weight: Some(weight()),
        since: "2026-11-24T06:00:01Z".to_owned(),
        reason: "200 OK".to_owned(),
        warning: Some("the certificate expires in 9 days".to_owned()),
        failures: 1,
        successes: 0,
        checked: Some("2026-11-24T06:00:09Z".to_owned()),
        took: Some(0.002),
        latency: Some(health::Latency { p50: 0.002, p90: 0.003, p99: 0.004, samples: 64 }),
        next: Some("2026-11-24T06:00:11Z".to_owned()),
        interval: 2.0,
        timeout: 1.0,
        retries: 2,
        retry_delay: 0.5,
        rise: 2,
        fall: 3,
        shared_by: 2,
        counters: BTreeMap::from([("passed".to_owned(), 9)]),
    }
}

fn check() -> health::Check {
    health::Check {
        name: "web/192.168.4.100:80".to_owned(),
        kind: "all".to_owned(),
        target: "192.168.4.100:80".to_owned(),
        state: State::CouldNotRun,
        judged: Some(Judgement::Up),
        weight: Some(weight()),
        since: "2026-11-24T06:00:01Z".to_owned(),
        reason: "too many open files".to_owned(),
        warning: Some("the certificate expires in 9 days".to_owned()),
        generation: 3,
        disabled: Some(health::Disabled { by: "uid 0".to_owned(), since: "2026-11-24T06:00:10Z".to_owned() }),
        used_by: vec!["service web".to_owned()],
        runs: vec![part()],
    }
}

fn report() -> health::Report {
    health::Report {
        label: "front".to_owned(),
        kind: "https".to_owned(),
        target: "192.168.4.100:443".to_owned(),
        state: State::Up,
        weight: Some(weight()),
        reason: "200 OK".to_owned(),
        warning: Some("the certificate expires in 9 days".to_owned()),
        took: 0.002,
        timings: vec![health::Timing { step: "connect".to_owned(), took: 0.0002 }],
    }
}

#[test]
fn the_health_interface_is_what_its_file_says() {
    let contract = Contract::of(&health::INTERFACE);
    contract.variants("State", vec![State::Up, State::Down, State::Unknown, State::CouldNotRun]);
    contract.variants("Judgement", vec![Judgement::Up, Judgement::Down]);
    contract.variants("WeightUnit", vec![WeightUnit::Percent, WeightUnit::Absolute]);
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
    contract.method(health::RUN, named(), health::RunReply { reports: vec![report()] });
    let set = health::SetParameters {
        name: "app".to_owned(),
        judged: Judgement::Up,
        weight: Some(50),
        ttl: Some(10.0),
    };
    contract.method(health::SET, set, health::Done {});
    contract.method(health::ENABLE, named(), health::Done {});
    contract.method(health::DISABLE, named(), health::Done {});
    let (name, known) = missing();
    contract.error(&Error::new(health::NO_SUCH_CHECK, &health::NoSuchCheck { name, known }));
    let (name, kind) = ("web".to_owned(), "http".to_owned());
    contract.error(&Error::new(health::NOT_EXTERNAL, &health::NotExternal { name, kind }));
    let (name, needed) = ("app".to_owned(), names("user:app"));
    contract.error(&Error::new(health::NOT_ALLOWED, &health::NotAllowed { name, needed }));
    let (what, hint) = ("ttl is -1 s".to_owned(), "more than nothing".to_owned());
    contract.error(&Error::new(health::BAD_VALUE, &health::BadValue { what, hint }));
    contract.error(&Error::new(health::CONFIG_REFUSED, &refused()));
    contract.complete();
}

#[test]
fn who_may_set_is_for_the_daemon_to_decide() {
    let names = |of: fn(&Method) -> bool| -> Vec<_> {
        health::INTERFACE.methods.iter().filter(|method| of(method)).map(|method| method.name).collect()
    };
    assert_eq!(
        names(|method| method.changes),
        [health::RELOAD, health::RUN, health::ENABLE, health::DISABLE]
    );
    assert_eq!(names(|method| method.streams), [health::MONITOR]);
}

#[test]
fn a_check_that_never_ran_leaves_out_what_it_never_had() {
    let (judged, weight, warning) = (None, None, None);
    let never = health::Part {
        judged,
        weight,
        warning: warning.clone(),
        checked: None,
        took: None,
        latency: None,
        next: None,
        ..part()
    };
    let runs = vec![never];
    let never = health::Check { judged, weight, warning, disabled: None, runs, ..check() };
    assert_eq!(serde_json::from_value::<health::Check>(without_null(&never)).unwrap(), never);
}

/// As a program writes it that leaves out what does not apply.
fn without_null(value: &impl serde::Serialize) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|_, value| !value.is_null());
                fields.values_mut().for_each(strip);
            }
            Value::Array(values) => values.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut json = serde_json::to_value(value).unwrap();
    strip(&mut json);
    json
}
