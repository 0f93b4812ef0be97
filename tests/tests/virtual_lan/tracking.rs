//! Checks and interfaces that a priority follows, and those that an instance cannot do without.

use super::*;

use vipkit_control::health::Judgement::{Down, Up};

const WEIGHTED: &str = "priority = 150\ntrack = [{ check = 'app', weight = -60 }]";
const FATAL: &str = "priority = 150\ntrack = [{ check = 'app' }]";
const BACKUP: &str = "priority = 100";

/// Two hosts, both well and told so; the first of these keys.
fn pair(keys: &str, other: &str) -> Lan {
    let mut lan = lan(&[keys, other]);
    for id in [0, 1] {
        lan.say(id, "app", Up);
    }
    lan.run(SETTLED);
    lan
}

/// The priority that a host takes part with.
fn priority(lan: &Lan, id: Id) -> u8 {
    lan.host(id).router().fsm().settings().priority.0
}

#[test]
fn the_next_takes_over_when_a_check_fails_and_gives_back_when_it_passes() {
    let mut lan = pair(WEIGHTED, BACKUP);
    assert_eq!((lan.holders(), priority(&lan, 0)), (vec![0], 150));
    let failed = lan.now();
    lan.say(0, "app", Down);
    assert_eq!(
        (priority(&lan, 0), lan.host(0).state()),
        (90, State::Active),
        "it holds on until it is relieved"
    );
    // The adverts of a lower priority are no adverts to who preempts: its timer began with the last higher one.
    lan.run(down_interval(&lan, 1) + DELAY);
    assert_eq!((lan.holders(), lan.host(0).state()), (vec![1], State::Backup));
    assert_one_holder(&lan, failed);
    assert_eq!(lan.tenures().longest_gap(failed, lan.now()), Duration::ZERO);
    assert_eq!(lan.counter(0, "priority_zero_sent"), 0);
    let passed = lan.now();
    lan.say(0, "app", Up);
    lan.run(down_interval(&lan, 0) + DELAY);
    assert_eq!(lan.holders(), [0]);
    assert_one_holder(&lan, passed);
    assert_eq!(lan.tenures().longest_gap(passed, lan.now()), Duration::ZERO);
}

#[test]
fn a_positive_weight_makes_the_same_of_a_check_that_passes() {
    let mut lan = pair("priority = 90\ntrack = [{ check = 'app', weight = 60 }]", BACKUP);
    assert_eq!((lan.holders(), priority(&lan, 0)), (vec![0], 150));
    lan.say(0, "app", Down);
    lan.run(SETTLED);
    assert_eq!((lan.holders(), priority(&lan, 0)), (vec![1], 90));
}

#[test]
fn a_weight_too_small_changes_the_adverts_and_nothing_else() {
    for weight in [-40, -50] {
        // Equal priorities are no reason to take over either.
        let mut lan =
            pair(&format!("priority = 150\ntrack = [{{ check = 'app', weight = {weight} }}]"), BACKUP);
        lan.say(0, "app", Down);
        lan.run(60 * SECOND);
        assert_eq!((lan.holders(), lan.tenures().count(1)), (vec![0], 0), "{weight}");
        let heard = lan.host(1).router().peers().iter().next().map(|(_, peer)| peer.priority.0);
        assert_eq!(heard.map(i16::from), Some(150 + weight));
    }
}

#[test]
fn when_both_are_ill_the_higher_one_stays() {
    let other = "priority = 100\ntrack = [{ check = 'app', weight = -60 }]";
    let mut lan = pair(WEIGHTED, other);
    lan.say(0, "app", Down);
    lan.say(1, "app", Down);
    lan.run(60 * SECOND);
    assert_eq!((lan.holders(), lan.tenures().count(1)), (vec![0], 0));
    lan.say(1, "app", Up);
    lan.run(SETTLED);
    assert_eq!(lan.holders(), [1]);
}

#[test]
fn without_preempt_a_lower_priority_is_followed() {
    let mut lan = pair(WEIGHTED, "priority = 100\npreempt = false");
    lan.say(0, "app", Down);
    lan.run(60 * SECOND);
    assert_eq!((lan.holders(), lan.tenures().count(1)), (vec![0], 0));
    // It is taken over from once it is gone, and is not preempted by who comes back.
    let mut lan = pair(&format!("{WEIGHTED}\npreempt = false"), BACKUP);
    lan.say(0, "app", Down);
    lan.run(SETTLED);
    assert_eq!(lan.holders(), [1]);
    lan.say(0, "app", Up);
    lan.run(60 * SECOND);
    assert_eq!(lan.holders(), [1]);
}

#[test]
fn a_backup_that_falls_behind_waits_as_long_as_its_priority_says() {
    let mut lan = pair("priority = 200", WEIGHTED);
    lan.say(1, "app", Down);
    assert_eq!(down_interval(&lan, 1), SECOND * 3 + SECOND * (256 - 90) / 256);
    let died = lan.now();
    lan.power_off(0);
    lan.run(down_interval(&lan, 1) + DELAY);
    assert_eq!(lan.holders(), [1]);
    assert!(lan.tenures().longest_gap(died, lan.now()) <= down_interval(&lan, 1) + DELAY);
}

#[test]
fn what_it_cannot_do_without_makes_it_leave() {
    let mut lan = pair(FATAL, BACKUP);
    let (failed, skew) = (lan.now(), lan.host(1).router().fsm().skew_time());
    lan.say(0, "app", Down);
    assert_eq!(lan.host(0).state(), State::Fault);
    assert_eq!(lan.host(0).router().reason(), "check app is down: said so");
    lan.run(skew + DELAY);
    assert_eq!(lan.holders(), [1]);
    assert!(lan.tenures().longest_gap(failed, lan.now()) <= skew + DELAY);
    assert_eq!(lan.counter(0, "priority_zero_sent"), 1);
    lan.say(0, "app", Up);
    lan.run(SETTLED);
    assert_eq!(lan.holders(), [0]);
}

#[test]
fn an_owner_keeps_its_priority_and_leaves_for_what_it_cannot_do_without() {
    let mut lan = lan(&["priority = 255\ntrack = [{ check = 'app' }]", BACKUP]);
    lan.run(SECOND);
    assert_eq!((lan.host(0).state(), lan.holders()), (State::Initialize, vec![]));
    lan.say(0, "app", Up);
    assert_eq!(lan.holders(), [0]);
    lan.say(0, "app", Down);
    lan.run(SETTLED);
    assert_eq!((priority(&lan, 0), lan.holders()), (255, vec![1]));
    lan.say(0, "app", Up);
    lan.run(DELAY);
    assert_eq!(lan.holders(), [0]);
}

#[test]
fn a_start_waits_for_first_verdicts() {
    let mut lan = lan(&[&format!("{WEIGHTED}\nstartup_timeout = '20s'"), BACKUP]);
    lan.run(10 * SECOND);
    assert_eq!((lan.host(0).state(), lan.holders()), (State::Initialize, vec![1]));
    assert_eq!(lan.host(0).router().reason(), "waits for check app");
    let mut late = lan.clone();
    // Ill, it never takes the addresses.
    lan.say(0, "app", Down);
    lan.run(60 * SECOND);
    assert_eq!((lan.host(0).state(), lan.tenures().count(0)), (State::Backup, 0));
    // Not told in time, it counts as well.
    late.run(9 * SECOND);
    assert_eq!(late.host(0).state(), State::Initialize);
    late.run(SECOND);
    assert_eq!(late.host(0).state(), State::Backup);
    late.run(SETTLED);
    assert_eq!(late.holders(), [0]);
    late.say(0, "app", Down);
    late.run(SETTLED);
    assert_eq!(late.holders(), [1]);
}

#[test]
fn a_start_without_verdicts_is_a_fault_if_it_is_to_be() {
    let mut lan = lan(&[&format!("{WEIGHTED}\nstartup_timeout = '5s'\non_health_loss = 'fault'"), BACKUP]);
    lan.run(60 * SECOND);
    assert_eq!((lan.host(0).state(), lan.holders()), (State::Fault, vec![1]));
    assert_eq!(lan.host(0).router().reason(), "check app was never judged");
    lan.say(0, "app", Up);
    lan.run(SETTLED);
    assert_eq!(lan.holders(), [0]);
}

#[test]
fn a_loss_of_verdicts_is_held_or_a_fault() {
    let mut lan = pair(FATAL, BACKUP);
    lan.lose_health(0);
    lan.run(3600 * SECOND);
    assert_eq!((lan.holders(), lan.tenures().count(1)), (vec![0], 0));

    let mut lan = pair(&format!("{FATAL}\nstartup_timeout = '5s'\non_health_loss = 'fault'"), BACKUP);
    lan.lose_health(0);
    lan.run(4 * SECOND);
    assert_eq!(lan.holders(), [0]);
    lan.run(SECOND + SETTLED);
    assert_eq!((lan.host(0).state(), lan.holders()), (State::Fault, vec![1]));
    lan.say(0, "app", Up);
    lan.run(SETTLED);
    assert_eq!(lan.holders(), [0]);
}

#[test]
fn an_interface_counts_after_its_delays() {
    let keys = "priority = 150\n\
                track = [{ interface = 'eth1', weight = -60, up_delay = '30s', down_delay = '2s' }]";
    let mut lan = Lan::new(1);
    lan.add(11, keys);
    lan.set_other(0, "eth1", true);
    lan.run(30 * SECOND);
    lan.add(12, BACKUP);
    assert_eq!((priority(&lan, 0), lan.holders()), (150, vec![0]));
    // Shorter than the delay, it never happened.
    lan.set_other(0, "eth1", false);
    lan.run(SECOND);
    lan.set_other(0, "eth1", true);
    lan.run(60 * SECOND);
    assert_eq!((lan.holders(), lan.tenures().count(1)), (vec![0], 0));
    lan.set_other(0, "eth1", false);
    lan.run(2 * SECOND + SETTLED);
    assert_eq!((priority(&lan, 0), lan.holders()), (90, vec![1]));
    lan.set_other(0, "eth1", true);
    lan.run(29 * SECOND);
    assert_eq!(lan.holders(), [1]);
    lan.run(SECOND + SETTLED);
    assert_eq!((priority(&lan, 0), lan.holders()), (150, vec![0]));
}

#[test]
fn a_reload_changes_what_is_tracked_in_place() {
    let mut lan = pair(WEIGHTED, BACKUP);
    // What was never judged does not make it leave.
    let more = "priority = 150\ntrack = [{ check = 'app', weight = -60 }, { check = 'disk' }]";
    lan.reload(0, more);
    lan.run(60 * SECOND);
    assert_eq!((lan.holders(), lan.tenures().count(0), lan.tenures().count(1)), (vec![0], 1, 0));
    lan.say(0, "disk", Down);
    assert_eq!(lan.host(0).state(), State::Fault);
    lan.run(SETTLED);
    assert_eq!(lan.holders(), [1]);
    lan.reload(0, WEIGHTED);
    lan.run(SETTLED);
    assert_eq!(lan.holders(), [0]);
    lan.say(0, "app", Down);
    lan.run(SETTLED);
    assert_eq!(lan.holders(), [1]);
    lan.reload(0, "priority = 150");
    assert_eq!(priority(&lan, 0), 150);
    lan.run(SETTLED);
    assert_eq!(lan.holders(), [0]);
}

#[test]
fn a_check_that_flaps_faster_than_a_takeover_moves_nothing() {
    let mut lan = pair(WEIGHTED, BACKUP);
    for n in 0..100 {
        lan.say(0, "app", if n % 2 == 0 { Down } else { Up });
        lan.run(Duration::from_millis(1500));
    }
    assert_eq!((lan.holders(), lan.tenures().count(0), lan.tenures().count(1)), (vec![0], 1, 0));
}
