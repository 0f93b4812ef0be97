//! HMACs are introduced, keys changed and clocks wrong: without a second holder, or with a reason that each gives.

use vipkit_core::vrrp::Reject;
use vipkit_tests::lan::{Id, Lan};

use super::{SECOND, SETTLED, assert_one_holder, lan, settled};

/// One key, and no adverts without it.
pub const ENFORCED: &str = "authentication = { type = 'hmac', keys = [{ id = 1, credential = 'vrrp-1' }] }";
/// Without authentication, then the modes in the order of an introduction.
const STAGES: [&str; 4] = ["", "receive-only", "permissive", "enforce"];

fn stage(priority: u8, mode: &str) -> String {
    let authentication = match mode {
        "" => String::new(),
        mode => ENFORCED.replace("'hmac',", &format!("'hmac', mode = '{mode}',")),
    };
    format!("priority = {priority}\n{authentication}")
}

/// Keys 1 and so on, of which one is sent.
fn with_keys(priority: u8, keys: &[u8], active: u8) -> String {
    let list: Vec<_> = keys.iter().map(|id| format!("{{ id = {id}, credential = 'vrrp-{id}' }}")).collect();
    let list = list.join(", ");
    format!(
        "priority = {priority}\nauthentication = {{ type = 'hmac', active_key = {active}, keys = [{list}] }}"
    )
}

/// Adverts refused, for any reason.
fn refusals(lan: &Lan) -> u64 {
    (0..lan.hosts()).flat_map(|id| Reject::NAMES.map(|name| lan.counter(id, name))).sum()
}

/// Why a host refused adverts lately.
fn reasons(lan: &Lan, id: Id) -> Vec<&'static str> {
    let refused = lan.host(id).router().refused();
    refused.within(SECOND * 2, lan.now()).map(|(_, refusal)| refusal.reject.name()).collect()
}

/// Of two routers, the lower one is silent only if it takes what the higher one sends.
#[test]
fn of_each_pair_of_modes_one_is_active_unless_one_refuses_what_the_other_sends() {
    for high in STAGES {
        for low in STAGES {
            let signed = ["permissive", "enforce"].contains(&high);
            let taken = if signed { !low.is_empty() } else { low != "enforce" };
            let mut lan = settled(&[&stage(200, high), &stage(100, low)]);
            lan.run(60 * SECOND);
            let expected: &[Id] = if taken { &[0] } else { &[0, 1] };
            assert_eq!(lan.holders(), expected, "{high:?} over {low:?}");
            let reason = if signed { "hmac_unexpected_errors" } else { "hmac_missing_errors" };
            assert_eq!(reasons(&lan, 1).contains(&reason), !taken, "{high:?} over {low:?}");
        }
    }
}

#[test]
fn hmacs_are_introduced_one_router_at_a_time_without_a_second_holder() {
    let priorities = [200, 150, 100];
    let mut lan = settled(&priorities.map(|priority| stage(priority, "")).each_ref().map(String::as_str));
    let begin = lan.now();
    for mode in &STAGES[1..] {
        for (id, priority) in priorities.into_iter().enumerate().rev() {
            lan.reload(id, &stage(priority, mode));
            lan.run(SETTLED);
            assert_eq!(lan.holders(), [0], "{mode} on {id}");
        }
    }
    assert_eq!((refusals(&lan), lan.tenures().longest_gap(begin, lan.now()).as_micros()), (0, 0));
    assert_one_holder(&lan, begin);
    assert_eq!([0, 1, 2].map(|id| lan.tenures().count(id)), [1, 0, 0]);
    lan.power_off(0);
    lan.run(SETTLED);
    assert_eq!(lan.holders(), [1]);
}

#[test]
fn keys_change_one_router_at_a_time_without_a_refusal() {
    let priorities = [200, 150, 100];
    let mut lan = lan(&priorities.map(|p| with_keys(p, &[1], 1)).each_ref().map(String::as_str));
    lan.run(SETTLED);
    let begin = lan.now();
    for (keys, active) in [(&[1, 2][..], 1), (&[1, 2], 2), (&[2], 2)] {
        for (id, priority) in priorities.into_iter().enumerate() {
            lan.reload(id, &with_keys(priority, keys, active));
            lan.run(SETTLED);
            assert_eq!(lan.holders(), [0], "{keys:?} on {id}");
        }
    }
    assert_eq!(refusals(&lan), 0);
    assert_eq!(lan.tenures().longest_gap(begin, lan.now()).as_micros(), 0);
    lan.stop(0);
    lan.run(SETTLED);
    assert_eq!((lan.holders(), refusals(&lan)), (vec![1], 0));
}

#[test]
fn a_key_that_changes_too_early_makes_two_holders_that_say_why() {
    let mut lan = settled(&[&with_keys(200, &[1], 1), &with_keys(100, &[1], 1)]);
    lan.reload(0, &with_keys(200, &[1, 2], 2));
    lan.run(SETTLED);
    assert_eq!(lan.holders(), [0, 1]);
    assert_eq!(reasons(&lan, 1), ["hmac_unknown_key_errors"]);
    lan.reload(1, &with_keys(100, &[1, 2], 2));
    lan.run(SETTLED);
    assert_eq!(lan.holders(), [0]);
}

#[test]
fn clocks_within_the_window_make_one_holder_and_beyond_half_of_it_a_warning() {
    for skew in [-5, -2, 0, 2, 5] {
        let mut lan = settled(&[&stage(200, "enforce"), &stage(100, "enforce")]);
        lan.step_clock(0, skew);
        lan.run(60 * SECOND);
        assert_eq!((lan.holders(), refusals(&lan)), (vec![0], 0), "{skew} s");
        let warned = lan.counter(1, "hmac_clock_skew");
        assert_eq!(warned > 50, skew.abs() > 2, "{skew} s: {warned}");
        lan.stop(0);
        lan.run(SETTLED);
        assert_eq!(lan.holders(), [1], "{skew} s");
    }
}

#[test]
fn clocks_beyond_the_window_make_two_holders_that_say_why_until_they_are_set() {
    for skew in [-3600, -6, 6, 3600] {
        let mut lan = settled(&[&stage(200, "enforce"), &stage(100, "enforce")]);
        lan.step_clock(0, skew);
        lan.run(60 * SECOND);
        assert_eq!(lan.holders(), [0, 1], "{skew} s");
        for id in [0, 1] {
            assert_eq!(reasons(&lan, id), ["hmac_stale_errors"], "{skew} s");
        }
        lan.step_clock(0, -skew);
        let set = lan.now();
        lan.run(SETTLED);
        assert_eq!(lan.holders(), [0], "{skew} s");
        assert_one_holder(&lan, set + SECOND);
    }
}

#[test]
fn by_order_alone_no_clock_counts() {
    let keys =
        |priority| stage(priority, "enforce").replace("'hmac',", "'hmac', replay_protection = 'monotonic',");
    let mut lan = settled(&[&keys(200), &keys(100)]);
    for skew in [-3600, 7200, -1800] {
        lan.step_clock(0, skew);
        lan.run(60 * SECOND);
        assert_eq!((lan.holders(), refusals(&lan)), (vec![0], 0), "{skew} s");
    }
    lan.stop(0);
    lan.run(SETTLED);
    assert_eq!(lan.holders(), [1]);
}
