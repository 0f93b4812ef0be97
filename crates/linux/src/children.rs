//! The processes below this one: taking them over when their parents end, listing and ending them. Must not start any.

use std::fs;
use std::io::{self, ErrorKind};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill as send, sigaction};
use nix::unistd::Pid;

/// From now on, a process below this one whose parent ends becomes a child of this one, not of the first process
/// (PR_SET_CHILD_SUBREAPER, prctl(2)).
///
/// # Errors
/// The kernel's.
pub fn adopt() -> io::Result<()> {
    Ok(prctl::set_child_subreaper(true)?)
}

/// Whether processes below this one become its children when their parents end.
#[must_use]
pub fn adopts() -> bool {
    prctl::get_child_subreaper().unwrap_or_default()
}

/// From now on, the kernel forgets children that end, so none becomes a zombie, and nobody can wait for one
/// (SA_NOCLDWAIT, sigaction(2)). Programs that are started know nothing of it.
///
/// # Errors
/// The kernel's.
pub fn leave_no_zombies() -> io::Result<()> {
    let action = SigAction::new(SigHandler::SigDfl, SaFlags::SA_NOCLDWAIT, SigSet::empty());
    // SAFETY: no function of ours is made a handler.
    unsafe { sigaction(Signal::SIGCHLD, &action) }?;
    Ok(())
}

/// The children of this process. One that comes or goes meanwhile may be missed.
///
/// # Errors
/// There is no /proc.
pub fn list() -> io::Result<Vec<u32>> {
    let mut children = Vec::new();
    for task in fs::read_dir("/proc/self/task")? {
        match fs::read_to_string(task?.path().join("children")) {
            Ok(line) => {
                children.extend(line.split_ascii_whitespace().filter_map(|pid| pid.parse::<u32>().ok()))
            }
            // The thread has ended, or the kernel is without CONFIG_PROC_CHILDREN.
            Err(error) if error.kind() == ErrorKind::NotFound => return search(),
            Err(error) => return Err(error),
        }
    }
    Ok(children)
}

/// The same, by asking every process for its parent.
fn search() -> io::Result<Vec<u32>> {
    let us = std::process::id();
    let mut children = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // One that has ended, or is hidden from us, is none of ours.
        let stat = fs::read(format!("/proc/{pid}/stat")).unwrap_or_default();
        if parent(&stat) == Some(us) {
            children.push(pid);
        }
    }
    Ok(children)
}

/// The parent by /proc/PID/stat (proc_pid_stat(5)): the second word after the name, which is in brackets and may contain
/// any.
fn parent(stat: &[u8]) -> Option<u32> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let words = str::from_utf8(stat.get(end..)?).ok()?;
    words.split_ascii_whitespace().nth(2)?.parse().ok()
}

/// Ends a child, which cannot refuse.
///
/// # Errors
/// It acts as another user (EPERM).
pub fn kill(child: u32) -> io::Result<()> {
    match send(Pid::from_raw(i32::try_from(child).map_err(io::Error::other)?), Signal::SIGKILL) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The name of a process, at most 15 bytes, as the kernel shows it; none if it has ended.
#[must_use]
pub fn name(pid: u32) -> Option<String> {
    let name = fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(name.trim_ascii_end()).into_owned())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn children_are_listed_either_way_named_and_killed() {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = child.id();
        assert!(list().unwrap().contains(&pid));
        assert!(search().unwrap().contains(&pid));
        assert_eq!(name(pid).as_deref(), Some("sleep"));
        kill(pid).unwrap();
        assert!(!child.wait().unwrap().success());
        assert!(!search().unwrap().contains(&pid));
        assert_eq!(name(pid), None);
        kill(pid).unwrap();
    }

    #[test]
    fn what_is_adopted_is_listed() {
        adopt().unwrap();
        assert!(adopts());
        // The shell ends, and what it started does not.
        let shell = Command::new("sh").args(["-c", "sleep 1001 >&- 2>&- & echo $!"]).output().unwrap();
        let orphan = String::from_utf8(shell.stdout).unwrap().trim().parse().unwrap();
        assert!(list().unwrap().contains(&orphan));
        kill(orphan).unwrap();
    }

    #[test]
    fn the_parent_is_found_behind_any_name() {
        assert_eq!(parent(b"12 (a) b) S 7 12 12 0"), Some(7));
        for bad in [&b""[..], b"12 (a", b"12 (a) S", b"12 (a) S x", b"12 (a) S -1"] {
            assert_eq!(parent(bad), None);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_have_a_parent_or_none(bytes: Vec<u8>) {
            let _ = parent(&bytes);
        }
    }
}
