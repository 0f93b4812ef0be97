//! Routers that know each other by address.

use vipkit_core::vrrp::Reject;
use vipkit_tests::lan::Lan;

use super::{SECOND, SETTLED, assert_the_next_takes_over_and_the_highest_comes_back, link_local};

/// Keys of the host 10.0.1.`own`, with all others of these hosts as its peers.
pub fn among(lasts: &[u8], own: u8, keys: &str) -> String {
    let peers = lasts.iter().filter(|last| **last != own).map(|last| format!("'10.0.1.{last}'"));
    format!("unicast_peers = [{}]\n{keys}", peers.collect::<Vec<_>>().join(", "))
}

/// Hosts 10.0.1.11 and so on, each a peer of all others.
fn group(keys: &[&str]) -> Lan {
    let lasts: Vec<u8> = (11..11 + u8::try_from(keys.len()).unwrap()).collect();
    let mut lan = Lan::new(1);
    for (last, keys) in lasts.iter().zip(keys) {
        lan.add(*last, &among(&lasts, *last, keys));
    }
    lan.run(SETTLED);
    lan
}

#[test]
fn a_group_has_one_active_that_changes_as_over_multicast() {
    for common in ["", "version = 2", "checksum = 'rfc9568'", super::hmac::ENFORCED] {
        let keys = [200, 150, 100].map(|priority| format!("priority = {priority}\n{common}"));
        let mut lan = group(&keys.each_ref().map(String::as_str));
        assert_the_next_takes_over_and_the_highest_comes_back(&mut lan, common);
        assert!((0..3).all(|id| Reject::NAMES.iter().all(|name| lan.counter(id, name) == 0)), "{common}");
    }
}

#[test]
fn over_ipv6_a_pair_has_one_active() {
    let mut lan = Lan::new(1);
    for (own, other, priority) in [(0x11, 0x12, 200), (0x12, 0x11, 100)] {
        let keys = format!("priority = {priority}\nunicast_peers = ['{}']", link_local(other));
        lan.add_at(link_local(own), &keys);
    }
    lan.run(SETTLED);
    assert_eq!(lan.holders(), [0]);
    lan.stop(0);
    lan.run(SETTLED);
    assert_eq!(lan.holders(), [1]);
    assert!(Reject::NAMES.iter().all(|name| lan.counter(1, name) == 0));
}

#[test]
fn who_is_no_peer_is_not_believed_whatever_its_priority() {
    let mut lan = group(&["priority = 100", "priority = 50"]);
    let stranger = lan.add(99, "priority = 255\nunicast_peers = ['10.0.1.11', '10.0.1.12']");
    lan.run(60 * SECOND);
    assert_eq!(lan.holders(), [0, stranger], "the stranger is alone with its belief");
    assert!([0, 1].iter().all(|id| lan.counter(*id, "peer_errors") >= 60));
    assert_eq!(lan.tenures().count(1), 0);
    let name =
        |(sender, refusal): (&std::net::IpAddr, &vrrpd::refused::Refusal)| (*sender, refusal.reject.name());
    let refused: Vec<_> = lan.host(1).router().refused().within(SECOND * 2, lan.now()).map(name).collect();
    assert_eq!(refused, [([10, 0, 1, 99].into(), "peer_errors")], "and each says why");
}

#[test]
fn a_router_of_the_group_by_multicast_and_one_by_unicast_do_not_hear_each_other() {
    let mut lan = Lan::new(1);
    lan.add(11, "priority = 200");
    lan.add(12, "unicast_peers = ['10.0.1.11']");
    lan.run(60 * SECOND);
    assert_eq!(lan.holders(), [0, 1]);
    assert!(lan.counter(0, "destination_errors") > 50 && lan.counter(1, "destination_errors") > 50);
}
