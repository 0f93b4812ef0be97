//! What is checked on this machine itself: processes, files and units. Where the kernel tells of a change, it is noticed at
//! once, however long the interval is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use vipkit_control::health::{State, Weight, WeightUnit};
use vipkit_tests::lab::process::Process;

use crate::alone::{Alone, SOON};

/// Within this, what is watched is noticed, on a busy machine; the interval is an hour.
const AT_ONCE: Duration = Duration::from_secs(1);
const WATCHED: &str = "interval = '1h'\nretries = 0\n";
/// For what is looked for again and again.
const POLLED: &str = "interval = '200ms'\nretries = 0\n";

impl Alone {
    /// Starts a program of this name on the host, which does nothing.
    fn idle(&self, name: &str) -> Process {
        let program = self.file(name);
        fs::copy("/bin/sleep", &program).unwrap();
        self.sleep(program.to_str().unwrap())
    }

    fn sleep(&self, program: &str) -> Process {
        let mut command = self.host.command(&[program, "1000"]);
        Process::start(command.stdin(Stdio::null()), &self.host.folder().join("idle.log"))
    }
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn the_end_of_a_process_with_a_pid_file_is_noticed_at_once() {
    let alone = Alone::started(|folder| {
        format!("[check.app]\ntype = 'process'\npid_file = '{}'\n{WATCHED}", folder.join("pid").display())
    });
    let noticed = |state, reason: &str| {
        let check = alone.wait_for("app", reason, AT_ONCE, |check| check.reason == reason);
        assert_eq!(check.state, state);
    };
    let down = alone.wait_for_state("app", State::Down, SOON);
    assert_eq!(down.reason, "no pid file");
    for _ in 0..2 {
        let process = alone.sleep("sleep");
        fs::write(alone.file("pid"), format!("{}\n", process.pid())).unwrap();
        noticed(State::Up, &format!("pid {}", process.pid()));
        let pid = process.pid();
        drop(process);
        noticed(State::Down, &format!("pid {pid} has ended"));
    }
    fs::remove_file(alone.file("pid")).unwrap();
    noticed(State::Down, "no pid file");
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn processes_are_found_by_name_also_by_a_long_one() {
    // The kernel keeps 15 bytes of a name.
    const NAMES: [&str; 2] = ["lab-idle", "lab-idle-with-a-long-name"];
    let alone = Alone::started(|_| {
        NAMES.map(|name| format!("[check.{name}]\ntype = 'process'\nname = '{name}'\n{POLLED}")).concat()
            + &format!(
                "[check.two]\ntype = 'process'\nname = '{}'\narguments = '1000'\nat_least = 2\nat_most = 2\n{POLLED}",
                NAMES[1]
            )
    });
    for name in NAMES {
        alone.wait_for_state(name, State::Down, SOON);
    }
    let long = alone.idle(NAMES[1]);
    alone.wait_for_state(NAMES[1], State::Up, SOON);
    assert_eq!(alone.healthcheckd.check(NAMES[0]).state, State::Down, "another begins like it");
    let reason = "1 process, at least 2 are needed";
    alone.wait_for("two", reason, SOON, |check| check.state == State::Down && check.reason == reason);
    let second = alone.sleep(alone.file(NAMES[1]).to_str().unwrap());
    alone.wait_for("two", "are two", SOON, |check| check.state == State::Up && check.reason == "2 processes");
    let short = alone.idle(NAMES[0]);
    alone.wait_for_state(NAMES[0], State::Up, SOON);
    drop((long, second, short));
    for name in NAMES {
        alone.wait_for_state(name, State::Down, SOON);
    }
}

/// A control group of version 2, if this kernel lets us make one.
struct Group(PathBuf);

impl Group {
    fn new() -> Option<Self> {
        let path = Path::new("/sys/fs/cgroup").join(format!("vipkit-lab-{}", std::process::id()));
        fs::create_dir(&path).ok()?;
        path.join("cgroup.events").exists().then_some(Self(path))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // It can be removed when nothing is in it, which a failed test need not wait for.
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn the_last_process_of_a_control_group_is_missed_at_once() {
    let Some(group) = Group::new() else {
        println!("skipped: no control group of version 2 can be made here");
        return;
    };
    let name = group.0.file_name().unwrap().to_str().unwrap().to_owned();
    let mut alone = Alone::new(|_| format!("[check.app]\ntype = 'process'\ncgroup = '{name}'\n{WATCHED}"));
    // ip(8) gives what it runs in a namespace a /sys of its own, without control groups.
    let usual = alone.healthcheckd.command(&[]);
    let mount = "mount -t cgroup2 none /sys/fs/cgroup && exec \"$@\"";
    let mut command = alone.host.command(&["sh", "-c", mount, "sh"]);
    command
        .args(usual.get_args().skip(3))
        .envs(usual.get_envs().filter_map(|(key, value)| Some((key, value?))));
    alone.healthcheckd.start_as(&mut command);
    alone.wait_for_state("app", State::Down, SOON);
    let process = alone.sleep("sleep");
    fs::write(group.0.join("cgroup.procs"), process.pid().to_string()).unwrap();
    alone.wait_for_state("app", State::Up, AT_ONCE);
    drop(process);
    let down = alone.wait_for_state("app", State::Down, AT_ONCE);
    assert_eq!(down.reason, "has no processes");
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn a_number_in_a_file_is_a_weight_and_a_change_is_noticed_at_once() {
    let alone = Alone::started(|folder| {
        format!("[check.weight]\ntype = 'file'\nfile = '{}'\n{WATCHED}", folder.join("weight").display())
    });
    let missing = alone.wait_for_state("weight", State::CouldNotRun, SOON);
    assert_eq!(
        (missing.judged, missing.reason.as_str()),
        (None, "there is no such file: write a number into it")
    );
    for number in [50, -3] {
        fs::write(alone.file("new"), format!("{number}\n")).unwrap();
        fs::rename(alone.file("new"), alone.file("weight")).unwrap();
        let weight = Some(Weight { unit: WeightUnit::Absolute, number });
        alone.wait_for("weight", "is the new one", AT_ONCE, |check| {
            check.state == State::Up && check.weight == weight
        });
    }
    fs::write(alone.file("weight"), "much").unwrap();
    let nonsense = alone.wait_for_state("weight", State::CouldNotRun, AT_ONCE);
    assert!(nonsense.reason.starts_with("it is no number"), "{}", nonsense.reason);
    fs::write(alone.file("weight"), "7").unwrap();
    alone.wait_for("weight", "is written in place", AT_ONCE, |check| {
        check.weight == Some(Weight { unit: WeightUnit::Absolute, number: 7 })
    });
    fs::remove_file(alone.file("weight")).unwrap();
    alone.wait_for_state("weight", State::CouldNotRun, AT_ONCE);
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn without_systemd_units_could_not_be_looked_at() {
    if Path::new("/run/systemd/system").exists() {
        println!("skipped: systemd runs here");
        return;
    }
    let alone =
        Alone::started(|_| format!("[check.unit]\ntype = 'systemd'\nunit = 'nginx.service'\n{POLLED}"));
    let unit = alone.wait_for_state("unit", State::CouldNotRun, SOON);
    assert_eq!(unit.judged, None);
    assert!(
        ["systemctl: ", "cannot be started: "].iter().any(|why| unit.reason.starts_with(why)),
        "{}",
        unit.reason
    );
}
