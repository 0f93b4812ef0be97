//! Routes and rules that go with the addresses: there while the router is Active, whatever others do to them; and
//! nobody else's is ever touched.

use vipkit_control::vrrp::State;
use vipkit_tests::lab::host::Host;
use vipkit_tests::lab::vrrpd::{Privilege, Vrrpd};

use crate::fixture::{INTERVAL, Pair, SOON, VIP, VIP_V6, config, config_v6, takeover};

as_root_and_with_two_capabilities!(held_while_active);
with_two_capabilities!(drift_is_repaired, left_over, reloaded);

/// Of either family.
const ROUTES: &str = "routes = [
    { to = '10.20.0.0/16', via = '192.168.4.5', table = 100, metric = 50, source = '192.168.4.80' },
    { to = '10.21.0.0/16', scope = 'link', interface = 'eth0' },
    { to = 'default', via = '192.168.4.5', table = 100 },
]
rules = [
    { from = '192.168.4.80/32', table = 100, priority = 1000 },
    { to = '10.22.0.0/16', fwmark = '0x7/0xff', table = 100, priority = 1001 },
]";
const ROUTES_V6: &str = "routes = [
    { to = '2001:db8:20::/48', via = '2001:db8:4::5', table = 100, metric = 77, source = '2001:db8:4::80' },
    { to = 'default', via = '2001:db8:4::5', table = 100 },
]
rules = [
    { from = '2001:db8:4::80/128', table = 100, priority = 1000 },
    { fwmark = 9, family = 'ipv6', table = 100, priority = 1001 },
]";
/// As ip(8) shows them, tables and families after each other.
const SHOWN: [&str; 9] = [
    "default via 192.168.4.5 dev eth0 table 100",
    "10.20.0.0/16 via 192.168.4.5 dev eth0 table 100 src 192.168.4.80 metric 50",
    "10.21.0.0/16 dev eth0 scope link",
    "2001:db8:20::/48 via 2001:db8:4::5 dev eth0 table 100 src 2001:db8:4::80 metric 77 pref medium",
    "default via 2001:db8:4::5 dev eth0 table 100 metric 1024 pref medium",
    "1000: from 192.168.4.80 lookup 100",
    "1001: from all to 10.22.0.0/16 fwmark 0x7/0xff lookup 100",
    "1000: from 2001:db8:4::80 lookup 100",
    "1001: from all fwmark 0x9 lookup 100",
];

/// Somebody else's routes.
const THEIRS: [&str; 3] = [
    "10.20.0.0/16 via 192.168.4.5 dev eth0",
    "10.20.0.0/16 via 192.168.4.200 dev eth0 table 100 metric 51",
    "2001:db8:20::/48 via 2001:db8:4::c8 dev eth0 table 100 metric 78",
];

fn both(priority: u8) -> String {
    format!("{}{}", config(priority, ROUTES), config_v6(priority, ROUTES_V6))
}

/// The routes and rules of vrrpd on a host: those that have VRRP's number as their protocol.
fn ours(host: &Host) -> Vec<String> {
    let rules = shown(host, &["-4", "rule", "show"]).chain(shown(host, &["-6", "rule", "show"]));
    shown(host, &["-4", "route", "show", "table", "all", "proto", "112"])
        .chain(shown(host, &["-6", "route", "show", "table", "all", "proto", "112"]))
        .chain(rules.filter_map(|rule| rule.strip_suffix(" proto 112").map(str::to_owned)))
        .collect()
}

fn shown(host: &Host, arguments: &[&str]) -> impl Iterator<Item = String> + use<> {
    let printed = host.run(&[&["ip"], arguments].concat()).stdout;
    let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    printed.lines().map(line).collect::<Vec<_>>().into_iter()
}

fn wait_for_all(pair: &Pair, host: &Host) {
    pair.lab.wait(&format!("{} has all of them", host.name()), SOON, || ours(host).len() == SHOWN.len());
    assert_eq!(ours(host), SHOWN);
}

fn held_while_active(privilege: Privilege) {
    let pair = Pair::with_ipv6();
    // Others have some much like ours.
    for other in THEIRS {
        pair.web1.ip(&format!("route add {other}"));
    }
    pair.web1.ip("rule add from 192.168.4.80 table 200 priority 1000");
    let theirs = |host: &Host| {
        let all = shown(host, &["-4", "route", "show", "table", "all"])
            .chain(shown(host, &["-6", "route", "show", "table", "all"]))
            .chain(shown(host, &["-4", "rule", "show"]));
        all.filter(|line| {
            THEIRS.contains(&line.trim_end_matches(" pref medium")) || line.contains("lookup 200")
        })
        .count()
    };
    assert_eq!(theirs(&pair.web1), 4);
    let mut web1 = Vrrpd::started(&pair.web1, privilege, &both(150));
    let web2 = Vrrpd::started(&pair.web2, privilege, &both(100));
    pair.wait_for_holder(&pair.web1, takeover(150));
    wait_for_all(&pair, &pair.web1);
    assert!(ours(&pair.web2).is_empty(), "{:?}", ours(&pair.web2));
    let chosen = pair.web1.ip("route get 10.20.0.1 from 192.168.4.80");
    assert!(chosen.contains("table 100"), "{chosen}");
    for instance in web1.instances().unwrap() {
        assert!(instance.routes.iter().chain(&instance.rules).all(|held| held.present), "{instance:?}");
    }
    for instance in web2.instances().unwrap() {
        assert!(instance.routes.iter().chain(&instance.rules).all(|held| !held.present), "{instance:?}");
    }

    pair.web1.cut();
    pair.lab.wait("web1 gives them away", SOON, || ours(&pair.web1).is_empty());
    pair.wait_for_holder(&pair.web2, takeover(100));
    wait_for_all(&pair, &pair.web2);
    pair.web1.mend();
    pair.wait_for_holder(&pair.web1, takeover(150));
    wait_for_all(&pair, &pair.web1);
    pair.lab.wait("web2 gives them away", SOON, || ours(&pair.web2).is_empty());

    web1.terminate();
    assert!(ours(&pair.web1).is_empty(), "{:?}", ours(&pair.web1));
    assert_eq!(theirs(&pair.web1), 4);
}

fn drift_is_repaired(privilege: Privilege) {
    let pair = Pair::with_ipv6();
    let vrrpd = Vrrpd::started(&pair.web1, privilege, &both(150));
    pair.wait_for_holder(&pair.web1, takeover(150));
    wait_for_all(&pair, &pair.web1);
    for drift in [
        "route delete 10.20.0.0/16 table 100",
        "-6 route flush table 100",
        "rule delete priority 1000",
        "-6 rule delete priority 1001",
        "route flush table 100",
        &format!("address delete {VIP}/24 dev eth0"),
        &format!("address delete {VIP_V6}/64 dev eth0"),
    ] {
        pair.web1.ip(drift);
        pair.lab.wait(&format!("all are there after `ip {drift}`"), SOON, || ours(&pair.web1) == SHOWN);
    }
    assert_eq!(vrrpd.counter("became_active"), 1);
}

fn left_over(privilege: Privilege) {
    let pair = Pair::with_ipv6();
    let mut vrrpd = Vrrpd::started(&pair.web1, privilege, &both(150));
    pair.wait_for_holder(&pair.web1, takeover(150));
    wait_for_all(&pair, &pair.web1);
    vrrpd.kill();
    vrrpd.start();
    pair.lab.stays("a restart loses none", INTERVAL, || ours(&pair.web1) == SHOWN);
    assert_eq!(vrrpd.state(), Some(State::Active));

    vrrpd.kill();
    assert_eq!(ours(&pair.web1), SHOWN, "nobody can have removed them");
    // Whose last advert is too old starts as Backup.
    pair.lab.stays("they are left over", INTERVAL * 2, || ours(&pair.web1) == SHOWN);
    vrrpd.start();
    assert_eq!((vrrpd.state(), ours(&pair.web1)), (Some(State::Backup), vec![]));
    pair.wait_for_holder(&pair.web1, takeover(150));
    wait_for_all(&pair, &pair.web1);

    vrrpd.kill();
    vrrpd.configure("[vrrp.web]\nnonsense = 1");
    vrrpd.launch();
    assert_eq!(vrrpd.wait(), 1);
    assert_eq!(ours(&pair.web1), Vec::<String>::new());
}

fn reloaded(privilege: Privilege) {
    let pair = Pair::with_ipv6();
    let mut vrrpd = Vrrpd::started(&pair.web1, privilege, &both(150));
    pair.wait_for_holder(&pair.web1, takeover(150));
    wait_for_all(&pair, &pair.web1);
    let less = both(150).replace("    { to = '10.21.0.0/16', scope = 'link', interface = 'eth0' },\n", "");
    let other = less.replace("metric = 50", "metric = 60").replace("priority = 1001", "priority = 1002");
    vrrpd.configure(&other);
    vrrpd.reload().unwrap();
    let mut expected: Vec<String> = SHOWN.iter().map(|line| (*line).to_owned()).collect();
    expected.remove(2);
    for line in &mut expected {
        *line = line.replace("metric 50", "metric 60").replace("1001:", "1002:");
    }
    pair.lab.wait("they are others", SOON, || ours(&pair.web1) == expected);

    vrrpd.configure(&format!("{}{}", config(150, ""), config_v6(150, "")));
    vrrpd.reload().unwrap();
    pair.lab.wait("there are none", SOON, || ours(&pair.web1).is_empty());
    vrrpd.configure(&both(150));
    vrrpd.reload().unwrap();
    wait_for_all(&pair, &pair.web1);
    assert_eq!(vrrpd.counter("became_active"), 1);
    vrrpd.configure("[node]\nname = 'idle'");
    vrrpd.reload().unwrap();
    pair.lab.wait("all are gone", SOON, || ours(&pair.web1).is_empty());
    vrrpd.terminate();
}
