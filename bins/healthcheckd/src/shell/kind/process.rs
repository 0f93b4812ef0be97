//! `process`: processes of this host are there: by a pid file or a control group, whose changes the kernel tells, or by name,
//! which takes a look at all processes each time: the kernel tells of them only in its first namespaces, and not everybody.

use std::future;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use tokio::time;
use vipkit_config::{Process, ProcessBy};
use vipkit_linux::pidfd;

use super::{Checker, Means, Running, Steps, Watch};
use crate::verdict::Outcome;

/// Where control groups are (cgroups(7), version 2).
const CGROUPS: &str = "/sys/fs/cgroup";
/// The most that is read of a pid file, in bytes.
const PID_FILE_MAX: u64 = 64;
/// How soon a process that is not there is looked for again: it may have ended unseen.
const GONE: Duration = Duration::from_millis(500);
/// The most that is read of `cgroup.events`, in bytes.
const EVENTS_MAX: u64 = 1024;

impl Checker for Process {
    fn run(&self, means: &Rc<Means>, steps: &Steps, timeout: Duration) -> Running {
        let (by, means, steps) = (self.by.clone(), means.clone(), steps.clone());
        Box::pin(async move {
            let looked = async {
                match by {
                    ProcessBy::PidFile(path) => by_pid_file(&means, &path).await,
                    ProcessBy::Cgroup(group) => by_cgroup(&means, &group).await,
                    ProcessBy::Name { name, arguments, at_least, at_most } => {
                        match means.processes.see().await {
                            Ok(all) => {
                                let count = all
                                    .iter()
                                    .filter(|process| process.is(&name, arguments.as_deref()))
                                    .count();
                                judge(count, at_least, at_most)
                            }
                            Err(error) => Outcome::hindered(
                                format_args!("processes of other users cannot be seen: {error}"),
                                "see ProtectProc= of healthcheckd, and hidepid= of /proc",
                            ),
                        }
                    }
                }
            };
            let outcome = time::timeout(timeout, looked).await.unwrap_or_else(|_| Outcome::late(timeout));
            steps.done("look");
            outcome
        })
    }

    fn watch(&self, means: &Rc<Means>) -> Option<Watch> {
        match &self.by {
            ProcessBy::PidFile(path) => {
                let (means, path, changed) = (means.clone(), path.clone(), means.watches.name(path));
                Some(Box::pin(async move {
                    tokio::select! {
                        () = changed => {}
                        () = end(&means, &path) => {}
                    }
                }))
            }
            ProcessBy::Cgroup(group) => {
                // Its folder comes and goes with the service, which its file does not tell.
                let (folder, events) = (folder(group), events(group));
                let (moved, changed) = (means.watches.name(&folder), means.watches.contents(&events));
                Some(Box::pin(async move {
                    tokio::select! {
                        () = moved => {}
                        () = changed => {}
                    }
                }))
            }
            ProcessBy::Name { .. } => None,
        }
    }
}

async fn by_pid_file(means: &Means, path: &Path) -> Outcome {
    let bytes = match means.files.read(path, PID_FILE_MAX).await {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Outcome::failed("no pid file"),
        Err(error) => return unreadable(&error),
    };
    let Some(pid) = number(&bytes) else { return Outcome::failed("no process number in the pid file") };
    match pidfd::Process::find(pid) {
        Ok(Some(_)) => Outcome::passed(format_args!("pid {pid}")),
        Ok(None) => Outcome::failed(format_args!("pid {pid} has ended")),
        Err(error) => Outcome::hindered(
            format_args!("pid {pid} cannot be looked at: {error}"),
            "see LimitNOFILE= of healthcheckd, and have Linux 5.3",
        ),
    }
}

/// Waits for the end of the process of a pid file; for ever if that names none.
async fn end(means: &Means, path: &Path) {
    let bytes = means.files.read(path, PID_FILE_MAX).await.unwrap_or_default();
    let Some(pid) = number(&bytes) else { return future::pending().await };
    let is_told = match pidfd::Process::find(pid) {
        Ok(Some(process)) => process.ended().await.is_ok(),
        // It may have ended since the latest run looked.
        Ok(None) => {
            time::sleep(GONE).await;
            true
        }
        Err(_) => false,
    };
    if !is_told {
        future::pending().await
    }
}

/// The first word of a pid file.
pub fn number(bytes: &[u8]) -> Option<u32> {
    str::from_utf8(bytes).ok()?.split_ascii_whitespace().next()?.parse().ok().filter(|pid| *pid != 0)
}

async fn by_cgroup(means: &Means, group: &str) -> Outcome {
    match means.files.read(&events(group), EVENTS_MAX).await {
        Ok(bytes) => match is_populated(&bytes) {
            Some(true) => Outcome::passed("has processes"),
            Some(false) => Outcome::failed("has no processes"),
            None => Outcome::hindered("its cgroup.events is not understood", "see `cat` of it"),
        },
        Err(error) if is_gone(&error) => {
            match means.files.read(&Path::new(CGROUPS).join("cgroup.controllers"), 1).await {
                Err(error) if error.kind() == ErrorKind::NotFound => Outcome::hindered(
                    "this host has no control groups of version 2",
                    "look for the process by its pid file or name",
                ),
                _ => Outcome::failed("no such control group"),
            }
        }
        Err(error) => unreadable(&error),
    }
}

fn folder(group: &str) -> PathBuf {
    Path::new(CGROUPS).join(group.trim_start_matches('/'))
}

fn events(group: &str) -> PathBuf {
    folder(group).join("cgroup.events")
}

/// It is not there, or went while it was read.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(nix::errno::Errno::ENODEV as i32)
}

/// Whether a group or one below it has processes (cgroup-v2, `cgroup.events`).
pub fn is_populated(events: &[u8]) -> Option<bool> {
    let value = str::from_utf8(events).ok()?.lines().find_map(|line| line.strip_prefix("populated "))?;
    match value {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}

fn unreadable(error: &io::Error) -> Outcome {
    Outcome::hindered(format_args!("cannot be read: {error}"), "let healthcheckd's user read it")
}

/// What a number of processes means.
fn judge(count: usize, at_least: u32, at_most: Option<u32>) -> Outcome {
    let shown = match count {
        0 => "no process".to_owned(),
        1 => "1 process".to_owned(),
        count => format!("{count} processes"),
    };
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    match at_most {
        _ if count < at_least && at_least == 1 => Outcome::failed(shown),
        _ if count < at_least => Outcome::failed(format_args!("{shown}, at least {at_least} are needed")),
        Some(most) if count > most => Outcome::failed(format_args!("{shown}, at most {most} may be")),
        _ => Outcome::passed(shown),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use proptest::prelude::*;
    use tokio::task::{LocalSet, spawn_local};

    use super::super::testing::{PATIENCE, means};
    use super::*;

    #[test]
    fn counts_are_judged() {
        for (count, at_least, at_most, outcome) in [
            (0, 1, None, Outcome::failed("no process")),
            (1, 1, None, Outcome::passed("1 process")),
            (1, 2, None, Outcome::failed("1 process, at least 2 are needed")),
            (3, 1, Some(3), Outcome::passed("3 processes")),
            (4, 1, Some(3), Outcome::failed("4 processes, at most 3 may be")),
            (0, 0, Some(0), Outcome::passed("no process")),
        ] {
            assert_eq!(judge(count, at_least, at_most), outcome);
        }
    }

    #[test]
    fn files_of_numbers_and_groups_are_read() {
        for (bytes, pid) in [
            (&b"12\n"[..], Some(12)),
            (b" 7 /usr/bin/x\n", Some(7)),
            (b"", None),
            (b"0", None),
            (b"-1", None),
            (b"\xff", None),
        ] {
            assert_eq!(number(bytes), pid);
        }
        assert_eq!(is_populated(b"populated 1\nfrozen 0\n"), Some(true));
        assert_eq!(is_populated(b"frozen 1\npopulated 0\n"), Some(false));
        assert_eq!(is_populated(b"populated x"), None);
        assert_eq!(is_populated(b""), None);
        assert_eq!(
            events("/system.slice/a.service"),
            Path::new("/sys/fs/cgroup/system.slice/a.service/cgroup.events")
        );
    }

    /// Waits until a check, told by its watch or not yet watched, says what it should.
    async fn says(check: &Process, means: &Rc<Means>, wanted: &Outcome) {
        time::timeout(PATIENCE, async {
            while check.run(means, &Steps::default(), PATIENCE).await != *wanted {
                time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn the_process_of_a_pid_file_comes_and_goes() {
        let test = async {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("pid");
            let (means, check) = (means(), Process { by: ProcessBy::PidFile(path.clone()) });
            says(&check, &means, &Outcome::failed("no pid file")).await;
            fs::write(&path, "x").unwrap();
            says(&check, &means, &Outcome::failed("no process number in the pid file")).await;
            let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
            fs::write(&path, format!("{}\n", child.id())).unwrap();
            says(&check, &means, &Outcome::passed(format_args!("pid {}", child.id()))).await;
            let mut told = spawn_local(check.watch(&means).unwrap());
            time::timeout(Duration::from_millis(100), &mut told).await.unwrap_err();
            child.kill().unwrap();
            time::timeout(PATIENCE, told).await.unwrap().unwrap();
            says(&check, &means, &Outcome::failed(format_args!("pid {} has ended", child.id()))).await;
            child.wait().unwrap();
        };
        LocalSet::new().run_until(test).await;
    }

    #[tokio::test]
    async fn processes_are_counted_by_name() {
        let wanted = format!("1002.{}", std::process::id());
        let by = |at_least| ProcessBy::Name {
            name: "sleep".to_owned(),
            arguments: Some(wanted.clone()),
            at_least,
            at_most: None,
        };
        let means = means();
        says(&Process { by: by(1) }, &means, &Outcome::failed("no process")).await;
        let mut children = [0, 1].map(|_| Command::new("sleep").arg(&wanted).spawn().unwrap());
        says(&Process { by: by(2) }, &means, &Outcome::passed("2 processes")).await;
        children[0].kill().unwrap();
        // A zombie until somebody waits for it.
        says(&Process { by: by(2) }, &means, &Outcome::failed("1 process, at least 2 are needed")).await;
        children[1].kill().unwrap();
        for mut child in children {
            child.wait().unwrap();
        }
    }

    #[tokio::test]
    #[ignore = "needs root and control groups of version 2"]
    async fn a_control_group_is_watched() {
        let test = async {
            let name = format!("vipkit-test-{}", std::process::id());
            let folder = Path::new(CGROUPS).join(&name);
            let (means, check) = (means(), Process { by: ProcessBy::Cgroup(name) });
            says(&check, &means, &Outcome::failed("no such control group")).await;
            fs::create_dir(&folder).unwrap();
            says(&check, &means, &Outcome::failed("has no processes")).await;
            let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
            let mut told = spawn_local(check.watch(&means).unwrap());
            time::timeout(Duration::from_millis(100), &mut told).await.unwrap_err();
            fs::write(folder.join("cgroup.procs"), child.id().to_string()).unwrap();
            time::timeout(PATIENCE, told).await.unwrap().unwrap();
            says(&check, &means, &Outcome::passed("has processes")).await;
            let told = check.watch(&means).unwrap();
            child.kill().unwrap();
            child.wait().unwrap();
            time::timeout(PATIENCE, told).await.unwrap();
            says(&check, &means, &Outcome::failed("has no processes")).await;
            let mut told = spawn_local(check.watch(&means).unwrap());
            time::timeout(Duration::from_millis(100), &mut told).await.unwrap_err();
            fs::remove_dir(&folder).unwrap();
            time::timeout(PATIENCE, told).await.unwrap().unwrap();
            says(&check, &means, &Outcome::failed("no such control group")).await;
            let told = check.watch(&means).unwrap();
            fs::create_dir(&folder).unwrap();
            time::timeout(PATIENCE, told).await.unwrap();
            fs::remove_dir(&folder).unwrap();
        };
        LocalSet::new().run_until(test).await;
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>) {
            let _ = number(&bytes);
            let _ = is_populated(&bytes);
        }
    }
}
