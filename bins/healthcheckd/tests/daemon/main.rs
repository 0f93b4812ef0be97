//! The program as it is run, on loopback: what it says of servers that come and go, over reloads, crashes and restarts,
//! and of ten thousand at once.

#[cfg(test)]
mod many;
#[cfg(test)]
mod program;

use std::net::{SocketAddr, TcpListener, TcpStream};

use socket2::Socket;
use vipkit_control::health::{Judgement, State};

use program::{Program, check, nobody, patiently, server};

/// Quick, so that a test is too.
const QUICK: &str = "interval = \"100ms\"\ntimeout = \"2s\"\nretries = 2\nretry_delay = \"50ms\"";

#[test]
fn a_server_goes_down_by_the_rule_of_its_check_and_comes_back() {
    let (listener, target) = server();
    let program = Program::new(&(check("web", target, QUICK) + &check("same", target, QUICK)));
    let _running = program.start();
    let up = program.wait_for("web", State::Up);
    assert_eq!((up.reason.as_str(), up.generation, up.runs[0].shared_by), ("connected", 1, 2));
    let seen = program.watch();

    drop(listener);
    let down = program.wait_for("web", State::Down);
    assert_eq!((down.reason.as_str(), down.generation, down.runs[0].failures), ("refused", 2, 0));
    assert!(down.runs[0].counters["failed"] >= 3, "{down:?}");
    assert_eq!(program.get("same").state, State::Down, "one run for both");

    let _listener = TcpListener::bind(target).unwrap();
    let back = program.wait_for("web", State::Up);
    assert_eq!((back.judged, back.generation, back.runs[0].failures), (Some(Judgement::Up), 3, 0));

    patiently("both are told", || {
        let seen = seen.lock().unwrap();
        ["web", "same"].iter().all(|name| seen.iter().any(|c| c.name == *name && c.generation == 3))
    });
    let mut states: Vec<_> =
        seen.lock().unwrap().iter().filter(|c| c.name == "web").map(|c| c.state).collect();
    states.dedup();
    assert_eq!(states, [State::Up, State::Down, State::Up]);
}

#[test]
fn retries_come_after_the_retry_delay_and_rounds_after_the_interval() {
    let keys = "interval = \"1h\"\nretries = 2\nretry_delay = \"50ms\"";
    let program = Program::new(&check("web", nobody(), keys));
    let _running = program.start();
    assert_eq!(program.wait_for("web", State::Down).runs[0].counters["failed"], 3);
}

#[test]
fn a_run_that_finds_nothing_new_is_not_told() {
    let (_listener, target) = server();
    let program = Program::new(&check("web", target, QUICK));
    let _running = program.start();
    program.wait_for("web", State::Up);
    let seen = program.watch();
    let runs = || program.get("web").runs[0].counters["passed"];
    let before = runs();
    patiently("it is run again", || runs() > before + 5);
    assert_eq!(seen.lock().unwrap().len(), 1, "the snapshot alone");
}

#[test]
fn a_dead_server_stays_dead_over_a_crash() {
    let target = nobody();
    let slow = "interval = \"1s\"\nretries = 1\nretry_delay = \"1500ms\"";
    let program = Program::new(&check("web", target, slow));
    let running = program.start();
    let found = program.wait_for("web", State::Down);
    patiently("the verdict is in its file", || program.state_file().contains("\"down\""));
    running.crash();

    let running = program.start();
    let first = program.get("web");
    assert_eq!((first.state, first.judged), (State::Down, Some(Judgement::Down)));
    assert_eq!((&first.since, first.generation), (&found.since, found.generation));
    running.crash();

    // Not even with other settings, which would not have judged it yet.
    program.configure(&check("web", target, "interval = \"1s\"\nretries = 100\nretry_delay = \"1h\""));
    let _running = program.start();
    let first = program.get("web");
    assert_eq!((first.state, first.since, first.runs[0].retries), (State::Down, found.since, 100));
}

#[test]
fn what_was_told_is_not_taken_back_however_soon_a_crash_comes() {
    let program = Program::new("");
    for state in [State::Down, State::Up, State::Down, State::Up] {
        let (listener, target) = server();
        let listener = (state == State::Up).then_some(listener);
        // The first of all runs at once, others later: it leaves the restart to web.
        let first = check("first", nobody(), "interval = \"1h\"");
        let text = first + &check("web", target, "interval = \"100ms\"\nretries = 0");
        program.configure(&text);
        let running = program.start();
        let seen = program.watch();
        let first = program.wait_for("web", state);
        let other = if listener.is_some() { State::Down } else { State::Up };
        drop(listener);
        let _listener = (other == State::Up).then(|| TcpListener::bind(target).unwrap());
        let told = || seen.lock().unwrap().iter().any(|check| check.state == other);
        patiently("the other state is told", told);
        running.crash();
        program.configure(&text.replace("100ms", "1h"));
        let running = program.start();
        let after = program.get("web");
        assert_eq!((after.state, after.generation), (other, first.generation + 1), "{after:?}");
        assert!(after.reason.ends_with("(found before the restart)"), "{after:?}");
        running.crash();
    }
}

#[test]
fn a_disk_that_takes_nothing_keeps_nobody_from_knowing() {
    let (listener, target) = server();
    let program = Program::new(&check("web", target, QUICK));
    let running = program.start();
    program.wait_for("web", State::Up);
    program.make_state_file_unwritable();
    let seen = program.watch();
    drop(listener);
    patiently("it is told", || seen.lock().unwrap().iter().any(|check| check.state == State::Down));
    let _listener = TcpListener::bind(target).unwrap();
    patiently("and so is the next", || seen.lock().unwrap().last().unwrap().state == State::Up);
    let log = running.end();
    assert_eq!(log.matches("nothing would be known of what is found now").count(), 1, "{log}");
}

#[test]
fn a_reload_that_changes_a_failing_check_does_not_bring_the_server_back() {
    let (_listener, well) = server();
    let target = nobody();
    let program = Program::new(&(check("dead", target, QUICK) + &check("well", well, QUICK)));
    let _running = program.start();
    program.wait_for("dead", State::Down);
    program.wait_for("well", State::Up);
    let seen = program.watch();
    let before = program.get("well");

    let patient = QUICK.replace("\"2s\"", "\"3s\"").replace("retries = 2", "retries = 100");
    program.configure(&(check("dead", target, &patient) + &check("well", well, QUICK)));
    let reloaded = program.reload().unwrap().checks;
    assert_eq!((reloaded.changed, reloaded.unchanged), (1, 1));
    assert_eq!(program.get("dead").state, State::Down);
    patiently("it runs with its new settings", || program.get("dead").runs[0].counters["failed"] > 2);
    patiently("that is told", || {
        seen.lock().unwrap().iter().any(|c| c.name == "dead" && c.runs[0].timeout == 3.0)
    });
    let seen = seen.lock().unwrap();
    assert!(seen.iter().filter(|c| c.name == "dead").all(|c| c.state == State::Down), "{seen:?}");

    let after = program.get("well");
    assert!(after.runs[0].counters["passed"] >= before.runs[0].counters["passed"], "its run was not touched");
    assert_eq!(after.since, before.since);
}

#[test]
fn a_name_that_joins_a_run_has_its_verdict_at_once_and_a_bad_file_changes_nothing() {
    let (_listener, target) = server();
    let slow = "interval = \"1h\"";
    let program = Program::new(&check("first", target, slow));
    let _running = program.start();
    program.wait_for("first", State::Up);
    program.configure(&(check("first", target, slow) + &check("second", target, slow)));
    assert_eq!(program.reload().unwrap().checks.added, 1);
    assert_eq!((program.get("second").state, program.get("first").runs[0].shared_by), (State::Up, 2));

    program.configure("[check.first]\ntype = \"tpc\"");
    let refused = program.reload().unwrap_err();
    assert!(refused.contains("ConfigRefused"), "{refused}");
    assert_eq!(program.get("second").state, State::Up);
}

#[test]
fn what_is_wrong_on_this_host_is_not_the_servers_fault_and_logged_once() {
    let (_listener, target) = server();
    let foreign = format!("{QUICK}\nsource = \"192.0.2.9\"");
    let mut text = String::new();
    for port in 0..3 {
        let target = SocketAddr::new(target.ip(), target.port() ^ port);
        text += &check(&format!("c{port}"), target, &foreign);
    }
    text += &check("d0", target, &foreign.replace("192.0.2.9", "192.0.2.10"));
    let program = Program::new(&text);
    let running = program.start();
    program.wait_for("d0", State::CouldNotRun);
    for name in ["c0", "c1", "c2"] {
        let hindered = program.wait_for(name, State::CouldNotRun);
        assert_eq!(hindered.judged, None);
        assert!(hindered.reason.contains("192.0.2.9 is no address of this host"), "{hindered:?}");
    }
    let log = running.end();
    assert_eq!(log.matches("could not run, was").count(), 2, "one for each cause: {log}");
}

#[test]
fn checks_that_have_to_wait_for_others_are_late_and_the_log_says_so_once() {
    let (listener, target) = server();
    // Its queue is full after this: it answers nobody.
    let silent = Socket::from(listener);
    silent.listen(0).unwrap();
    let _first = TcpStream::connect(target).unwrap();
    let keys = |n: u32| format!("interval = \"1s\"\ntimeout = \"{}ms\"", 700 + n);
    let text: String = (0..8).map(|n| check(&format!("c{n}"), target, &keys(n))).collect();
    let program = Program::new(&("[health]\nin_flight = 2\n".to_owned() + &text));
    let running = program.start();
    patiently("it is late", || program.daemon().lateness_max >= 1.0);
    let late = program.daemon().lateness_max;
    patiently("later still", || program.daemon().lateness_max > late);
    let log = running.end();
    assert_eq!(log.matches("s late: this host stood still, or more are due").count(), 1, "{log}");
}

#[test]
fn a_damaged_file_of_verdicts_is_no_reason_not_to_begin() {
    let (_listener, target) = server();
    let program = Program::new(&check("web", target, QUICK));
    program.damage_state_file();
    let running = program.start();
    program.wait_for("web", State::Up);
    let log = running.end();
    assert!(log.contains("beginning without earlier verdicts"), "{log}");
    assert!(program.state_file().contains("\"judged\":\"up\""), "it is written once more at the end");
}
