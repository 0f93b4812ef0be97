//! The tutorial's first lab with web servers that are checked: the address follows them, and interfaces, as far as the
//! configuration says; and nothing follows from a healthcheckd that is gone, unless it says so.

use std::time::{Duration, Instant};

use vipkit_control::vrrp::State;
use vipkit_tests::lab::address_watch::AddressWatch;
use vipkit_tests::lab::figure::figure;
use vipkit_tests::lab::host::Host;
use vipkit_tests::lab::httpd::Httpd;
use vipkit_tests::lab::keepalived::Keepalived;
use vipkit_tests::lab::sniffer::Sniffer;
use vipkit_tests::lab::vrrpd::{Privilege, Vrrpd};

use crate::fixture::{INTERVAL, Node, Pair, SOON, VIP, config, skew, takeover};

as_root_and_with_two_capabilities!(weighted, fatal, healthcheckd_is_gone, vrrpd_restarts);
with_two_capabilities!(
    does_not_preempt,
    its_loss_is_a_fault,
    a_start_waits,
    a_start_goes_on,
    a_start_without_verdicts_is_a_fault,
    both_restart,
    reloaded,
    an_interface_with_a_weight,
    an_interface_it_cannot_do_without,
    keepalived_takes_over,
);

/// From 100 to 40: the other has 50.
const WEIGHTED: &str = "track = [{ check = 'web', weight = -60 }]";
const FATAL: &str = "track = [{ check = 'web' }]";
/// Quick to judge.
const CHECK: &str = "
[check.web]
type = 'http'
target = '127.0.0.1:80'
interval = '200ms'
timeout = '1s'
retries = 1
retry_delay = '50ms'
";

fn tracking(priority: u8, keys: &str) -> String {
    config(priority, keys) + CHECK
}

/// True if `vipctl vrrp` shows each of this, but for the number of spaces.
fn shows(vrrpd: &Vrrpd, wanted: &[&str]) -> bool {
    let shown = vrrpd.vipctl(&["vrrp", "web"]).stdout;
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    wanted.iter().all(|wanted| shown.contains(wanted))
}

/// Both hosts, a web server on each, and the address on the first.
struct Site {
    httpd1: Httpd,
    _httpd2: Httpd,
    node1: Node,
    node2: Node,
    pair: Pair,
}

impl Site {
    fn new(privilege: Privilege, keys1: &str, keys2: &str) -> Self {
        let site = Self::unsettled(privilege, &tracking(100, keys1), &tracking(50, keys2));
        site.settled();
        site
    }

    fn unsettled(privilege: Privilege, config1: &str, config2: &str) -> Self {
        let pair = Pair::without_web_servers();
        let (httpd1, httpd2) = (Httpd::started(&pair.web1), Httpd::started(&pair.web2));
        let node1 = Node::started(&pair.web1, privilege, config1);
        let node2 = Node::started(&pair.web2, privilege, config2);
        Self { httpd1, _httpd2: httpd2, node1, node2, pair }
    }

    fn settled(&self) {
        self.waits_for_1(SOON);
        for node in [&self.node1, &self.node2] {
            self.wait("vipctl finds all well", || node.status() == 0);
        }
    }

    /// The address comes to the first host, which has its priority back, and the client gets its page.
    fn waits_for_1(&self, more: Duration) -> Duration {
        let took = self.pair.wait_for_holder(&self.pair.web1, takeover(100) + more);
        self.pair.wait_for_answer(&self.pair.web1, SOON);
        took
    }

    /// The address comes to the second host, and the client gets its page.
    fn waits_for_2(&self, limit: Duration) -> Duration {
        let took = self.pair.wait_for_holder(&self.pair.web2, limit);
        self.pair.wait_for_answer(&self.pair.web2, SOON);
        took
    }

    fn wait(&self, what: &str, condition: impl FnMut() -> bool) {
        self.pair.lab.wait(what, SOON, condition);
    }

    /// For longer than a takeover takes, the address stays where it is.
    fn nothing_moves(&self, holder: &Host) {
        let what = format!("only {} holds", holder.name());
        let holders = || self.pair.lab.holders(VIP) == [holder.name()];
        self.pair.lab.stays(&what, takeover(50) + INTERVAL, holders);
    }
}

fn weighted(privilege: Privilege) {
    let mut site = Site::new(privilege, WEIGHTED, WEIGHTED);
    let sniffer = Sniffer::on(&site.pair.client);
    let began = Instant::now();
    site.httpd1.stop();
    let took = site.waits_for_2(takeover(50) + SOON);
    figure("web server stopped, the other host has the address (by the formula at most 3.805 s later)", took);
    let down = ["priority 100, effective 40, preempts", "check web down -60", "refused"];
    site.wait("vipctl shows why", || shows(&site.node1.vrrpd, &down));
    assert_eq!(site.node1.vrrpd.instance().state, State::Backup);
    assert_eq!(site.node1.status(), 1, "something is wrong");
    let said: Vec<u8> = sniffer.adverts_of(&site.pair.web1, began).iter().map(|a| a.priority).collect();
    assert!(said.contains(&40) && !said.contains(&0), "{said:?}");

    site.httpd1.start();
    let took = site.waits_for_1(SOON);
    figure("web server started, its host has the address (by the formula at most 3.609 s later)", took);
    assert!(shows(&site.node1.vrrpd, &["priority 100, preempts", "check web up -60 if down", "200 OK"]));
    site.settled();
}

fn fatal(privilege: Privilege) {
    let mut site = Site::new(privilege, FATAL, FATAL);
    let sniffer = Sniffer::on(&site.pair.client);
    let began = Instant::now();
    site.httpd1.stop();
    site.waits_for_2(skew(50) + SOON);
    site.wait("vipctl shows why", || {
        shows(&site.node1.vrrpd, &["web: Fault", "fault check web is down: refused", "check web down fault"])
    });
    let last_words: Vec<u8> = sniffer.adverts_of(&site.pair.web1, began).iter().map(|a| a.priority).collect();
    assert_eq!(last_words.iter().filter(|priority| **priority == 0).count(), 1, "{last_words:?}");
    assert_eq!(last_words.last(), Some(&0), "{last_words:?}");
    assert_eq!(site.node2.vrrpd.counter("priority_zero_received"), 1);

    site.httpd1.start();
    site.waits_for_1(SOON);
    site.settled();
}

fn does_not_preempt(privilege: Privilege) {
    let mut site = Site::new(privilege, &format!("{WEIGHTED}\npreempt = false"), WEIGHTED);
    site.httpd1.stop();
    site.waits_for_2(takeover(50) + SOON);
    site.httpd1.start();
    site.wait("its priority is back", || shows(&site.node1.vrrpd, &["priority 100, does not preempt"]));
    site.nothing_moves(&site.pair.web2);
    assert_eq!(site.node1.vrrpd.state(), Some(State::Backup));
}

/// What was heard last holds, up or down, until somebody says otherwise.
fn healthcheckd_is_gone(privilege: Privilege) {
    let mut site = Site::new(privilege, WEIGHTED, WEIGHTED);
    site.node1.healthcheckd.kill();
    site.node2.healthcheckd.kill();
    site.httpd1.stop();
    site.wait("it is shown as stale", || {
        shows(&site.node1.vrrpd, &["check web up, stale -60 if down", "no verdict on check web is coming in"])
    });
    assert_ne!(site.node1.status(), 0);
    site.nothing_moves(&site.pair.web1);

    site.node1.healthcheckd.start();
    site.waits_for_2(takeover(50) + SOON);
    site.node1.healthcheckd.kill();
    site.httpd1.start();
    site.wait("it is shown as stale", || shows(&site.node1.vrrpd, &["check web down, stale -60"]));
    site.nothing_moves(&site.pair.web2);

    site.node1.healthcheckd.start();
    site.node2.healthcheckd.start();
    site.waits_for_1(SOON);
    site.settled();
}

fn its_loss_is_a_fault(privilege: Privilege) {
    let keys = format!("{WEIGHTED}\non_health_loss = 'fault'\nstartup_timeout = '2s'");
    let mut site = Site::new(privilege, &keys, WEIGHTED);
    site.node1.healthcheckd.kill();
    let still = || site.node1.vrrpd.state() == Some(State::Active);
    site.pair.lab.stays("for startup_timeout it holds", Duration::from_millis(1500), still);
    site.waits_for_2(skew(50) + SOON);
    assert!(shows(&site.node1.vrrpd, &["web: Fault", "fault no verdict on check web is coming in"]));
    site.nothing_moves(&site.pair.web2);

    site.node1.healthcheckd.start();
    site.waits_for_1(SOON);
    site.settled();
}

/// One host with a web server, on which healthcheckd does not run yet.
fn alone(privilege: Privilege, keys: &str) -> (Pair, Httpd, Node) {
    let pair = Pair::without_web_servers();
    let httpd = Httpd::started(&pair.web1);
    let mut node = Node::new(&pair.web1, privilege, &tracking(100, keys));
    node.vrrpd.start();
    (pair, httpd, node)
}

fn waits(node: &Node) -> bool {
    node.vrrpd.instances().is_ok_and(|instances| {
        instances.iter().all(|web| web.state == State::Initialize && web.reason == "waits for check web")
    })
}

fn a_start_waits(privilege: Privilege) {
    let (pair, _httpd, mut node) = alone(privilege, &format!("{FATAL}\nstartup_timeout = '1m'"));
    pair.lab.stays("it waits", takeover(100), || waits(&node) && !pair.web1.has(VIP));
    assert!(shows(&node.vrrpd, &["web: Initialize", "reason waits for check web", "check web unknown"]));
    node.healthcheckd.start();
    pair.lab.wait("it does not wait for startup_timeout", SOON, || !waits(&node));
    pair.wait_for_answer(&pair.web1, takeover(100));
}

fn a_start_goes_on(privilege: Privilege) {
    let (pair, _httpd, node) = alone(privilege, &format!("{FATAL}\nstartup_timeout = '3s'"));
    pair.lab.stays("it waits", Duration::from_millis(1500), || waits(&node));
    pair.wait_for_answer(&pair.web1, SOON + takeover(100));
    assert!(shows(&node.vrrpd, &["web: Active", "warning check web was never judged", "check web unknown"]));
}

fn a_start_without_verdicts_is_a_fault(privilege: Privilege) {
    let keys = format!("{WEIGHTED}\nstartup_timeout = '2s'\non_health_loss = 'fault'");
    let (pair, _httpd, mut node) = alone(privilege, &keys);
    pair.lab.wait("it is in Fault", SOON * 2, || node.vrrpd.state() == Some(State::Fault));
    assert!(shows(&node.vrrpd, &["fault check web was never judged", "remedy `vipctl health web`"]));
    pair.lab.stays("it holds nothing", takeover(100), || !pair.web1.has(VIP));
    node.healthcheckd.start();
    pair.wait_for_answer(&pair.web1, takeover(100) + SOON);
}

/// What is adopted goes on at once, on what healthcheckd says as on what it does not say yet.
fn vrrpd_restarts(privilege: Privilege) {
    let site = &mut Site::new(privilege, &format!("{FATAL}\non_health_loss = 'fault'"), FATAL);
    let (waiting, watch) = (site.node2.vrrpd.instance().since, AddressWatch::on(&site.pair.web1));
    site.node1.vrrpd.kill();
    site.node1.vrrpd.start();
    assert_eq!(site.node1.vrrpd.instance().reason, "was Active before the restart");
    site.nothing_moves(&site.pair.web1);
    assert_eq!(watch.losses(VIP), 0);
    assert_eq!(site.node2.vrrpd.instance().since, waiting);
    site.settled();
    site.httpd1.stop();
    site.waits_for_2(skew(50) + SOON);
}

fn both_restart(privilege: Privilege) {
    let site = &mut Site::new(privilege, FATAL, FATAL);
    let watch = AddressWatch::on(&site.pair.web1);
    site.node1.healthcheckd.kill();
    site.node1.vrrpd.kill();
    site.node1.vrrpd.start();
    site.node1.healthcheckd.start();
    site.nothing_moves(&site.pair.web1);
    assert_eq!(watch.losses(VIP), 0);
    site.settled();
}

fn reloaded(privilege: Privilege) {
    let mut site = Site::unsettled(privilege, &config(100, ""), &config(50, ""));
    site.waits_for_1(SOON);
    site.httpd1.stop();
    site.nothing_moves(&site.pair.web1);
    let reload = |config: &str| {
        site.node1.vrrpd.configure(config);
        let ran = site.node1.vrrpd.vipctl(&["reload"]);
        assert_eq!(ran.code, 0, "{ran:?}");
    };
    let back = || site.pair.wait_for_holder(&site.pair.web1, takeover(100));
    reload(&tracking(100, FATAL));
    site.waits_for_2(skew(50) + SOON);
    reload(&tracking(100, "track = [{ check = 'web', weight = -40 }]"));
    back();
    assert!(shows(&site.node1.vrrpd, &["priority 100, effective 60, preempts", "check web down -40"]));
    reload(&tracking(100, WEIGHTED));
    site.waits_for_2(takeover(50) + SOON);
    reload(&config(100, ""));
    back();
}

/// Gives a host a second interface, with a cable that ends on the same host.
fn add_eth1(host: &Host) {
    host.ip("link add eth1 up type veth peer name far");
    host.ip("link set far up");
}

fn an_interface_with_a_weight(privilege: Privilege) {
    let pair = Pair::new();
    add_eth1(&pair.web1);
    let keys = "track = [{ interface = 'eth1', weight = -60, up_delay = '3s' }]";
    let web1 = Vrrpd::started(&pair.web1, privilege, &config(100, keys));
    let _web2 = Vrrpd::started(&pair.web2, privilege, &config(50, ""));
    pair.wait_for_holder(&pair.web1, takeover(100));
    pair.web1.ip("link set far down");
    pair.wait_for_holder(&pair.web2, takeover(50) + SOON);
    pair.wait_for_answer(&pair.web2, SOON);
    let no_carrier = ["priority 100, effective 40", "interface eth1 down -60", "eth1 has no carrier"];
    assert!(shows(&web1, &no_carrier));

    pair.web1.ip("link set far up");
    let began = Instant::now();
    pair.lab.wait("it is up, but not for long enough", SOON, || {
        shows(&web1, &["priority 100, effective 40", "interface eth1 up -60", "less than its up_delay of 3s"])
    });
    pair.lab.wait("its priority is back", SOON * 2, || shows(&web1, &["priority 100, preempts"]));
    assert!(began.elapsed() > Duration::from_secs(3), "{:?}", began.elapsed());
    pair.wait_for_holder(&pair.web1, takeover(100));
    pair.wait_for_answer(&pair.web1, SOON);
}

fn an_interface_it_cannot_do_without(privilege: Privilege) {
    let pair = Pair::new();
    add_eth1(&pair.web1);
    let keys = "track = [{ interface = 'eth1' }]";
    let web1 = Vrrpd::started(&pair.web1, privilege, &config(100, keys));
    let _web2 = Vrrpd::started(&pair.web2, privilege, &config(50, ""));
    pair.wait_for_holder(&pair.web1, takeover(100));
    for (ill, well, why) in [
        ("link set far down", "link set far up", "tracked interface eth1 has no carrier"),
        ("link set eth1 down", "link set eth1 up", "tracked interface eth1 is down"),
        ("link set eth1 name other", "link set other name eth1", "tracked interface eth1 does not exist"),
    ] {
        pair.web1.ip(ill);
        pair.wait_for_holder(&pair.web2, skew(50) + SOON);
        pair.wait_for_answer(&pair.web2, SOON);
        let faults: Vec<String> = web1.instance().faults.into_iter().map(|fault| fault.what).collect();
        assert_eq!(faults, [why]);
        pair.web1.ip(well);
        pair.wait_for_holder(&pair.web1, takeover(100));
        pair.wait_for_answer(&pair.web1, SOON);
    }
}

fn keepalived_takes_over(privilege: Privilege) {
    let pair = Pair::without_web_servers();
    let mut httpd1 = Httpd::started(&pair.web1);
    let _httpd2 = Httpd::started(&pair.web2);
    let node1 = Node::started(&pair.web1, privilege, &tracking(100, WEIGHTED));
    pair.wait_for_holder(&pair.web1, takeover(100));
    let conf = format!(
        "global_defs {{\nrouter_id peer\n}}\n\
         vrrp_instance VI_1 {{\nstate BACKUP\ninterface eth0\nvirtual_router_id 51\npriority 50\nversion 3\n\
         advert_int 1\nvirtual_ipaddress {{\n{VIP}/24\n}}\n}}\n"
    );
    let keepalived = Keepalived::start(&pair.web2, &conf);
    pair.lab.wait("keepalived is Backup", SOON, || keepalived.log().contains("Entering BACKUP STATE"));

    httpd1.stop();
    pair.wait_for_holder(&pair.web2, takeover(50) + SOON);
    pair.wait_for_answer(&pair.web2, SOON);
    assert!(shows(&node1.vrrpd, &["web: Backup", "priority 100, effective 40"]));
    httpd1.start();
    pair.wait_for_holder(&pair.web1, takeover(100) + SOON);
    pair.wait_for_answer(&pair.web1, SOON);
}
