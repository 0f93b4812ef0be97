//! What can happen to the interface under a virtual router: it is a fault while it lasts, and no longer.

use std::time::Duration;

use vipkit_control::vrrp::State;
use vipkit_tests::lab::Lab;
use vipkit_tests::lab::vrrpd::{Privilege, Vrrpd};

use crate::fixture::{Pair, SLACK, SOON, VIP, config, takeover};

as_root_and_with_two_capabilities!(
    missing_at_first,
    without_an_address_for_a_while,
    deleted_and_made_again,
    a_tenth_of_a_second
);

fn wait_for_fault(lab: &Lab, vrrpd: &Vrrpd, what: &str) {
    let is_so = || {
        let instance = vrrpd.instance();
        instance.state == State::Fault && instance.faults.iter().any(|fault| fault.what == what)
    };
    lab.wait(&format!("a fault: {what}"), SOON, is_so);
    assert!(!vrrpd.host().has(VIP));
}

fn wait_for_vip(lab: &Lab, vrrpd: &Vrrpd) {
    lab.wait("it holds", takeover(100), || vrrpd.host().has(VIP));
    lab.wait("all is well", SOON, || vrrpd.vipctl(&["status"]).code == 0);
}

fn missing_at_first(privilege: Privilege) {
    let lab = Lab::new();
    let host = lab.host_without_interface("late", 100);
    let vrrpd = Vrrpd::started(&host, privilege, &config(100, ""));
    wait_for_fault(&lab, &vrrpd, "interface eth0 does not exist");
    host.attach();
    wait_for_vip(&lab, &vrrpd);
}

fn without_an_address_for_a_while(privilege: Privilege) {
    let lab = Lab::new();
    let host = lab.host("bare", 100);
    let vrrpd = Vrrpd::started(&host, privilege, &config(100, ""));
    wait_for_vip(&lab, &vrrpd);
    host.ip("address delete 192.168.4.100/24 dev eth0");
    wait_for_fault(&lab, &vrrpd, "interface eth0 has no IPv4 address of its own to send from");
    host.ip("address add 192.168.4.101/24 dev eth0");
    wait_for_vip(&lab, &vrrpd);
    assert_eq!(vrrpd.instance().source.as_deref(), Some("192.168.4.101"));
}

fn deleted_and_made_again(privilege: Privilege) {
    let pair = Pair::new();
    let mut web1 = Vrrpd::started(&pair.web1, privilege, &config(100, ""));
    let web2 = Vrrpd::started(&pair.web2, privilege, &config(50, ""));
    pair.wait_for_holder(&pair.web1, takeover(100));
    pair.web1.detach();
    wait_for_fault(&pair.lab, &web1, "interface eth0 does not exist");
    pair.wait_for_state(&web2, State::Active, takeover(50));
    pair.web1.attach();
    pair.wait_for_answer(&pair.web1, takeover(100) + SOON);
    pair.wait_for_holder(&pair.web1, SOON);
    assert_eq!(web1.instance().peers[0].address, "192.168.4.200", "it hears on the new interface");
    web1.terminate();
    pair.wait_for_holder(&pair.web2, SOON);
}

fn a_tenth_of_a_second(privilege: Privilege) {
    let pair = Pair::new();
    let keys = "advertisement_interval = '100ms'";
    let mut web1 = Vrrpd::started(&pair.web1, privilege, &config(100, keys));
    let web2 = Vrrpd::started(&pair.web2, privilege, &config(50, keys));
    let limit = Duration::from_millis(400) + SLACK;
    pair.wait_for_holder(&pair.web1, limit);
    pair.lab.wait("web2 has heard web1", SOON, || !web2.instance().peers.is_empty());
    web1.kill();
    pair.wait_for_state(&web2, State::Active, limit);
    pair.wait_for_answer(&pair.web2, SOON);
    web1.start();
    pair.wait_for_holder(&pair.web1, limit);
}
