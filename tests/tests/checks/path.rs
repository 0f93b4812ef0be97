//! Which way checks go: from which source, through which interface, with which mark, and in which namespace.

use std::time::Duration;

use vipkit_tests::lab::daemon::HEALTHCHECKD;
use vipkit_tests::lab::healthcheckd::{Healthcheckd, MAY_MARK};
use vipkit_tests::lab::host::Host;
use vipkit_tests::lab::nginx;

use crate::fixture::{Network, hindered, up};

const SOON: Duration = Duration::from_secs(10);

/// Asks the server who it is and by whom it is asked.
fn expects(text: &str, keys: &str) -> String {
    format!("type = 'http'\npath = '/echo'\nbody_contains = '{text}'\n{keys}")
}

/// An HTTP check of one target that expects these words.
fn check(name: &str, target: &str, text: &str, keys: &str) -> String {
    let keys = expects(text, keys);
    format!("[check.{name}]\ntarget = '{target}'\ninterval = '500ms'\ntimeout = '1s'\nretries = 0\n{keys}\n")
}

/// Waits until a check is up.
fn wait_for(network: &Network, healthcheckd: &Healthcheckd, name: &str) {
    network.lab.wait(&format!("{name} is up"), SOON, || healthcheckd.check(name).reason == "200 OK");
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn the_source_is_what_the_server_sees() {
    let network = Network::new();
    let _nginx = nginx::server(&network.server, &network.authority.issue("web", 90));
    network.director.ip("address add 192.168.4.77/24 dev eth0");
    network.director.ip("address add 2001:db8:4::77/64 dev eth0 nodad");
    let from = |source: &str| expects(&format!(" {source} server"), &format!("source = '{source}'"));
    let [(_, v4), (_, v6)] = network.targets(80);
    let config: String = [("v4", v4, "192.168.4.77"), ("v6", v6, "2001:db8:4::77")]
        .map(|(family, target, source)| {
            format!(
                "[check.source-{family}]\ntarget = '{target}'\ninterval = '500ms'\nretries = 0\n{}\n",
                from(source)
            )
        })
        .concat();
    let healthcheckd = Healthcheckd::started(&network.director, &config);
    network.wait_for(&healthcheckd, &[up("source", 80, "", "200 OK")]);
    // It goes, and comes back.
    network.director.ip("address delete 192.168.4.77/24 dev eth0");
    let gone = "192.168.4.77 is no address of this host: add it, or change `source`";
    network
        .lab
        .wait("the source is missed", SOON, || healthcheckd.check("source-v4").reason.starts_with(gone));
    assert!(healthcheckd.check("source-v4").judged.is_some(), "what was judged stays");
    network.director.ip("address add 192.168.4.77/24 dev eth0");
    network.wait_for(&healthcheckd, &[up("source", 80, "", "200 OK")]);
}

/// A host that has the server's addresses, at the other end of `eth1` of the director.
fn another_server(network: &Network) -> Host {
    let other = network.lab.host_without_interface("other", 100);
    let (director, name) = (&network.director, other.namespace().name());
    director.ip(&format!("link add eth1 type veth peer name eth0 netns {name}"));
    director.ip("link set eth1 addrgenmode none up");
    director.ip("address add 192.168.4.6/24 dev eth1 noprefixroute");
    director.ip("address add 2001:db8:4::6/64 dev eth1 nodad noprefixroute");
    for (prefix, source) in [("192.168.4.0/24", "192.168.4.6"), ("2001:db8:4::/64", "2001:db8:4::6")] {
        director.ip(&format!("route add {prefix} dev eth1 src {source} metric 4000"));
        director.ip(&format!("route add {prefix} dev eth1 src {source} table 7"));
    }
    other.ip("link set eth0 up");
    other.ip(&format!("address add {}/24 dev eth0", other.address()));
    other.add_ipv6();
    other
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn interfaces_and_marks_lead_to_another_server() {
    let network = Network::new();
    let other = another_server(&network);
    let identity = network.authority.issue("web", 90);
    let _nginx = [nginx::server(&network.server, &identity), nginx::server(&other, &identity)];
    for family in ["-4", "-6"] {
        network.director.ip(&format!("{family} rule add fwmark 0x17 table 7"));
    }
    let cases = [
        up("default", 80, expects(" server", ""), "200 OK"),
        up("same", 80, expects(" server", "interface = 'eth0'"), "200 OK"),
        up("interface", 80, expects(" other", "interface = 'eth1'"), "200 OK"),
        up("mark", 80, expects(" other", "mark = 0x17"), "200 OK"),
        up("other-mark", 80, expects(" server", "mark = 0x18"), "200 OK"),
        hindered(
            "nowhere",
            80,
            expects(" server", "interface = 'eth9'"),
            "no interface eth9: bring it up, or change `interface`",
        ),
    ];
    let mut healthcheckd = Healthcheckd::new(MAY_MARK, &network.director, &network.config(&cases));
    healthcheckd.start();
    network.wait_for(&healthcheckd, &cases);
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn a_mark_takes_a_capability_and_is_refused_when_loaded() {
    let network = Network::new();
    let marked = check("uplink", "192.168.4.100:80", "x", "mark = 7");
    let mut healthcheckd = Healthcheckd::new(HEALTHCHECKD, &network.director, &marked);
    healthcheckd.launch();
    assert_ne!(healthcheckd.wait(), 0);
    let says = |text: &str| {
        for words in ["\"uplink\" has a \"mark\"", "CAP_NET_RAW", "healthcheckd-mark.conf"] {
            assert!(text.contains(words), "{words:?} is not in {text}");
        }
    };
    says(&healthcheckd.log());

    healthcheckd.configure(&check("uplink", "192.168.4.100:80", "x", ""));
    healthcheckd.start();
    healthcheckd.configure(&marked);
    let reloaded = healthcheckd.vipctl(&["reload"]);
    assert_ne!(reloaded.code, 0, "{reloaded:?}");
    says(&format!("{}{}", reloaded.stdout, reloaded.stderr));
    assert!(healthcheckd.is_running(), "it goes on with what it had");
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn another_namespace_is_checked_by_another_instance() {
    let network = Network::new();
    let _nginx = nginx::server(&network.server, &network.authority.issue("web", 90));
    let local = check("local", "127.0.0.1:80", " server", "");
    let [here, there] = [&network.director, &network.server].map(|host| Healthcheckd::started(host, &local));
    wait_for(&network, &there, "local");
    network.lab.wait("here is another loopback", SOON, || here.check("local").reason == "refused");
}
