//! An attacker on the network who records adverts and sends them again, bit for bit.

use std::time::Duration;

use vipkit_tests::conformance::arrival::Arrival;
use vipkit_tests::lan::Lan;

use super::hmac::ENFORCED;
use super::unicast::among;
use super::{SECOND, SETTLED, down_interval, link_local, settled};

const MONOTONIC: &str = "authentication = { type = 'hmac', replay_protection = 'monotonic', \
                         keys = [{ id = 1, credential = 'vrrp-1' }] }";

/// Lets time pass, in which everything that was sent in the last second comes again ten times a second, and returns it.
fn run_with_replays(lan: &mut Lan, tenths: u32) -> Vec<Arrival> {
    let (mut recent, mut all) = (Vec::new(), Vec::new());
    for tenth in 0..tenths {
        lan.run(Duration::from_millis(100));
        let heard = lan.take_heard();
        all.extend(heard.clone());
        if tenth % 10 == 0 {
            recent.clear();
        }
        recent.extend(heard);
        for packet in &recent {
            lan.inject(packet);
        }
    }
    all
}

/// Pairs of routers of priority 200 and 100.
fn pairs() -> Vec<Lan> {
    let keys = |authentication| [200, 100].map(|priority| format!("priority = {priority}\n{authentication}"));
    let mut lans: Vec<_> = [ENFORCED, MONOTONIC]
        .map(|authentication| settled(&keys(authentication).each_ref().map(String::as_str)))
        .into();
    let mut over_ipv6 = Lan::new(1);
    let mut by_unicast = Lan::new(1);
    for (last, keys) in [11, 12].into_iter().zip(keys(ENFORCED)) {
        over_ipv6.add_at(link_local(last.into()), &keys);
        by_unicast.add(last, &among(&[11, 12], last, &keys));
    }
    lans.extend([over_ipv6, by_unicast]);
    lans.iter_mut().for_each(|lan| lan.run(SETTLED));
    lans
}

#[test]
fn adverts_sent_again_change_nothing() {
    for mut lan in pairs() {
        let sent = lan.counter(0, "advertisements_sent");
        run_with_replays(&mut lan, 600);
        assert_eq!(lan.holders(), [0]);
        assert_eq!(lan.counter(0, "advertisements_sent") - sent, 60, "one a second, as before");
        assert_eq!(lan.tenures().count(1), 0);
        assert!(lan.counter(1, "hmac_replay_errors") > 100, "{}", lan.counter(1, "hmac_replay_errors"));
    }
}

#[test]
fn adverts_of_a_dead_router_keep_nobody_from_taking_over() {
    for mut lan in pairs() {
        let recorded = run_with_replays(&mut lan, 30);
        let died = lan.now();
        lan.power_off(0);
        for _ in 0..100 {
            recorded.iter().for_each(|packet| lan.inject(packet));
            lan.run(Duration::from_millis(100));
        }
        assert_eq!(lan.holders(), [1]);
        assert!(lan.tenures().longest_gap(died, lan.now()) <= down_interval(&lan, 1));
    }
}

/// What the attack does to routers that do not defend themselves: else the tests beside this one would show nothing.
#[test]
fn without_an_hmac_the_adverts_of_a_dead_router_do() {
    let mut lan = settled(&["priority = 200", "priority = 100"]);
    let recorded = run_with_replays(&mut lan, 30);
    lan.power_off(0);
    for _ in 0..100 {
        recorded.iter().for_each(|packet| lan.inject(packet));
        lan.run(Duration::from_millis(100));
    }
    assert!(lan.holders().is_empty());
}

/// A farewell sent again would make a Backup take over between two adverts.
#[test]
fn a_farewell_sent_again_is_believed_once() {
    for mut lan in pairs() {
        lan.take_heard();
        lan.stop(0);
        let farewell = lan.take_heard();
        lan.power_on(0);
        lan.run(down_interval(&lan, 0) + SECOND / 4);
        assert_eq!(lan.holders(), [0]);
        let (back, takeovers) = (lan.now(), lan.tenures().count(1));
        for _ in 0..20 {
            farewell.iter().for_each(|packet| lan.inject(packet));
            lan.run(SECOND);
        }
        assert_eq!((lan.holders(), lan.tenures().count(1)), (vec![0], takeovers));
        assert_eq!(lan.tenures().longest_gap(back, lan.now()), Duration::ZERO);
    }
}

/// The victim restarts again and again, and remembers; the one whose adverts are sent again is dead.
#[test]
fn a_restart_does_not_forget_what_was_heard() {
    for mut lan in pairs() {
        let recorded = run_with_replays(&mut lan, 30);
        lan.power_off(0);
        let heard = lan.counter(1, "advertisements_received");
        assert!(heard > 0 && !recorded.is_empty());
        for _ in 0..3 {
            lan.restart(1);
            recorded.iter().for_each(|packet| lan.inject(packet));
            lan.run(SECOND);
        }
        assert_eq!(lan.counter(1, "advertisements_received"), 0, "since the restart");
        lan.run(SETTLED);
        assert_eq!(lan.holders(), [1]);
    }
}
