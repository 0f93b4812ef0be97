//! Scripts as they may be written: they hang, turn their back on who started them, and say too much. Their own verdict is
//! right, no other check is late, and nothing of them stays.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vipkit_control::health::{Judgement, State, Weight, WeightUnit};
use vipkit_tests::lab::figure::figure;
use vipkit_tests::lab::web_server::WebServer;

use crate::alone::{Alone, LATE, SOON, rounds};

/// Those that do not end: name and text.
const ENDLESS: [(&str, &str); 7] = [
    ("hangs", "sleep 1000"),
    ("is-deaf", "trap '' TERM INT HUP; while :; do sleep 1000; done"),
    ("has-a-session", "setsid sleep 1000; :"),
    ("forks-twice", "(setsid sh -c 'sleep 1000 & sleep 1000 & wait' &); sleep 1000"),
    ("forks-50", "n=0; while [ $n -lt 50 ]; do setsid sleep 1000 & n=$((n+1)); done; wait"),
    ("stops", "setsid sleep 1000 & kill -STOP $$"),
    ("prints-on", "yes"),
];
/// Those that end, and leave something behind or print much: name, text and exit code.
const ENDING: [(&str, &str, i32); 4] = [
    ("leaves-its-pipe", "( (trap '' TERM; exec sleep 1000) & ); exit 4", 4),
    ("leaves-a-session", "(setsid sh -c 'sleep 1000 & sleep 1000' </dev/null >/dev/null 2>&1 &); exit 6", 6),
    ("leaves-50", "n=0; while [ $n -lt 50 ]; do setsid sleep 1000 & n=$((n+1)); done; exit 7", 7),
    ("prints-10-MB", "head -c 10000000 /dev/zero | tr '\\0' x; exit 3", 3),
];
/// Has a shell, and three that sleep.
const STAYING: &str = "(setsid sh -c 'sleep 1000 & sleep 1000 & wait' &); sleep 1000";

fn script(name: &str, text: &str, keys: &str) -> String {
    format!("[check.{name}]\ntype = 'script'\ncommand = ['/bin/sh', '-c', {text:?}]\nretries = 0\n{keys}\n")
}

impl Alone {
    /// Processes on the host besides healthcheckd.
    fn others(&self) -> BTreeSet<u32> {
        let mut pids = self.host.namespace().pids();
        pids.remove(&self.pid());
        pids
    }

    /// Waits until so many scripts of [`STAYING`] are whole, each with its keeper, a shell of its own and three that sleep.
    fn wait_for_staying(&self, scripts: usize) -> BTreeSet<u32> {
        self.lab.wait("all scripts run", SOON, || self.others().len() == scripts * 6);
        self.others()
    }
}

/// The children of a process, zombies among them.
fn children(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let lists = threads.map(|thread| fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    lists
        .flat_map(|list| list.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<_>>())
        .collect()
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn whatever_a_script_does_only_its_own_verdict_suffers_and_nothing_is_left() {
    let beside: String = (1..=100)
        .map(|n| format!("[check.beside-{n:03}]\ntype = 'tcp'\ntarget = '127.0.0.{n}:80'\ninterval = '1s'\n"))
        .collect();
    let endless = ENDLESS.map(|(name, text)| script(name, text, "interval = '2s'\ntimeout = '500ms'"));
    let ending = ENDING.map(|(name, text, _)| script(name, text, "interval = '2s'\ntimeout = '20s'"));
    let mut alone = Alone::new(|_| [endless.concat(), ending.concat(), beside.clone()].concat());
    let _web_server = WebServer::on(&alone.host);
    alone.healthcheckd.start();

    let names = ENDLESS.map(|(name, _)| name).into_iter().chain(ENDING.map(|(name, ..)| name));
    for name in names {
        alone.wait_for(name, "ran twice", SOON * 2, |check| rounds(check) >= 2);
    }
    for (name, _) in ENDLESS {
        let check = alone.healthcheckd.check(name);
        assert_eq!((check.state, check.reason.as_str()), (State::Down, "no answer within 500ms"), "{name}");
    }
    for (name, _, code) in ENDING {
        let check = alone.healthcheckd.check(name);
        assert_eq!(check.state, State::Down, "{name}");
        assert!(check.reason.starts_with(&format!("exit code {code}")), "{name}: {}", check.reason);
        assert!(check.reason.len() < 200, "{}", check.reason);
    }
    for check in alone.healthcheckd.checks().iter().filter(|check| check.name.starts_with("beside")) {
        assert_eq!((check.judged, check.runs[0].counters["failed"]), (Some(Judgement::Up), 0), "{check:?}");
        assert!(rounds(check) >= 2, "{check:?}");
    }
    let late = Duration::from_secs_f64(alone.healthcheckd.figures().lateness_max);
    figure("the latest start beside scripts that hang and fork", late);
    assert!(late < LATE, "{late:?}");

    alone.reload(&beside);
    alone.lab.wait("no process is left", SOON, || alone.others().is_empty());
    alone.lab.wait("no zombie is left", SOON, || children(alone.pid()).is_empty());
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn nothing_is_left_of_scripts_however_healthcheckd_or_a_keeper_ends() {
    // Checks that are the same have one run.
    let staying = ["a", "b"]
        .map(|name| script(name, &format!(": {name}; {STAYING}"), "interval = '1s'\ntimeout = '1h'"));
    let mut alone = Alone::started(|_| staying.concat());
    let before = alone.wait_for_staying(2);
    for keeper in children(alone.pid()) {
        kill(Pid::from_raw(keeper.try_into().unwrap()), Signal::SIGKILL).unwrap();
    }
    for name in ["a", "b"] {
        let check = alone.wait_for_state(name, State::CouldNotRun, SOON);
        assert!(check.reason.contains("what ran it was killed"), "{}", check.reason);
    }
    alone.lab.wait("nothing is left of these", SOON, || alone.host.namespace().pids().is_disjoint(&before));

    let left = |alone: &Alone| !alone.host.namespace().pids().is_empty();
    alone.wait_for_staying(2);
    alone.healthcheckd.terminate();
    alone.lab.wait("nothing is left after SIGTERM", SOON, || !left(&alone));

    alone.healthcheckd.start();
    alone.wait_for_staying(2);
    alone.healthcheckd.kill();
    alone.lab.wait("nothing is left after SIGKILL", SOON, || !left(&alone));
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn no_more_scripts_run_at_once_than_may_and_to_wait_for_a_turn_is_no_failure() {
    const COUNT: usize = 12;
    let alone = Alone::started(|folder| {
        let file = folder.join("turns").display().to_string();
        // Checks that are the same have one run.
        let text = |n| format!(": {n}; echo + >>{file}; sleep 0.3; echo - >>{file}");
        let scripts =
            (0..COUNT).map(|n| script(&n.to_string(), &text(n), "interval = '100ms'\ntimeout = '1s'"));
        "[health]\nscripts = 2\n".to_owned() + &scripts.collect::<String>()
    });
    let turns = || fs::read_to_string(alone.file("turns")).unwrap_or_default();
    alone.lab.wait("each ran twice", SOON, || turns().matches('-').count() >= 2 * COUNT);
    let (mut running, mut most) = (0, 0);
    for turn in turns().lines() {
        running += if turn == "+" { 1 } else { -1 };
        most = most.max(running);
    }
    assert_eq!(most, 2);
    for check in alone.healthcheckd.checks() {
        assert_eq!((check.state, check.runs[0].counters["failed"]), (State::Up, 0), "{check:?}");
    }
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn exit_codes_say_what_they_are_configured_to_say() {
    use State::{CouldNotRun, Down, Up};
    let weight = |number| Some(Weight { unit: WeightUnit::Absolute, number });
    let table = [
        ("simple", "echo all well; echo more", Up, None, "all well"),
        ("simple", "exit 1", Down, None, "exit code 1"),
        ("simple", "echo the disk is full >&2; exit 2", Down, None, "exit code 2: the disk is full"),
        ("simple", "exit 126", CouldNotRun, None, "exit code 126"),
        ("simple", "/nonexistent/program", CouldNotRun, None, "exit code 127: "),
        ("simple", "kill -SEGV $$", CouldNotRun, None, "killed by signal SIGSEGV"),
        ("keepalived", "exit 0", Up, None, "exit code 0"),
        ("keepalived", "exit 1", Down, None, "exit code 1"),
        ("keepalived", "exit 2", Up, weight(0), "exit code 2"),
        ("keepalived", "exit 102", Up, weight(100), "exit code 102"),
        ("nagios", "echo 'OK - fine | load=1'", Up, None, "OK - fine"),
        ("nagios", "echo WARNING; exit 1", Up, None, "exit code 1: WARNING"),
        ("nagios", "exit 2", Down, None, "exit code 2"),
        ("nagios", "exit 3", CouldNotRun, None, "exit code 3"),
    ];
    let alone = Alone::started(|_| {
        let keys = |exit| format!("exit = '{exit}'\ninterval = '1s'");
        let scripts: Vec<String> = (0..)
            .zip(&table)
            .map(|(n, (exit, text, ..))| script(&format!("{n}-{exit}"), text, &keys(exit)))
            .collect();
        scripts.concat()
            + "[check.nobody]\ntype = 'script'\ncommand = ['/nonexistent/program']\ninterval = '1s'\n"
    });
    for (n, (exit, text, state, weight, reason)) in table.into_iter().enumerate() {
        let check =
            alone.wait_for(&format!("{n}-{exit}"), "is judged", SOON, |check| check.state != State::Unknown);
        assert_eq!((check.state, check.weight), (state, weight), "{text}: {}", check.reason);
        assert!(check.reason.starts_with(reason), "{text}: {}", check.reason);
        assert_eq!(check.warning.is_some(), text.contains("WARNING"), "{text}: {check:?}");
    }
    let nobody = alone.wait_for_state("nobody", CouldNotRun, SOON);
    assert!(nobody.reason.starts_with("cannot be started: No such file"), "{}", nobody.reason);
    assert_eq!(nobody.judged, None);
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn a_script_runs_as_healthcheckds_user_and_learns_only_what_it_needs() {
    const SECRET: (&str, &str) = ("LAB_SECRET", "hidden");
    let mut alone = Alone::new(|folder| {
        let file = |name: &str| folder.join(name).display().to_string();
        let text = format!("env >{}; id >{}; cat", file("environment"), file("user"));
        format!(
            "[[service]]\nname = 'web'\naddress = '192.0.2.15:80'\nforward = 'nat'\n\
             server = [{{ address = '192.0.2.80:8080' }}]\n[service.check]\ntype = 'script'\n\
             command = ['/bin/sh', '-c', {text:?}]\ninterval = '1s'\ntimeout = '2500ms'\n"
        )
    });
    let mut command = alone.healthcheckd.command(&[]);
    alone.healthcheckd.start_as(command.env(SECRET.0, SECRET.1));
    let own = Path::new("/proc").join(alone.pid().to_string());
    assert!(fs::read_to_string(own.join("environ")).unwrap().contains(SECRET.0));
    alone.wait_for_state("web/192.0.2.80:8080", State::Up, SOON);

    let environment = fs::read_to_string(alone.file("environment")).unwrap();
    let is_the_shells =
        |line: &&str| ["PWD=", "OLDPWD=", "SHLVL=", "_="].iter().any(|own| line.starts_with(own));
    let mut given: Vec<&str> = environment.lines().filter(|line| !is_the_shells(line)).collect();
    given.sort_unstable();
    assert_eq!(
        given,
        [
            "LANG=C.UTF-8",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "VIPKIT_ADDRESS=192.0.2.80",
            "VIPKIT_PORT=8080",
            "VIPKIT_TIMEOUT=2.5"
        ]
    );
    let uid = fs::metadata(own).unwrap().uid();
    let user = fs::read_to_string(alone.file("user")).unwrap();
    assert!(uid != 0 && user.starts_with(&format!("uid={uid}")), "{user}");
}
