//! A network namespace, its end, and the end of what runs in it. Also removes what a run left that was killed.
//! Must not touch a namespace that is not named like ours.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::{self, Command};
use std::{env, thread};

use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::process::run;

const FOLDER: &str = "/run/netns";

/// A named network namespace. When it is dropped, its processes are killed and its name is removed.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes it.
    #[must_use]
    pub fn create(name: String) -> Self {
        ip(&format!("netns add {name}"));
        Self { name }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A program that is to run in it.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// The processes in it; those that have ended and nobody waited for are in none.
    #[must_use]
    pub fn pids(&self) -> BTreeSet<u32> {
        pids(&self.name)
    }

    /// Runs ip(8) on it; returns what that prints.
    pub fn ip(&self, arguments: &str) -> String {
        ip(&format!("-n {} {arguments}", self.name))
    }

    /// Does something in it, such as making a socket: that stays where it was made.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let enter =
            || setns(File::open(Path::new(FOLDER).join(&self.name)).unwrap(), CloneFlags::CLONE_NEWNET);
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                enter().unwrap();
                work()
            });
            thread.join().unwrap()
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// What the names of this run begin with.
#[must_use]
pub fn prefix() -> String {
    format!("{PREFIX}{}", process::id())
}

/// Removes what runs that are no more have left: namespaces, with what runs in them, and folders.
pub fn sweep() {
    for name in left_in(Path::new(FOLDER)) {
        remove(&name);
    }
    let temporary = env::temp_dir();
    for name in left_in(&temporary) {
        // What cannot be removed is in nobody's way.
        let _ = fs::remove_dir_all(temporary.join(name));
    }
}

/// Names in a folder that runs gave which are no more.
fn left_in(folder: &Path) -> Vec<String> {
    let is_left = |name: &String| {
        let rest = name.strip_prefix(PREFIX);
        let pid = rest.and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        // What has our process id is of an earlier process: this one has made nothing yet.
        pid.is_some_and(|pid| pid == process::id() || !Path::new(&format!("/proc/{pid}")).exists())
    };
    let names = fs::read_dir(folder).into_iter().flatten().flatten();
    names.filter_map(|entry| entry.file_name().into_string().ok()).filter(is_left).collect()
}

fn remove(name: &str) {
    for pid in pids(name).into_iter().filter_map(|pid| pid.try_into().ok()) {
        // It may have ended by itself.
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
    let _ = run(Command::new("ip").args(["netns", "delete", name]));
}

fn pids(name: &str) -> BTreeSet<u32> {
    let printed = run(Command::new("ip").args(["netns", "pids", name])).stdout;
    printed.lines().filter_map(|pid| pid.trim().parse().ok()).collect()
}

fn ip(arguments: &str) -> String {
    let ran = run(Command::new("ip").args(arguments.split_whitespace()));
    assert_eq!(ran.code, 0, "ip {arguments}: {}", ran.stderr);
    ran.stdout
}

const PREFIX: &str = "vipkit-lab-";
