//! Very many checks at once in one process, on time and without a false verdict; and that it is said where the limit of open
//! files is too low for them.

use std::fs;
use std::time::{Duration, Instant};

use vipkit_control::health::{Judgement, State};
use vipkit_tests::lab::certificates::Authority;
use vipkit_tests::lab::figure::figure;
use vipkit_tests::lab::healthcheckd::Healthcheckd;
use vipkit_tests::lab::{Lab, nginx};

use crate::alone::{Alone, LATE, rounds};

const TCP: usize = 10_000;
const HTTPS: usize = 2_000;
const INTERVAL: Duration = Duration::from_secs(10);
/// The most memory that it may take for all of them, in MiB.
const MEMORY_MAX: u64 = 256;

/// The n-th of many addresses of this host.
fn address(n: usize) -> String {
    format!("127.{}.{}.{}", 1 + n / 62_500, n / 250 % 250, n % 250 + 1)
}

/// Of the process, in MiB.
fn memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn ten_thousand_tcp_and_two_thousand_https_checks_are_on_time() {
    let lab = Lab::new();
    let host = lab.host("lvs", 5);
    let authority = Authority::new(lab.folder().join("certificates"));
    let _nginx = nginx::server(&host, &authority.issue("web", 90));
    let ca_file = authority.certificate().display();
    let tcp = (0..TCP).map(|n| {
        let address = address(n);
        format!("[check.tcp-{n}]\ntype = 'tcp'\ntarget = '{address}:80'\ninterval = '10s'\nretries = 0\n")
    });
    let https = (0..HTTPS).map(|n| {
        let address = address(n);
        format!(
            "[check.https-{n}]\ntype = 'https'\ntarget = '{address}:443'\nserver_name = 'web.example.net'\n\
             ca_file = '{ca_file}'\npath = '/echo'\ninterval = '10s'\nretries = 0\n"
        )
    });
    let config: String = tcp.chain(https).collect();
    let began = Instant::now();
    let healthcheckd = Healthcheckd::started(&host, &config);
    figure("until 12,000 checks are read and the socket answers", began.elapsed());
    let began = Instant::now();

    // The last to begin does so after nearly an interval, and each start may be a little off.
    let rounds_over = INTERVAL * 3 + LATE * 2;
    lab.wait("three rounds are over", rounds_over + LATE, || began.elapsed() > rounds_over);
    let checks = healthcheckd.checks();
    assert_eq!(checks.len(), TCP + HTTPS);
    for check in &checks {
        let run = &check.runs[0];
        let is_well = (check.state, check.judged) == (State::Up, Some(Judgement::Up));
        assert!(is_well && run.counters["failed"] + run.counters["could_not_run"] == 0, "{check:?}");
        assert!(rounds(check) >= 3, "{check:?}");
    }
    let figures = healthcheckd.figures();
    let late = Duration::from_secs_f64(figures.lateness_max);
    figure("the latest start of 12,000 checks in 10 s", late);
    assert!(late < LATE, "{late:?}");
    assert_eq!(figures.runs as usize, TCP + HTTPS);
    // Who closes first in the ordinary way waits for the other's last word, and is left with that for a minute.
    let sockets = host.run(&["cat", "/proc/net/sockstat"]).stdout;
    let closed = sockets.split("tw ").nth(1).unwrap().split(' ').next().unwrap();
    assert!(closed.parse::<usize>().unwrap() > TCP / 2, "{sockets}");
    let memory = memory(figures.running.pid);
    println!("{memory} MiB for {TCP} TCP and {HTTPS} HTTPS checks, the latest start {late:?} late");
    assert!(memory < MEMORY_MAX, "{memory} MiB");
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn files_that_are_missing_are_counted_before_anything_begins() {
    let mut alone = Alone::new(|_| {
        let check = |n| format!("[check.n{n}]\ntype = 'tcp'\ntarget = '{}:80'\n", address(n));
        (0..400).map(check).collect()
    });
    let limited = |files: &str| format!("ulimit -n {files}; exec \"$@\"");
    let mut command = alone.healthcheckd.command(&["sh", "-c", &limited("300"), "sh"]);
    alone.healthcheckd.launch_as(&mut command);
    assert_ne!(alone.healthcheckd.wait(), 0);
    let log = alone.healthcheckd.log();
    assert!(log.contains("its checks need 656 open files, 356 more than the limit of 300"), "{log}");
    assert!(log.contains("LimitNOFILE=656"), "{log}");

    let mut command = alone.healthcheckd.command(&["sh", "-c", &limited("656"), "sh"]);
    alone.healthcheckd.start_as(&mut command);
}
