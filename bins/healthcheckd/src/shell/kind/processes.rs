//! Which processes there are, by looking at all of /proc: at most once for all who ask at about the same moment, on a helper
//! thread. Must not know what is asked of them.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, Read};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use vipkit_core::units::Mono;
use vipkit_daemon::clock::now;

/// For so long, what was seen is what is there.
const FRESH: Duration = Duration::from_millis(100);
/// The most that is read of the arguments of a process, in bytes.
const ARGUMENTS_MAX: u64 = 4096;
/// The most that is kept of all processes, in bytes.
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes that the kernel keeps of a process's name: `TASK_COMM_LEN` (linux/sched.h) without the zero.
const NAME_MAX: usize = 15;

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its name, as far as the kernel keeps it.
    name: Vec<u8>,
    /// Its arguments, the program first, each with a zero byte after it.
    arguments: Vec<u8>,
}

impl Process {
    /// Whether it has a name and, separated by spaces, these arguments. Of a name longer than the kernel keeps, the rest is
    /// by its first two arguments: of a script, the first is what runs it.
    #[must_use]
    pub fn is(&self, name: &str, arguments: Option<&str>) -> bool {
        let name = name.as_bytes();
        let kept = name.get(..NAME_MAX).unwrap_or(name);
        if self.name != kept || name.len() > NAME_MAX && !self.is_program(name) {
            return false;
        }
        let Some(wanted) = arguments.map(str::as_bytes).filter(|wanted| !wanted.is_empty()) else {
            return true;
        };
        let line: Vec<u8> = self.arguments.iter().map(|byte| if *byte == 0 { b' ' } else { *byte }).collect();
        line.windows(wanted.len()).any(|part| part == wanted)
    }

    fn is_program(&self, name: &[u8]) -> bool {
        let file_name = |argument: &[u8]| argument.rsplit(|byte| *byte == b'/').next() == Some(name);
        // A program may write over its arguments: "name: worker".
        self.arguments
            .split(|byte| *byte == 0)
            .take(2)
            .any(|first| file_name(first) || first.starts_with(name))
    }
}

/// What was seen last.
#[derive(Debug, Default)]
pub struct Processes {
    seen: RefCell<Option<(Mono, Rc<Vec<Process>>)>>,
    looking: Mutex<()>,
}

impl Processes {
    /// All processes but zombies.
    ///
    /// # Errors
    /// Not all of them can be seen, or there is more to see than can be kept.
    pub async fn see(&self) -> io::Result<Rc<Vec<Process>>> {
        let _looking = self.looking.lock().await;
        if let Some((at, seen)) = &*self.seen.borrow()
            && now() - *at < FRESH
        {
            return Ok(seen.clone());
        }
        let at = now();
        let seen = Rc::new(spawn_blocking(look).await??);
        self.seen.replace(Some((at, seen.clone())));
        Ok(seen)
    }
}

fn look() -> io::Result<Vec<Process>> {
    // The first process is another user's; where it is hidden, so are others, and they would seem to be gone.
    fs::read("/proc/1/stat")?;
    let mut processes = Vec::new();
    let mut bytes = 0;
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // Either fails if it has ended meanwhile.
        let Some(name) = fs::read(format!("/proc/{pid}/stat")).ok().as_deref().and_then(living) else {
            continue;
        };
        let Ok(file) = File::open(format!("/proc/{pid}/cmdline")) else { continue };
        let mut arguments = Vec::new();
        if file.take(ARGUMENTS_MAX).read_to_end(&mut arguments).is_err() {
            continue;
        }
        bytes += size_of::<Process>() + name.len() + arguments.len();
        if bytes > BYTES_MAX {
            return Err(io::Error::other("there are too many"));
        }
        processes.push(Process { name, arguments });
    }
    Ok(processes)
}

/// The name by /proc/PID/stat (proc_pid_stat(5)), in brackets and of any bytes, if the state after it is that of one that has
/// not ended.
pub fn living(stat: &[u8]) -> Option<Vec<u8>> {
    let from = stat.iter().position(|byte| *byte == b'(')? + 1;
    let to = stat.iter().rposition(|byte| *byte == b')')?;
    let state = stat.get(to..)?.get(2)?;
    (!matches!(state, b'Z' | b'X' | b'x')).then(|| stat.get(from..to).map(<[u8]>::to_vec))?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn process(name: &str, arguments: &str) -> Process {
        Process { name: name.into(), arguments: arguments.replace(' ', "\0").into() }
    }

    #[test]
    fn processes_are_known_by_name_and_arguments() {
        let long = "a-very-long-daemon-name";
        for (process, name, arguments, is) in [
            (process("nginx", "nginx: worker"), "nginx", None, true),
            (process("nginx", "/usr/sbin/nginx -g x"), "ngin", None, false),
            (process("java", "java -jar shop.jar "), "java", Some("-jar shop"), true),
            (process("java", "java -jar blog.jar "), "java", Some("-jar shop"), false),
            (process("java", ""), "java", Some(""), true),
            (process("a-very-long-dae", "/usr/bin/a-very-long-daemon-name -x"), long, None, true),
            (process("a-very-long-dae", "python3 /opt/a-very-long-daemon-name"), long, None, true),
            (process("a-very-long-dae", "a-very-long-daemon-name: worker"), long, None, true),
            (process("a-very-long-dae", "/usr/bin/a-very-long-daemon-other"), long, None, false),
            (process("a-very-long-dae", ""), long, None, false),
        ] {
            assert_eq!(process.is(name, arguments), is, "{process:?}");
        }
    }

    #[test]
    fn zombies_are_none_and_names_are_of_any_bytes() {
        assert_eq!(living(b"1 (a) b) S 0").as_deref(), Some(&b"a) b"[..]));
        for none in [&b"1 (a) Z 0"[..], b"1 (a) X 0", b"", b"1 (a", b"1 (a)", b")("] {
            assert_eq!(living(none), None);
        }
    }

    #[tokio::test]
    async fn all_who_ask_at_a_moment_see_the_same() {
        let processes = Processes::default();
        let (first, second) = tokio::join!(processes.see(), processes.see());
        let (first, second) = (first.unwrap(), second.unwrap());
        assert!(Rc::ptr_eq(&first, &second));
        let ours = fs::read("/proc/self/comm").unwrap();
        assert!(first.iter().any(|process| process.name == ours.trim_ascii_end()));
    }

    proptest! {
        #[test]
        fn any_bytes_are_living_or_not(stat: Vec<u8>, name: String, wanted: Option<String>) {
            if let Some(name_of) = living(&stat) {
                let _ = Process { name: name_of, arguments: stat }.is(&name, wanted.as_deref());
            }
        }
    }
}
