//! What goes wrong at night: interfaces renamed, flushed and busy, addresses of others in the way, rights taken away,
//! a start that fails. No address of ours stays where it must not be, none of others' is touched.

use std::time::Instant;

use vipkit_control::vrrp::State;
use vipkit_tests::lab::address_watch::AddressWatch;
use vipkit_tests::lab::sniffer::Sniffer;
use vipkit_tests::lab::vrrpd::{Privilege, Vrrpd};

use crate::fixture::{Pair, SOON, VIP, config, instance, takeover};

as_root_and_with_two_capabilities!(
    renamed_interface,
    renamed_before_the_start,
    flushed_and_taken,
    removed_while_another_interface_is_busy,
    the_last_instance_goes,
    another_mac,
    without_a_capability,
    a_start_that_fails
);

fn alone(privilege: Privilege) -> (Pair, Vrrpd) {
    let pair = Pair::new();
    let vrrpd = Vrrpd::started(&pair.web1, privilege, &config(100, ""));
    pair.wait_for_holder(&pair.web1, takeover(100));
    (pair, vrrpd)
}

fn promotes(pair: &Pair, interface: &str) -> String {
    let path = format!("/proc/sys/net/ipv4/conf/{interface}/promote_secondaries");
    pair.web1.run(&["cat", &path]).stdout.trim().to_owned()
}

fn renamed_interface(privilege: Privilege) {
    let (pair, mut vrrpd) = alone(privilege);
    pair.web1.ip("link set eth0 name lan0");
    pair.wait_for_state(&vrrpd, State::Fault, SOON);
    pair.lab.wait("the address goes", SOON, || !pair.web1.has(VIP));
    pair.lab.wait("promote_secondaries is as before", SOON, || promotes(&pair, "lan0") == "0");
    pair.web1.ip("link set lan0 name eth0");
    pair.wait_for_holder(&pair.web1, takeover(100));
    vrrpd.terminate();
    assert!(!pair.web1.has(VIP));
}

fn renamed_before_the_start(privilege: Privilege) {
    let (pair, mut vrrpd) = alone(privilege);
    vrrpd.kill();
    pair.web1.ip("link set eth0 name lan0");
    assert!(pair.web1.has(VIP));
    vrrpd.start();
    pair.lab.wait("the address goes", SOON, || !pair.web1.has(VIP));
    assert_eq!(vrrpd.state(), Some(State::Fault));
}

/// What was ours before somebody flushed it is not ours when somebody else adds it.
fn flushed_and_taken(privilege: Privilege) {
    let (pair, mut vrrpd) = alone(privilege);
    pair.web1.ip("address flush dev eth0");
    pair.wait_for_state(&vrrpd, State::Fault, SOON);
    pair.lab.wait("vrrpd has seen it go", SOON, || !vrrpd.instance().addresses[0].present);
    pair.web1.ip(&format!("address add {VIP}/24 dev eth0"));
    pair.web1.ip("address add 192.168.4.100/24 dev eth0");
    let watch = AddressWatch::on(&pair.web1);
    pair.lab.stays("it is a fault", takeover(100), || vrrpd.state() == Some(State::Fault));
    vrrpd.terminate();
    assert_eq!(watch.changes_of(VIP), 0, "nobody touched it");
}

/// What the kernel reports while addresses are being added is not lost.
fn removed_while_another_interface_is_busy(privilege: Privilege) {
    let pair = Pair::new();
    pair.web1.ip("link add e1 type veth peer name x1");
    pair.web1.ip("link set x1 up");
    pair.web1.ip("link set e1 up");
    pair.web1.ip("address add 10.8.0.1/24 dev e1");
    let beside = "[vrrp.beside]\ninterface = 'e1'\nvirtual_router_id = 9\naddresses = ['10.8.0.80/24']\n";
    let vrrpd = Vrrpd::started(&pair.web1, privilege, beside);
    pair.lab.wait("it holds", takeover(100), || pair.web1.has("10.8.0.80"));

    let many = |vrid: u8| {
        let nets: Vec<String> = (1..=250).map(|n| format!("10.{vrid}.0.{n}/24")).collect();
        let nets: Vec<&str> = nets.iter().map(String::as_str).collect();
        instance(&format!("many{vrid}"), vrid, &nets, "priority = 255")
    };
    vrrpd.configure(&format!("{beside}{}", (20..28).map(many).collect::<String>()));
    vrrpd.reload().unwrap();
    pair.lab.wait("many come", SOON, || pair.web1.has("10.20.0.1"));
    pair.web1.ip("address delete 10.8.0.80/24 dev e1");
    pair.lab.wait("it comes back", SOON * 2, || pair.web1.has("10.8.0.80"));
}

/// Of a pair in one subnet ours is the primary; the other's goes on when ours goes with its instance.
fn the_last_instance_goes(privilege: Privilege) {
    let pair = Pair::new();
    let vrrpd = Vrrpd::started(&pair.web1, privilege, &instance("web", 51, &["10.9.0.80/24"], ""));
    pair.lab.wait("it holds", takeover(100), || pair.web1.has("10.9.0.80"));
    pair.web1.ip("address add 10.9.0.81/24 brd + dev eth0");
    let watch = AddressWatch::on(&pair.web1);
    vrrpd.configure("[node]\nname = 'idle'");
    vrrpd.reload().unwrap();
    pair.lab.wait("ours goes", SOON, || !pair.web1.has("10.9.0.80"));
    pair.lab.wait("promote_secondaries is as before", SOON, || promotes(&pair, "eth0") == "0");
    assert!(pair.web1.has("10.9.0.81"));
    assert_eq!(watch.losses("10.9.0.81"), 0);
}

fn another_mac(privilege: Privilege) {
    let (pair, _vrrpd) = alone(privilege);
    let (sniffer, began) = (Sniffer::on(&pair.client), Instant::now());
    pair.web1.ip("link set eth0 address 02:00:00:00:00:77");
    let told = || sniffer.announcements(began).iter().any(|a| a.mac == "02:00:00:00:00:77");
    pair.lab.wait("the new station is announced", SOON, told);
}

fn without_a_capability(privilege: Privilege) {
    let pair = Pair::new();
    let mut vrrpd = Vrrpd::new(&pair.web1, privilege, &config(100, ""));
    let taken: &[&str] = match privilege {
        Privilege::Root => &["setpriv", "--bounding-set", "-net_admin"],
        Privilege::TwoCapabilities => {
            &["setpriv", "--ambient-caps", "-net_admin", "--inh-caps", "-net_admin"]
        }
    };
    let mut command = vrrpd.command(taken);
    vrrpd.launch_as(&mut command);
    assert_eq!(vrrpd.wait(), 1);
    assert!(vrrpd.log().contains("CAP_NET_ADMIN missing"), "{}", vrrpd.log());
}

/// Killed while it held the address, it cannot start again: the address must not stay for that.
fn a_start_that_fails(privilege: Privilege) {
    let (pair, mut vrrpd) = alone(privilege);
    vrrpd.kill();
    vrrpd.configure("[vrrp.web]\nnonsense = 1");
    assert!(pair.web1.has(VIP));
    vrrpd.launch();
    assert_eq!(vrrpd.wait(), 1);
    assert!(!pair.web1.has(VIP));
}
