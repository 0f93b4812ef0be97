//! Routers over IPv6, of both families side by side, and with more addresses than an advert has room for.

use std::time::Duration;

use vipkit_core::vrrp::ADDRESSES_MAX;
use vipkit_tests::lan::Lan;
use vipkit_tests::lan::link::DELAY;
use vrrpd::fsm::State;

use super::{
    SECOND, SETTLED, assert_one_holder, assert_the_next_takes_over_and_the_highest_comes_back, down_interval,
    lan_v6, link_local, settled,
};

fn settled_v6(keys: &[&str]) -> Lan {
    let mut lan = lan_v6(keys);
    lan.run(SETTLED);
    lan
}

#[test]
fn over_ipv6_the_next_highest_takes_over_in_time_and_the_highest_comes_back() {
    for common in ["", "advertisement_interval = '100ms'", "strict = true"] {
        let keys = [200, 150, 100].map(|priority| format!("priority = {priority}\n{common}"));
        let mut lan = settled_v6(&keys.each_ref().map(String::as_str));
        assert_the_next_takes_over_and_the_highest_comes_back(&mut lan, common);
        let (stopped, skew) = (lan.now(), lan.host(1).router().fsm().skew_time());
        lan.stop(0);
        lan.run(skew + DELAY);
        assert_eq!(lan.holders(), [1], "{common}");
        assert!(lan.tenures().longest_gap(stopped, lan.now()) <= skew + DELAY, "{common}");
    }
}

#[test]
fn over_ipv6_equal_priorities_are_resolved_by_address() {
    let mut lan = settled_v6(&["", "", ""]);
    assert_eq!(lan.holders(), [2]);
    assert_one_holder(&lan, vipkit_core::units::Mono(0));
    lan.run(60 * SECOND);
    assert_eq!(lan.holders(), [2]);
}

#[test]
fn both_families_with_one_vrid_do_not_mix() {
    let mut lan = settled(&["priority = 200", "priority = 100"]);
    for (last, priority) in [(0x11, 100), (0x12, 200)] {
        lan.add_at(link_local(last), &format!("priority = {priority}"));
    }
    lan.run(SETTLED);
    assert_eq!(lan.holders(), [0, 3]);
    lan.power_off(0);
    lan.run(SETTLED);
    assert_eq!(lan.holders(), [1, 3], "IPv4 alone changed hands");
    lan.stop(3);
    lan.run(SETTLED);
    assert_eq!(lan.holders(), [1, 2], "IPv6 alone changed hands");
    assert_eq!([0, 1, 2, 3].map(|id| lan.tenures().count(id)), [1, 1, 1, 1]);
}

#[test]
fn thousands_of_addresses_are_held_and_the_first_of_them_advertised() {
    let list: Vec<_> = (0..4000).map(|n| format!("'10.9.{}.{}/32'", n / 200, n % 200 + 1)).collect();
    let addresses = format!("addresses = [{}]", list.join(", "));
    let keys = [200, 100].map(|priority| format!("priority = {priority}\n{addresses}"));
    let mut lan = settled(&keys.each_ref().map(String::as_str));
    assert_eq!((lan.holders(), lan.host(0).held().len()), (vec![0], 4000));
    assert_eq!(lan.host(0).router().advertised().len(), ADDRESSES_MAX);
    assert_eq!(lan.counter(1, "other_addresses"), 0);
    lan.power_off(0);
    lan.run(SETTLED);
    assert_eq!((lan.holders(), lan.host(1).held().len()), (vec![1], 4000));
    lan.power_on(0);
    lan.run(down_interval(&lan, 0) + DELAY);
    assert_eq!((lan.host(1).state(), lan.host(1).held().len()), (State::Backup, 0));
    lan.run(Duration::from_secs(10));
    assert_eq!(lan.holders(), [0]);
}
