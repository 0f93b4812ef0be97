//! From what checks find to what is acted on: several checks of a server, servers that come and go, services that must not
//! lose too many, checks that are shared; and what a reload leaves alone. Each reason is shown.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use socket2::Socket;
use vipkit_control::health::{Check, Judgement, ReloadReply, State, Weight, WeightUnit};
use vipkit_tests::lab::host::Host;
use vipkit_tests::lab::worker::Worker;

use crate::alone::{Alone, SOON, rounds};

const UP: Option<Judgement> = Some(Judgement::Up);
const DOWN: Option<Judgement> = Some(Judgement::Down);
/// What most checks are judged by.
const QUICK: &str = "interval = '100ms'\ntimeout = '1s'\nretries = 0\n";

/// A port of 127.0.0.1 that takes connections, and counts them, until it is dropped; then it refuses them.
struct Port {
    taken: Arc<AtomicUsize>,
    _worker: Worker,
}

impl Port {
    fn open(host: &Host, port: u16) -> Self {
        let listener =
            host.namespace().within(|| TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).unwrap());
        let listener = Socket::from(listener);
        listener.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let taken = Arc::new(AtomicUsize::new(0));
        let count = taken.clone();
        let take = move || {
            let Ok((mut client, _)) = listener.accept() else { return };
            count.fetch_add(1, Ordering::Relaxed);
            // Who comes closes first, so the port can be opened again at once.
            let _ = client.set_read_timeout(Some(Duration::from_secs(1)));
            let _ = client.read(&mut [0]);
        };
        Self { taken, _worker: Worker::start(take) }
    }
}

/// A service of these servers, each on a port of 127.0.0.1.
fn service(name: &str, address: &str, keys: &str, ports: &[u16]) -> String {
    let servers: Vec<String> =
        ports.iter().map(|port| format!("{{ address = '127.0.0.1:{port}', weight = 100 }}")).collect();
    format!(
        "[[service]]\nname = '{name}'\naddress = '{address}'\nforward = 'nat'\n{keys}server = [{}]\n",
        servers.join(", ")
    )
}

impl Alone {
    fn wait_until_judged(&self, name: &str, judged: Option<Judgement>, reason: &str) -> Check {
        let what = format!("is judged {judged:?}: {reason}");
        self.wait_for(name, &what, SOON, |check| check.judged == judged && check.reason.contains(reason))
    }
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn a_server_with_several_checks_is_up_if_as_many_are_as_it_takes() {
    let alone = Alone::started(|_| {
        let checks = ["a", "b", "c"]
            .iter()
            .zip(8001..)
            .map(|(name, port)| format!("[check.{name}]\ntype = 'tcp'\ntarget = '127.0.0.1:{port}'\n{QUICK}"))
            .collect::<String>();
        let of = "['a', 'b', 'c']";
        let service = |name: &str, port: u16, check: &str| {
            service(name, &format!("192.0.2.15:{port}"), &format!("check = {check}\n"), &[9000])
        };
        checks
            + &service("all", 81, of)
            + &service("any", 82, &format!("{{ any = {of} }}"))
            + &service("two", 83, &format!("{{ at_least = 2, of = {of} }}"))
    });
    let mut ports: BTreeMap<u16, Port> =
        (8001..=8003).map(|port| (port, Port::open(&alone.host, port))).collect();
    let judged = |wanted: [(Option<Judgement>, &str); 3]| {
        for (service, (judged, reason)) in ["all", "any", "two"].iter().zip(wanted) {
            let name = format!("{service}/127.0.0.1:9000");
            let check = alone.wait_until_judged(&name, judged, reason);
            assert_eq!((check.runs.len(), check.target.as_str()), (3, "127.0.0.1:9000"));
        }
    };
    judged([(UP, "3 of 3 up"), (UP, "3 of 3 up, 1 needed"), (UP, "3 of 3 up, 2 needed")]);
    ports.remove(&8002);
    judged([
        (DOWN, "2 of 3 up; b: refused"),
        (UP, "2 of 3 up, 1 needed; b: refused"),
        (UP, "2 of 3 up, 2 needed"),
    ]);
    ports.remove(&8003);
    judged([
        (DOWN, "1 of 3 up; b: refused; c: refused"),
        (UP, "1 of 3 up, 1 needed"),
        (DOWN, "1 of 3 up, 2 needed; b: refused; c: refused"),
    ]);
    ports.remove(&8001);
    judged([(DOWN, "0 of 3 up"), (DOWN, "0 of 3 up, 1 needed"), (DOWN, "0 of 3 up, 2 needed")]);
    ports.insert(8001, Port::open(&alone.host, 8001));
    judged([(DOWN, "1 of 3 up"), (UP, "1 of 3 up"), (DOWN, "1 of 3 up")]);
}

/// A check in one line.
fn quick() -> String {
    format!("check = {{ type = 'tcp', {} }}\n", QUICK.trim().replace('\n', ", "))
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn a_server_that_flaps_is_held_down_longer_each_time() {
    let mut alone = Alone::new(|_| {
        service("web", "192.0.2.15:80", &("hold_down = '2s'\n".to_owned() + &quick()), &[8001])
    });
    let name = "web/127.0.0.1:8001";
    let mut port = Port::open(&alone.host, 8001);
    alone.healthcheckd.start();
    for held in [None, Some("2s after going down 2 times"), Some("4s after going down 3 times")] {
        alone.wait_until_judged(name, UP, "connected");
        drop(port);
        alone.wait_until_judged(name, DOWN, "refused");
        port = Port::open(&alone.host, 8001);
        if let Some(held) = held {
            let check = alone.wait_until_judged(name, DOWN, &format!("held down for {held}"));
            assert_eq!(check.state, State::Up, "what was found is shown");
        }
    }
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn a_server_that_returns_gets_its_share_little_by_little() {
    let mut alone = Alone::new(|_| {
        service("web", "192.0.2.15:80", &("slow_start = '2s'\n".to_owned() + &quick()), &[8001])
    });
    let name = "web/127.0.0.1:8001";
    let port = Port::open(&alone.host, 8001);
    alone.healthcheckd.start();
    let first = alone.wait_until_judged(name, UP, "connected");
    assert_eq!(first.weight, None, "the first time it does not return");
    drop(port);
    alone.wait_until_judged(name, DOWN, "refused");
    let _port = Port::open(&alone.host, 8001);
    let mut shares = Vec::new();
    alone.lab.wait("it has all of its share", SOON, || {
        let check = alone.healthcheckd.check(name);
        if let Some(Weight { unit: WeightUnit::Percent, number }) = check.weight {
            assert!(check.reason.contains(&format!("slow start, {number}%")), "{}", check.reason);
            shares.push(number);
        }
        check.judged == UP && check.weight.is_none()
    });
    shares.dedup();
    assert!(shares.len() >= 5 && shares.is_sorted(), "{shares:?}");
    assert!(shares[0] <= 30 && shares[shares.len() - 1] >= 80, "{shares:?}");
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn no_more_servers_are_out_than_may_be() {
    let ports = [8001, 8002, 8003, 8004];
    let alone = Alone::started(|_| {
        service("web", "192.0.2.15:80", &("max_out = '50%'\n".to_owned() + &quick()), &ports)
    });
    let name = |port: &u16| format!("web/127.0.0.1:{port}");
    let mut open: Vec<Port> = ports.iter().map(|port| Port::open(&alone.host, *port)).collect();
    for port in &ports {
        alone.wait_until_judged(&name(port), UP, "connected");
    }
    // In this order, so it is known who goes first.
    for port in &ports[..2] {
        open.remove(0);
        alone.wait_until_judged(&name(port), DOWN, "refused");
    }
    for port in &ports[2..] {
        open.remove(0);
        let kept = alone.wait_until_judged(&name(port), UP, "at most 2 of 4 servers may be out");
        assert!(kept.state == State::Down && kept.reason.contains("refused"), "{kept:?}");
    }
    open.push(Port::open(&alone.host, ports[0]));
    alone.wait_until_judged(&name(&ports[0]), UP, "connected");
    alone.wait_until_judged(&name(&ports[2]), DOWN, "refused");
    alone.wait_until_judged(&name(&ports[3]), UP, "at most 2 of 4");
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn a_reload_puts_no_dead_server_back() {
    let config = |keys: &str| format!("[check.web]\ntype = 'tcp'\nretries = 0\n{keys}\n");
    let alone = Alone::started(|_| config("target = '127.0.0.1:8001'\ninterval = '1h'"));
    alone.wait_until_judged("web", DOWN, "refused");
    let _port = Port::open(&alone.host, 8002);
    for keys in ["target = '127.0.0.1:8001'\ninterval = '30m'", "target = '127.0.0.1:8002'\ninterval = '1h'"]
    {
        alone.reload(&config(keys));
        let check = alone.healthcheckd.check("web");
        assert_eq!((check.judged, rounds(&check)), (DOWN, 0), "it has not been run yet: {check:?}");
    }
    alone.wait_until_judged("web", UP, "connected");
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn one_more_of_two_thousand_checks_touches_one() {
    const COUNT: usize = 2000;
    let config = |count| {
        let check = |n: usize| {
            let (high, low) = (n / 250, n % 250 + 1);
            format!("[check.n{n}]\ntype = 'tcp'\ntarget = '127.1.{high}.{low}:8001'\ninterval = '1h'\n")
        };
        (0..count).map(check).collect::<String>()
    };
    let alone = Alone::started(|_| config(COUNT));
    let before = alone.healthcheckd.checks();
    alone.healthcheckd.configure(&config(COUNT + 1));
    let reply: ReloadReply = alone.healthcheckd.reload().unwrap();
    let changes = reply.checks;
    assert_eq!((changes.added, changes.changed, changes.removed), (1, 0, 0));
    assert_eq!(changes.unchanged, COUNT as u64);
    let after: BTreeMap<String, Check> =
        alone.healthcheckd.checks().into_iter().map(|check| (check.name.clone(), check)).collect();
    assert_eq!(after.len(), COUNT + 1);
    // Those that were run meanwhile are due again later.
    let waited = before.iter().filter(|check| {
        let (before, after) = (&check.runs[0], &after[&check.name].runs[0]);
        before.counters == after.counters && before.next.is_some() && after.next.is_some()
    });
    let waited: Vec<&Check> = waited.collect();
    assert!(waited.len() > COUNT / 4, "{}", waited.len());
    for check in waited {
        assert_eq!(check.runs[0].next, after[&check.name].runs[0].next, "{}", check.name);
    }
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn fifty_services_with_one_server_have_one_run() {
    let mut alone = Alone::new(|_| {
        let service = |n| service(&format!("s{n}"), &format!("192.0.2.{n}:80"), &quick(), &[8001]);
        (1..=50).map(service).collect()
    });
    let port = Port::open(&alone.host, 8001);
    alone.healthcheckd.start();
    let name = "s7/127.0.0.1:8001";
    let check = alone.wait_for(name, "ran often", SOON, |check| rounds(check) >= 10);
    let taken = port.taken.load(Ordering::Relaxed);
    let done = rounds(&alone.healthcheckd.check(name));
    assert!(
        rounds(&check) as usize <= taken && taken as u64 <= done + 1,
        "{taken} connections, {done} rounds"
    );
    assert_eq!((check.runs[0].shared_by, alone.healthcheckd.figures().runs), (50, 1));
    assert!(alone.healthcheckd.checks().iter().all(|check| check.judged == UP));
}
