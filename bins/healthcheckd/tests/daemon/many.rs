//! Ten thousand checks of as many targets, in one process, on time.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread;
use std::time::Instant;

use vipkit_control::health::State;

use crate::program::{Program, check, patiently};

const CHECKS: u32 = 10_000;
const KEYS: &str = "interval = \"10s\"\ntimeout = \"5s\"";
/// The loop, the log, and helper threads.
const THREADS_MAX: usize = 8;
const MEGABYTES_MAX: u64 = 150;

/// A field of /proc/PID/status, in its unit.
fn status(pid: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim_start_matches(':').split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn ten_thousand_checks_run_on_time_in_one_process() {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().for_each(drop));
    let target = |number: u32| SocketAddr::from((Ipv4Addr::from(0x7F01_0000 + number), port));
    let text: String = (1..=CHECKS).map(|n| check(&format!("c{n}"), target(n), KEYS)).collect();

    let program = Program::new(&text);
    let running = program.start();
    let began = Instant::now();
    assert_eq!(program.daemon().runs, u64::from(CHECKS));
    let seen = program.watch();
    patiently("all were run", || {
        seen.lock().unwrap().iter().filter(|check| check.state == State::Up).count() >= CHECKS as usize
    });
    let took = began.elapsed();

    let daemon = program.daemon();
    let threads = fs::read_dir(format!("/proc/{}/task", running.pid())).unwrap().count();
    let megabytes = status(running.pid(), "VmHWM") / 1024;
    println!("all within {took:?}; lateness {} s; {threads} threads; {megabytes} MB", daemon.lateness_max);
    assert!(daemon.lateness_max < 1.0, "{} s late", daemon.lateness_max);
    assert!(threads <= THREADS_MAX, "{threads} threads");
    assert!(megabytes <= MEGABYTES_MAX, "{megabytes} MB");
}
