//! Servers that are up to no good, all at once: each is down and it is said why, healthcheckd does not grow, and the checks
//! of a healthy server beside them stay on time.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use vipkit_control::health::{Check, Judgement, State};
use vipkit_tests::lab::figure::figure;
use vipkit_tests::lab::healthcheckd::Healthcheckd;
use vipkit_tests::lab::hostile::{Behaviour, Hostile};
use vipkit_tests::lab::socat::Agent;
use vipkit_tests::lab::{dns_server, mail_server, nginx, until};

use crate::fixture::Network;

/// Rounds of each check of a hostile server until memory is looked at, and after that.
const WARM_UP: u64 = 5;
const ROUNDS: u64 = 20;
const PATIENCE: Duration = Duration::from_secs(60);
/// Most memory (kB) that healthcheckd ever had, and by how much that may grow after the first rounds.
const MEMORY_MAX: u64 = 64 << 10;
const GROWTH_MAX: u64 = 8 << 10;
/// Checks of the healthy server.
const HEALTHY: usize = 200;
/// Seconds by which any check may be started late.
const LATENESS_MAX: f64 = 1.0;
const FIRST_PORT: u16 = 10_000;

/// Kinds of checks, with keys.
const HTTP: &str = "http'\nbody_contains = 'well";
const HTTPS: &str = "https'\nverify = false\nserver_name = 'web.example.net";
const TLS: &str = "tls'\nverify = false\nserver_name = 'web.example.net";
const SMTP: &str = "smtp";
const AGENT: &str = "agent";
const DNS: &str = "dns'\ntransport = 'tcp'\nname = 'www.example.net'\nrecord = 'A";
const ALL: &[&str] = &[HTTP, HTTPS, TLS, SMTP, AGENT, DNS];

/// The beginning of a TLS record of 16 KiB: handshake, TLS 1.2 (RFC 8446 §5.1).
const RECORD: &[u8] = &[22, 3, 3, 0x40, 0];
/// A DNS message of 64 KiB over TCP.
const MESSAGE: &[u8] = &[0xff, 0xff];

/// What is done to checks of which kinds, and why they are down; with a `*`, for whatever reason.
fn cases(network: &Network) -> Vec<(Behaviour, &'static [&'static str], &'static str)> {
    use Behaviour::{Drips, Floods, HalfCloses, Relays, Resets, Waits};
    let server = |port| SocketAddr::from((network.server.address(), port));
    let late = "no answer within 400ms";
    let line = "line longer than 4096 bytes";
    vec![
        (Waits(b""), ALL, late),
        (HalfCloses(b""), &[HTTP, SMTP, AGENT, DNS], "closed before the answer"),
        (HalfCloses(b""), &[HTTPS, TLS], "closed in the TLS handshake"),
        (Resets(b""), ALL, "*"),
        (HalfCloses(b"\0\0\0\0garbage\r\n"), ALL, "*"),
        // A byte from time to time.
        (Drips(b"HTTP/1.1 200 OK\r\nX-A: "), &[HTTP], late),
        (Drips(b"HTTP/1.1 200 OK\r\n\r\n"), &[HTTP], late),
        (Drips(RECORD), &[HTTPS, TLS], late),
        (Drips(b"220 "), &[SMTP], late),
        (Drips(b"up "), &[AGENT], late),
        (Drips(MESSAGE), &[DNS], late),
        // Without end.
        (Floods(b"HTTP/1.1 200 ", b"x"), &[HTTP], "no valid HTTP: *"),
        (Floods(b"HTTP/1.1 200 OK\r\nX-A: ", b"x"), &[HTTP], "no valid HTTP: *"),
        (Floods(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"), &[HTTP], "no valid HTTP: *"),
        (Floods(b"HTTP/1.1 200 OK\r\n\r\n", b"x"), &[HTTP], "body longer than 1024 KiB"),
        (Floods(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"), &[HTTP], "*"),
        (Floods(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), &[HTTP], "no valid HTTP: longer than 128 KiB"),
        (Floods(RECORD, b"x"), &[HTTPS, TLS], "*"),
        (Floods(b"220 ", b"x"), &[SMTP], line),
        (Floods(b"", b"220-x\r\n"), &[SMTP], "more than 100 lines in a reply"),
        (Floods(b"up ", b"x"), &[AGENT], line),
        (Floods(b"", MESSAGE), &[DNS], "answers what was not asked"),
        // Half of it.
        (
            Waits(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nwell"),
            &[HTTP],
            "no valid HTTP: *",
        ),
        (
            Waits(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nwell"),
            &[HTTP],
            "no valid HTTP: *",
        ),
        (
            HalfCloses(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nwell"),
            &[HTTP],
            "closed in the middle of the answer",
        ),
        (Waits(b"220 mail.example.net"), &[SMTP], late),
        (Waits(b"up"), &[AGENT], late),
        (HalfCloses(&[0, 9, 1]), &[DNS], "closed before the answer"),
        // What real servers say, cut off.
        (Relays(server(80), 100), &[HTTP], "*"),
        (Relays(server(443), 600), &[HTTPS, TLS], "*"),
        (Relays(server(25), 60), &[SMTP], "*"),
        (Relays(server(9000), 3), &[AGENT], "*"),
        (Relays(server(53), 45), &[DNS], "*"),
    ]
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn hostile_servers_are_down_and_harm_nobody() {
    let network = Network::new();
    let identity = network.authority.issue("web", 90);
    let _servers = [
        nginx::server(&network.server, &identity),
        mail_server::server(&network.server, &identity),
        dns_server::server(&network.server),
    ];
    let _agent = Agent::started(&network.server, 9000, "up\n");
    let (mut config, mut expected, mut servers) = (String::new(), Vec::new(), Vec::new());
    for (port, (behaviour, kinds, reason)) in (FIRST_PORT..).zip(cases(&network)) {
        servers.push(Hostile::on(&network.server, port, behaviour));
        for kind in kinds {
            let word = kind.split('\'').next().unwrap();
            let name = format!("hostile-{word}-{port}");
            // Either family in turn.
            let [v4, v6] = network.targets(port);
            let (_, target) = if expected.len() % 2 == 0 { v4 } else { v6 };
            let _ = writeln!(
                config,
                "[check.{name}]\ntarget = '{target}'\ninterval = '500ms'\ntimeout = '400ms'\nretries = 0\ntype = '{kind}'"
            );
            expected.push((name, reason));
        }
    }
    let [(_, healthy), _] = network.targets(80);
    for number in 0..HEALTHY {
        // Else they would be one and the same run.
        let timeout = 2000 + number;
        let _ = writeln!(
            config,
            "[check.healthy-{number}]\ntype = 'tcp'\ntarget = '{healthy}'\ninterval = '500ms'\ntimeout = '{timeout}ms'\nretries = 0"
        );
    }
    let healthcheckd = Healthcheckd::started(&network.director, &config);

    let run = |many: u64| {
        let has_run = |check: &Check| check.name.starts_with("healthy-") || counter(check, "failed") >= many;
        let what = format!("{many} rounds of each hostile check");
        network.lab.wait(&what, PATIENCE, || healthcheckd.checks().iter().all(has_run));
        memory(&healthcheckd)
    };
    let (warm, most) = (run(WARM_UP), run(WARM_UP + ROUNDS));
    assert!(most < MEMORY_MAX && most - warm < GROWTH_MAX, "{warm} kB, then {most} kB");

    // On a busy machine, an answer may come too late in one round.
    until(PATIENCE, || {
        let checks = healthcheckd.checks();
        expected.retain(|(name, reason)| !is_down(find(&checks, name), reason));
        expected.is_empty()
    });
    assert!(expected.is_empty(), "{expected:#?}");
    for check in healthcheckd.checks() {
        if check.name.starts_with("hostile-") {
            assert_eq!((counter(&check, "passed"), check.judged), (0, Some(Judgement::Down)), "{check:?}");
        } else {
            assert_eq!((counter(&check, "failed"), check.state), (0, State::Up), "{check:?}");
        }
    }
    let lateness = healthcheckd.figures().lateness_max;
    figure("200 checks beside hostile servers, the latest start", Duration::from_secs_f64(lateness));
    assert!(lateness < LATENESS_MAX, "{lateness} s");
}

fn is_down(check: &Check, reason: &str) -> bool {
    let is_said = match reason.strip_suffix('*') {
        Some(beginning) => check.reason.starts_with(beginning) && check.reason.len() > beginning.len(),
        None => check.reason == reason,
    };
    is_said && check.state == State::Down
}

fn find<'c>(checks: &'c [Check], name: &str) -> &'c Check {
    checks.iter().find(|check| check.name == name).expect("that check")
}

fn counter(check: &Check, name: &str) -> u64 {
    check.runs[0].counters[name]
}

/// The most memory (kB) that it ever had: `VmHWM` of proc(5).
fn memory(healthcheckd: &Healthcheckd) -> u64 {
    let pid = healthcheckd.pid().unwrap();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
