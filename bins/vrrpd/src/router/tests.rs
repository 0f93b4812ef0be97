//! What a router does over several inputs, and what it logs.

use super::*;

use vipkit_config::Source;
use vipkit_control::health::{self, Judgement, Monitor, Step};
use vipkit_core::vrrp::Packet;

use crate::heard::testing::check;

fn config(keys: &str) -> Instance {
    let text = format!(
        "[check.app]\ntype = 'tcp'\ntarget = '127.0.0.1:80'\n[vrrp.web]\ninterface = 'eth0'\nvirtual_router_id = 51\naddresses = ['10.0.1.5/24']\n{keys}"
    );
    let config = vipkit_config::parse(&[Source { name: "vipkit.toml".to_owned(), text }]).unwrap();
    config.vrrp["web"].clone()
}

fn local(source: u8) -> Local {
    Local { source: Some([10, 0, 1, source].into()), ..Local::default() }
}

fn router(keys: &str, source: u8) -> Router {
    let mut router = Router::new("web", config(keys), Mono(0));
    router.start(local(source), false, Mono(0), &mut Vec::new());
    router
}

/// What healthcheckd said of the check.
fn heard(judged: Judgement) -> Heard {
    let (mut heard, up) = (Heard::default(), judged == Judgement::Up);
    heard.track(["app".to_owned()].into());
    let state = if up { health::State::Up } else { health::State::Down };
    let checks = vec![check("app", state, Some(judged), None)];
    heard.hear(Monitor { step: Step::Change, sequence: 0, daemon: None, checks, removed: Vec::new() });
    heard
}

fn sent(router: &mut Router, priority: Priority) -> Vec<u8> {
    let mut out = Vec::new();
    router.send(priority, &mut out);
    match &out[..] {
        [Output::Transmit(Packet::V4 { bytes, .. })] => bytes.clone(),
        other => panic!("{other:?}"),
    }
}

/// Who speaks for the virtual router may do so as often as it likes.
#[test]
fn changes_of_state_that_others_cause_do_not_fill_the_log() {
    let mut other = router("advertisement_interval = '10ms'", 2);
    let [higher, leaving] = [Priority(200), Priority::LEAVING].map(|priority| sent(&mut other, priority));
    let mut router = router("", 1);
    let (mut now, mut out) = (Mono(0), Vec::new());
    for _ in 0..1000 {
        router.packet(&Received::V4(&higher), now, &mut out);
        router.packet(&Received::V4(&leaving), now, &mut out);
        now = router.fsm.deadline().unwrap();
        router.timer(now, &mut out);
    }
    assert_eq!(router.counters.of(counters::BECAME_ACTIVE), 1000);
    let lines = out.iter().filter(|output| matches!(output, Output::Log(..))).count();
    assert!(lines < 30, "{lines} lines in {:?}", now.since_start());
}

#[test]
fn who_was_active_a_moment_ago_does_not_wait_and_leaves_when_told() {
    let mut router = Router::new("web", config("track = [{ check = 'app' }]"), Mono(0));
    let mut out = Vec::new();
    router.start(local(1), true, Mono(0), &mut out);
    assert!(router.is_active() && router.trackers.waits_for().is_none());
    router.hear(&heard(Judgement::Down), Mono(1), &mut out);
    assert_eq!((router.fsm.state(), router.counters.of(counters::PRIORITY_ZERO_SENT)), (State::Fault, 1));
    // What is known already is said with an advert too: another must not wait for this one to fall silent.
    let mut router = Router::new("web", config("track = [{ interface = 'eth1' }]"), Mono(0));
    let (mut out, mut local) = (Vec::new(), local(1));
    local.tracked.insert("eth1".to_owned(), Some(Fault::NoCarrier));
    router.start(local, true, Mono(0), &mut out);
    assert_eq!((router.fsm.state(), router.counters.of(counters::PRIORITY_ZERO_SENT)), (State::Fault, 1));
    assert_eq!(router.reason(), "tracked interface eth1 has no carrier");
}

#[test]
fn what_is_waited_for_comes_before_faults() {
    let mut router = Router::new("web", config("track = [{ check = 'app' }]"), Mono(0));
    let mut out = Vec::new();
    let broken = Local { faults: vec![Fault::NoCarrier], ..local(1) };
    router.start(broken.clone(), false, Mono(0), &mut out);
    assert_eq!((router.fsm.state(), router.reason()), (State::Initialize, "waits for check app"));
    router.observe(local(1), Mono(1), &mut out);
    router.observe(broken, Mono(2), &mut out);
    assert_eq!(router.fsm.state(), State::Initialize);
    router.hear(&heard(Judgement::Up), Mono(3), &mut out);
    assert_eq!((router.fsm.state(), router.reason()), (State::Fault, "interface eth0 has no carrier"));
    router.observe(local(1), Mono(4), &mut out);
    assert_eq!(router.fsm.state(), State::Backup);
}

#[test]
fn who_was_stopped_stays_so_whatever_is_heard() {
    let mut router = router("track = [{ check = 'app' }]", 1);
    let mut out = Vec::new();
    router.stop(Mono(1), &mut out);
    router.hear(&heard(Judgement::Up), Mono(2), &mut out);
    router.timer(Mono(u64::MAX), &mut out);
    assert_eq!((router.fsm.state(), router.deadline(Mono(3))), (State::Initialize, None));
}

#[test]
fn a_check_that_flaps_does_not_fill_the_log() {
    let mut router = router("track = [{ check = 'app', weight = -60 }]", 1);
    let mut out = Vec::new();
    for n in 0..1000 {
        let judged = if n % 2 == 0 { Judgement::Down } else { Judgement::Up };
        router.hear(&heard(judged), Mono(n), &mut out);
    }
    let line = |output: &Output| match output {
        Output::Log(_, line) => Some(line.clone()),
        _ => None,
    };
    let lines: Vec<_> = out.iter().filter_map(line).collect();
    assert_eq!(lines[0], "web: effective priority 100 -> 40: check app down (-60): Down");
    assert!(lines.len() < 30, "{}", lines.len());
}
