//! What trackers add, hold back and wait for, by example and whatever happens.

use super::*;

use proptest::prelude::*;
use vipkit_config::Source;
use vipkit_control::health::{Monitor, Step};

const BASE: Priority = Priority(100);

fn config(keys: &str) -> Instance {
    let text = format!(
        "[check.a]\ntype = 'tcp'\ntarget = '127.0.0.1:1'\n[check.b]\ntype = 'tcp'\ntarget = '127.0.0.1:2'\n\
         [vrrp.web]\ninterface = 'eth0'\nvirtual_router_id = 51\naddresses = ['10.0.1.5/24']\n{keys}"
    );
    vipkit_config::parse(&[Source { name: "vipkit.toml".to_owned(), text }]).unwrap().vrrp["web"].clone()
}

fn trackers(keys: &str) -> Trackers {
    Trackers::new(&config(keys))
}

fn at(seconds: u64) -> Mono {
    Mono::at(Duration::from_secs(seconds))
}

const UP: Option<Judgement> = Some(Judgement::Up);
const DOWN: Option<Judgement> = Some(Judgement::Down);

/// What healthcheckd says of checks, with no more than vrrpd reads.
fn said(checks: &[(&str, Option<Judgement>, Option<Weight>)]) -> Monitor {
    let check = |(name, judged, weight): &(&str, Option<Judgement>, Option<Weight>)| {
        let state = match judged {
            None => State::Unknown,
            Some(Judgement::Up) => State::Up,
            Some(Judgement::Down) => State::Down,
        };
        crate::heard::testing::check(name, state, *judged, *weight)
    };
    let checks = checks.iter().map(check).collect();
    Monitor { step: Step::Change, sequence: 0, daemon: None, checks, removed: Vec::new() }
}

fn heard(checks: &[(&str, Option<Judgement>, Option<Weight>)]) -> Heard {
    let mut heard = Heard::default();
    heard.track(["a".to_owned(), "b".to_owned()].into());
    heard.hear(said(checks));
    heard
}

fn lost(mut heard: Heard) -> Heard {
    heard.lost();
    heard
}

/// As an instance uses them: settled after each input.
fn hear(trackers: &mut Trackers, heard: &Heard, now: Mono) {
    trackers.hear(heard, now);
    trackers.settle(now);
}

fn observe(trackers: &mut Trackers, trouble: Option<Fault>, now: Mono) {
    trackers.observe(&[("eth1".to_owned(), trouble)].into(), now);
    trackers.settle(now);
}

fn what(faults: &[Fault]) -> Vec<String> {
    faults.iter().map(|fault| fault.what("eth0")).collect()
}

#[test]
fn what_a_weight_adds() {
    let percent = |number| Some(Weight { unit: WeightUnit::Percent, number });
    let absolute = |number| Some(Weight { unit: WeightUnit::Absolute, number });
    for (weight, judged, share, priority) in [
        (-60, None, None, 100),
        (-60, UP, None, 100),
        (-60, DOWN, None, 40),
        (60, None, None, 100),
        (60, UP, None, 160),
        (60, DOWN, None, 100),
        // Within 1-254, whatever it comes to.
        (-253, DOWN, None, 1),
        (253, UP, None, 254),
        // A share of it, while up.
        (60, UP, percent(50), 130),
        (60, UP, percent(0), 100),
        (60, UP, percent(300), 160),
        (60, DOWN, percent(50), 100),
        (-60, UP, percent(75), 85),
        (-60, UP, percent(100), 100),
        (-60, UP, percent(-7), 40),
        (-60, DOWN, percent(75), 40),
        // A number times it, while up.
        (2, UP, absolute(10), 120),
        (2, UP, absolute(-10), 80),
        (-2, UP, absolute(10), 80),
        (2, UP, absolute(i64::MAX), 254),
        (2, UP, absolute(i64::MIN), 1),
        (2, DOWN, absolute(10), 100),
        (-2, DOWN, absolute(10), 98),
    ] {
        let mut trackers = trackers(&format!("track = [{{ check = 'a', weight = {weight} }}]"));
        hear(&mut trackers, &heard(&[("a", judged, share)]), at(0));
        assert_eq!(trackers.priority(BASE), Priority(priority), "{weight} {judged:?} {share:?}");
        assert_eq!(trackers.priority(Priority::OWNER), Priority::OWNER);
        assert_eq!(trackers.faults(), []);
    }
}

#[test]
fn weights_add_up_before_they_are_bounded() {
    let mut trackers = trackers("track = [{ check = 'a', weight = 200 }, { check = 'b', weight = -150 }]");
    hear(&mut trackers, &heard(&[("a", UP, None), ("b", DOWN, None)]), at(0));
    assert_eq!(trackers.priority(BASE), Priority(150));
    let words = trackers.news();
    assert_eq!(words, ["check a up (+200): Up", "check b down (-150): Down"]);
    assert_eq!(trackers.news(), [""; 0], "said once");
    hear(&mut trackers, &heard(&[("b", UP, None)]), at(0));
    assert_eq!(trackers.news(), ["check b up (+0): Up"]);
}

#[test]
fn without_a_weight_down_is_a_fault_and_nothing_else_is() {
    let mut trackers = trackers("track = [{ check = 'a' }, { check = 'b', weight = -1 }]");
    for (judged, faults) in
        [(None, vec![]), (UP, vec![]), (DOWN, vec!["check a is down: Down"]), (UP, vec![])]
    {
        hear(&mut trackers, &heard(&[("a", judged, None), ("b", judged, None)]), at(0));
        assert_eq!(what(&trackers.faults()), faults, "{judged:?}");
    }
    hear(&mut trackers, &heard(&[("a", DOWN, None), ("b", DOWN, None)]), at(0));
    assert_eq!(what(&trackers.warnings()), ["check b is down: Down"]);
}

#[test]
fn a_start_waits_for_first_verdicts_and_not_for_ever() {
    let keys = "startup_timeout = '10s'\ntrack = [{ check = 'a' }, { check = 'b', weight = 5 }, { interface = 'eth1' }]";
    let mut started = trackers(keys);
    assert_eq!(started.waits_for(), None, "it has not begun");
    started.start(true, at(1));
    assert_eq!(started.waits_for().unwrap(), "waits for checks a, b");
    assert_eq!((started.deadline(), started.warnings()), (Some(at(11)), vec![]));
    hear(&mut started, &heard(&[("a", UP, None), ("b", None, None)]), at(2));
    assert_eq!(started.waits_for().unwrap(), "waits for check b");
    let mut timed_out = started.clone();
    hear(&mut started, &heard(&[("b", DOWN, None)]), at(3));
    assert_eq!((started.waits_for(), started.deadline()), (None, None));
    // Nobody says how b is: with hold, it counts as up.
    timed_out.settle(at(11));
    assert_eq!((timed_out.waits_for(), timed_out.deadline(), timed_out.faults()), (None, None, vec![]));
    assert_eq!(what(&timed_out.warnings()), ["check b was never judged"]);

    let mut adopted = trackers(keys);
    adopted.start(false, at(1));
    assert_eq!(adopted.waits_for(), None);
    let mut judged = trackers(keys);
    judged.hear(&heard(&[("a", UP, None), ("b", UP, None)]), at(0));
    judged.start(true, at(1));
    assert_eq!(judged.waits_for(), None);
}

#[test]
fn what_was_heard_last_is_held() {
    let mut trackers = trackers("track = [{ check = 'a', weight = -60 }]");
    let before = heard(&[("a", DOWN, None)]);
    hear(&mut trackers, &before, at(0));
    hear(&mut trackers, &lost(before), at(1));
    trackers.settle(at(3600));
    assert_eq!(
        (trackers.priority(BASE), trackers.faults(), trackers.deadline()),
        (Priority(40), vec![], None)
    );
    assert_eq!(what(&trackers.warnings()), ["check a is down: Down", "no verdict on check a is coming in"]);
}

#[test]
fn a_loss_that_lasts_is_a_fault_if_it_is_to_be() {
    let keys = "on_health_loss = 'fault'\nstartup_timeout = '5s'\ntrack = [{ check = 'a', weight = -60 }]";
    let up = || heard(&[("a", UP, None)]);
    let mut followed = trackers(keys);
    hear(&mut followed, &up(), at(0));
    hear(&mut followed, &lost(up()), at(10));
    // More of the same loss does not begin it anew.
    hear(&mut followed, &lost(up()), at(12));
    assert_eq!((followed.deadline(), followed.faults()), (Some(at(15)), vec![]));
    assert_eq!(what(&followed.warnings()), ["no verdict on check a is coming in"]);
    followed.settle(at(15));
    assert_eq!(what(&followed.faults()), ["no verdict on check a is coming in"]);
    assert_eq!((followed.deadline(), followed.warnings()), (None, vec![]), "no deadline twice");
    hear(&mut followed, &up(), at(20));
    assert_eq!(followed.faults(), []);
    // Back in time.
    hear(&mut followed, &lost(up()), at(30));
    hear(&mut followed, &up(), at(34));
    followed.settle(at(36));
    assert_eq!((followed.faults(), followed.deadline()), (vec![], None));

    for waits in [true, false] {
        let mut never = trackers(keys);
        never.start(waits, at(0));
        never.settle(at(4));
        assert_eq!(never.faults(), []);
        never.settle(at(5));
        assert_eq!(
            (what(&never.faults()), never.waits_for()),
            (vec!["check a was never judged".to_owned()], None)
        );
    }
}

#[test]
fn a_check_that_a_reload_brings_counts_as_up_until_it_is_judged() {
    let mut trackers =
        trackers("on_health_loss = 'fault'\nstartup_timeout = '5s'\ntrack = [{ check = 'a' }]");
    hear(&mut trackers, &heard(&[("a", UP, None)]), at(0));
    trackers.start(true, at(0));
    trackers.configure(&config(
        "on_health_loss = 'fault'\nstartup_timeout = '5s'\ntrack = [{ check = 'a' }, { check = 'b' }]",
    ));
    trackers.settle(at(60));
    assert_eq!((trackers.faults(), trackers.waits_for(), trackers.deadline()), (vec![], None, None));
    hear(&mut trackers, &heard(&[("b", DOWN, None)]), at(61));
    assert_eq!(what(&trackers.faults()), ["check b is down: Down"]);
}

#[test]
fn a_reload_keeps_what_is_known() {
    let mut trackers = trackers("track = [{ check = 'a' }, { interface = 'eth1', down_delay = '9s' }]");
    hear(&mut trackers, &heard(&[("a", DOWN, None)]), at(0));
    observe(&mut trackers, None, at(0));
    observe(&mut trackers, Some(Fault::NoCarrier), at(1));
    trackers.configure(&config(
        "track = [{ check = 'a', weight = -50 }, { interface = 'eth1', weight = -20, down_delay = '3s' }]",
    ));
    trackers.settle(at(1));
    assert_eq!((trackers.priority(BASE), trackers.faults()), (Priority(50), vec![]));
    assert_eq!(trackers.deadline(), Some(at(4)), "the delay that is in force now");
    trackers.settle(at(4));
    assert_eq!(trackers.priority(BASE), Priority(30));
}

#[test]
fn an_interface_counts_once_its_state_has_lasted() {
    let mut trackers = trackers("track = [{ interface = 'eth1', up_delay = '5s', down_delay = '2s' }]");
    let down = || Some(Fault::NoCarrier);
    observe(&mut trackers, down(), at(0));
    assert_eq!(
        what(&trackers.faults()),
        ["tracked interface eth1 has no carrier"],
        "what is found first counts at once"
    );
    observe(&mut trackers, None, at(10));
    assert_eq!(trackers.deadline(), Some(at(15)));
    let waiting = "tracked interface eth1 has been up for less than its up_delay of 5s";
    assert_eq!(what(&trackers.faults()), [waiting]);
    // It went down meanwhile: the delay begins anew.
    observe(&mut trackers, down(), at(13));
    assert_eq!(trackers.deadline(), None);
    observe(&mut trackers, None, at(14));
    trackers.settle(at(18));
    assert_eq!(what(&trackers.faults()), [waiting]);
    trackers.settle(at(19));
    assert_eq!((trackers.faults(), trackers.deadline()), (vec![], None));
    observe(&mut trackers, down(), at(20));
    // Down in another way is still down.
    observe(&mut trackers, Some(Fault::NoInterface), at(21));
    assert_eq!((trackers.faults(), trackers.deadline()), (vec![], Some(at(22))));
    trackers.settle(at(22));
    assert_eq!(what(&trackers.faults()), ["tracked interface eth1 does not exist"]);
}

#[test]
fn what_is_shown() {
    let keys =
        "track = [{ check = 'a', weight = -60 }, { check = 'b' }, { interface = 'eth1', weight = 20 }]";
    let mut trackers = trackers(keys);
    hear(&mut trackers, &heard(&[("a", DOWN, None)]), at(0));
    observe(&mut trackers, None, at(7));
    let epoch = Epoch::new(std::time::UNIX_EPOCH, at(0));
    let shown = |base| trackers.shown(base, epoch).collect::<Vec<_>>();
    let all = shown(BASE);
    let a = all.iter().find(|tracker| tracker.name == "a").unwrap();
    assert_eq!((a.kind, a.weight, a.judged, a.change), (TrackerKind::Check, Some(-60), DOWN, -60));
    let b = all.iter().find(|tracker| tracker.name == "b").unwrap();
    assert_eq!(
        (b.weight, b.state, b.judged, b.fault, b.since.clone()),
        (None, State::Unknown, None, false, None)
    );
    let eth1 = all.iter().find(|tracker| tracker.name == "eth1").unwrap();
    assert_eq!((eth1.kind, eth1.state, eth1.change), (TrackerKind::Interface, State::Up, 20));
    assert_eq!((eth1.since.as_deref(), eth1.reason.as_str()), (Some("1970-01-01T00:00:07.000Z"), "up"));
    assert!(shown(Priority::OWNER).iter().all(|tracker| tracker.change == 0));
}

#[derive(Clone, Debug)]
enum Act {
    Hear(&'static str, Option<Judgement>, Option<Weight>),
    Lose,
    Look(bool),
    Configure(&'static str),
    Start(bool),
}

const CONFIGS: [&str; 3] = [
    "track = [{ check = 'a', weight = -60 }, { check = 'b' }, { interface = 'eth1', weight = 253 }]",
    "on_health_loss = 'fault'\nstartup_timeout = '3s'\ntrack = [{ check = 'a', weight = 253 }, { check = 'b' }]",
    "track = [{ interface = 'eth1', up_delay = '5s', down_delay = '2s' }]",
];

fn any_act() -> impl Strategy<Value = Act> {
    let unit = prop::sample::select(vec![WeightUnit::Percent, WeightUnit::Absolute]);
    let weight = prop::option::of((unit, any::<i64>()).prop_map(|(unit, number)| Weight { unit, number }));
    let judged = prop::sample::select(vec![None, UP, DOWN]);
    prop_oneof![
        3 => (prop::sample::select(vec!["a", "b"]), judged, weight).prop_map(|(n, j, w)| Act::Hear(n, j, w)),
        1 => Just(Act::Lose),
        2 => any::<bool>().prop_map(Act::Look),
        1 => prop::sample::select(CONFIGS.to_vec()).prop_map(Act::Configure),
        1 => any::<bool>().prop_map(Act::Start),
    ]
}

proptest! {
    /// Whatever happens: a priority in bounds, no deadline that has passed, and no wait beyond its time.
    #[test]
    fn whatever_happens_they_come_to_rest(acts in prop::collection::vec((any_act(), 0u64..4), 0..40)) {
        let (mut trackers, mut heard, mut now) = (trackers(CONFIGS[0]), heard(&[]), 0);
        for (act, pause) in acts {
            now += pause;
            trackers.settle(at(now));
            match act {
                Act::Hear(name, judged, weight) => {
                    heard.hear(said(&[(name, judged, weight)]));
                    trackers.hear(&heard, at(now));
                }
                Act::Lose => {
                    heard.lost();
                    trackers.hear(&heard, at(now));
                }
                Act::Look(up) => {
                    let trouble = (!up).then_some(Fault::InterfaceDown);
                    trackers.observe(&[("eth1".to_owned(), trouble)].into(), at(now));
                }
                Act::Configure(keys) => trackers.configure(&config(keys)),
                Act::Start(waits) => trackers.start(waits, at(now)),
            }
            trackers.settle(at(now));
            let priority = trackers.priority(BASE).0;
            prop_assert!((1..=254).contains(&priority));
            prop_assert!(trackers.deadline().is_none_or(|deadline| deadline > at(now)), "{trackers:?}");
        }
        trackers.settle(at(now + 60));
        prop_assert_eq!(trackers.waits_for(), None);
        prop_assert_eq!(trackers.deadline(), None);
    }
}
