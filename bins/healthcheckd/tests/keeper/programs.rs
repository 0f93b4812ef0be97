//! Programs with a keeper, as real processes: however they try to stay, nothing is left of them, and nobody waits for them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use healthcheckd::shell::keeper::{self, End, Keepers, Report};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{interval, sleep, timeout};

/// Longer than anything takes that is ended.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(300);
const MARKER: &str = "VIPKIT_TEST_MARKER";

/// A program of `sh`, and a mark that all it starts inherits.
struct Script {
    mark: String,
    command: Vec<String>,
}

/// As in the daemon: one for all. Two would take each other's keepers for leftovers.
static KEEPERS: LazyLock<Keepers> = LazyLock::new(|| {
    keeper::prepare().unwrap();
    Keepers::of(Path::new(env!("CARGO_BIN_EXE_healthcheckd")))
});

impl Script {
    fn new(mark: &str, text: &str) -> Self {
        let mark = format!("{mark}-{}", std::process::id());
        Self { mark, command: ["/bin/sh", "-c", text].map(str::to_owned).to_vec() }
    }

    async fn run(&self, limit: Duration) -> Report {
        let environment = vec![(MARKER, self.mark.clone())];
        KEEPERS.run(&self.command, environment, limit).await.unwrap()
    }

    /// Processes that have the mark, the keeper among them; zombies have none any more.
    fn processes(&self) -> BTreeSet<u32> {
        let mark = format!("{MARKER}={}\0", self.mark);
        let has_mark = |pid: &u32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            String::from_utf8_lossy(&environment).contains(&mark)
        };
        let numbers = fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
        numbers.filter(has_mark).collect()
    }

    async fn has_processes(&self, count: usize) {
        patiently(&format!("{count} processes of {}", self.mark), || self.processes().len() == count).await;
    }

    /// At once: what was waited for has left nothing.
    fn assert_gone(&self) {
        assert_eq!(self.processes(), BTreeSet::new(), "{}", self.mark);
    }
}

async fn patiently(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        sleep(Duration::from_millis(2)).await;
    }
}

/// All in one process and in order: a keeper that was killed has all unknown children of the process ended.
#[tokio::test]
async fn nothing_is_left_of_a_program() {
    LocalSet::new().run_until(all()).await;
}

async fn all() {
    exit_codes_and_signals_are_reported().await;
    output_is_kept_in_part_and_read_in_whole().await;
    the_environment_is_clean().await;
    what_cannot_be_started_is_said().await;
    whatever_hangs_is_ended().await;
    what_stays_behind_is_ended_at_exit().await;
    a_run_may_be_dropped_at_any_time().await;
    what_a_killed_keeper_leaves_is_ended().await;
    others_on_the_loop_are_not_late().await;
    no_zombies().await;
}

async fn exit_codes_and_signals_are_reported() {
    for (text, end) in [
        ("exit 0", End::Exit(0)),
        ("exit 1", End::Exit(1)),
        ("exit 255", End::Exit(255)),
        ("kill -SEGV $$", End::Signal(11)),
        ("kill -KILL $$", End::Signal(9)),
        // It is not told of the signals that its keeper does not want.
        ("kill -TERM $$", End::Signal(15)),
    ] {
        let script = Script::new("end", text);
        assert_eq!(script.run(LONG).await, Report { end, output: String::new(), left: vec![] }, "{text}");
        script.assert_gone();
    }
}

async fn output_is_kept_in_part_and_read_in_whole() {
    let script =
        Script::new("output", "echo good; echo bad >&2; head -c 10000000 /dev/zero | tr '\\0' x; exit 3");
    let report = script.run(LONG).await;
    assert_eq!((report.end, report.output.len()), (End::Exit(3), 4096));
    assert!(report.output.starts_with("good\nbad\nxxx"), "{}", report.output);
    let blocked = Script::new("blocked", "grep SigBlk /proc/self/status; yes | head -c 1").run(LONG).await;
    assert_eq!(blocked.output, format!("SigBlk:\t{}\ny", "0".repeat(16)), "no signal is blocked");
    let pipe = Script::new(
        "pipe",
        "{ trap 'exit 0' EXIT; yes; } | head -c 1; sed -n 's/^SigIgn:.*\\(.\\)...$/\\1/p' /proc/self/status",
    );
    assert_eq!(pipe.run(LONG).await.output, "y0\n", "SIGPIPE is not ignored");
    let bytes = Script::new("bytes", "head -c 100000 /dev/zero").run(LONG).await;
    assert_eq!((bytes.end, bytes.output), (End::Exit(0), "\0".repeat(4096)));
}

async fn the_environment_is_clean() {
    let script = Script::new("environment", "pwd; cat; ulimit -S -c 0; env; ps -o comm= $PPID");
    let output = script.run(LONG).await.output;
    let mut lines: Vec<&str> = output.lines().filter(|line| !line.starts_with("OLDPWD=")).collect();
    assert_eq!((lines.remove(0), lines.pop()), ("/", Some("healthcheckd")));
    lines.sort_unstable();
    let marker = format!("{MARKER}={}", script.mark);
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    assert_eq!(lines, ["LANG=C.UTF-8", path, "PWD=/", marker.as_str()]);
}

async fn what_cannot_be_started_is_said() {
    for (program, why) in
        [("/nonexistent", "No such file"), ("/etc/passwd", "Permission denied"), ("/", "Permission denied")]
    {
        let report = KEEPERS.run(&[program.to_owned()], vec![], LONG).await.unwrap();
        assert!(matches!(&report.end, End::NotStarted(error) if error.contains(why)), "{report:?}");
    }
    let nobody = Keepers::of(Path::new("/nonexistent"));
    nobody.run(&["/bin/true".to_owned()], vec![], LONG).await.unwrap_err();
    // Something that is no keeper.
    let other = Keepers::of(Path::new("/bin/true"));
    other.run(&["/bin/true".to_owned()], vec![], LONG).await.unwrap_err();
}

async fn whatever_hangs_is_ended() {
    for (mark, text) in [
        ("hangs", "sleep 1000"),
        ("silent", "exec >&- 2>&-; sleep 1000"),
        ("deaf", "trap '' TERM INT HUP; while :; do sleep 1000; done"),
        ("session", "setsid sleep 1000; :"),
        ("fork", "(setsid sh -c 'sleep 1000 & sleep 1000 & wait' &) ; sleep 1000"),
        (
            "bomb",
            "n=0; while [ $n -lt 50 ]; do setsid sh -c 'sleep 1000 & sleep 1000' & n=$((n+1)); done; wait",
        ),
        ("stopped", "setsid sleep 1000 & kill -STOP $$"),
        ("prints", "yes"),
    ] {
        let script = Script::new(mark, text);
        let report = script.run(SHORT).await;
        assert_eq!((report.end, report.left), (End::Stopped, vec![]), "{mark}");
        script.assert_gone();
    }
}

async fn what_stays_behind_is_ended_at_exit() {
    let bomb = "n=0; while [ $n -lt 50 ]; do setsid sh -c 'sleep 1000 & sleep 1000' >/dev/null 2>&1 & n=$((n+1)); done; exit 7";
    for (mark, text, code) in [
        ("background", "sleep 1000 & exit 5", 5),
        ("daemon", "(setsid sh -c 'sleep 1000 & sleep 1000' </dev/null >/dev/null 2>&1 &); exit 6", 6),
        ("bomb-exit", bomb, 7),
        // Each starts another and ends.
        ("hydra", "f() { f & }; f; exit 8", 8),
    ] {
        let script = Script::new(mark, text);
        let report = script.run(LONG).await;
        assert_eq!((report.end, report.left), (End::Exit(code), vec![]), "{mark}");
        script.assert_gone();
    }
}

async fn a_run_may_be_dropped_at_any_time() {
    let script = Script::new("dropped", "setsid sleep 1000 & sleep 1000");
    // Before it was started, while it is, and soon after.
    for micros in (0..20).map(|step| step * 300) {
        let _ = timeout(Duration::from_micros(micros), script.run(LONG)).await;
    }
    script.has_processes(0).await;
    let running = {
        let script = Script::new("dropped", "setsid sleep 1000 & sleep 1000");
        spawn_local(async move { script.run(LONG).await })
    };
    // Keeper, shell, and two that sleep.
    script.has_processes(4).await;
    running.abort();
    script.has_processes(0).await;
}

async fn what_a_killed_keeper_leaves_is_ended() {
    let script = Rc::new(Script::new("orphans", "setsid sh -c 'sleep 1000 & sleep 1000' & sleep 1000"));
    let running = {
        let script = script.clone();
        spawn_local(
            async move { KEEPERS.run(&script.command, vec![(MARKER, script.mark.clone())], LONG).await },
        )
    };
    script.has_processes(6).await;
    let keeper = *script.processes().first().unwrap();
    vipkit_linux::children::kill(keeper).unwrap();
    running.await.unwrap().unwrap_err();
    script.has_processes(0).await;

    // Nobody waits for this one; the next that starts clears up.
    let running = {
        let script = script.clone();
        spawn_local(
            async move { KEEPERS.run(&script.command, vec![(MARKER, script.mark.clone())], LONG).await },
        )
    };
    script.has_processes(6).await;
    let keeper = *script.processes().first().unwrap();
    vipkit_linux::children::kill(keeper).unwrap();
    running.abort();
    patiently("cleared up", || script.processes().len() < 6).await;
    KEEPERS.run(&["/bin/true".to_owned()], vec![], LONG).await.unwrap();
    script.has_processes(0).await;
}

async fn others_on_the_loop_are_not_late() {
    let script = Script::new("beside", "setsid yes & yes & sleep 1000");
    let mut late = Duration::ZERO;
    let mut ticks = interval(Duration::from_millis(5));
    let mut running = std::pin::pin!(script.run(Duration::from_secs(1)));
    loop {
        let due = Instant::now();
        tokio::select! {
            report = &mut running => break assert_eq!(report.end, End::Stopped),
            _ = ticks.tick() => late = late.max(due.elapsed().saturating_sub(Duration::from_millis(5))),
        }
    }
    assert!(late < Duration::from_millis(200), "{late:?}");
}

async fn no_zombies() {
    let zombie = || {
        let children = vipkit_linux::children::list().unwrap();
        let state = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        children.iter().any(|pid| state(pid).contains(") Z "))
    };
    patiently("no zombies", || !zombie()).await;
    patiently("no children", || vipkit_linux::children::list().unwrap().is_empty()).await;
}
