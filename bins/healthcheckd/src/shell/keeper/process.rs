//! The keeper: a process that starts one program, waits for its end, and ends all that it started. It has one thread, and
//! waits for whatever comes first: what the program prints, the end of a child, the end of its own input, which whoever
//! started it holds open as long as it wants the program to run.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal, killpg};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use vipkit_linux::children;

use super::{End, OUTPUT_MAX, Report, WORD};

/// How long it is tried to end what a program started. What was sent SIGKILL and hangs in the kernel ends later.
const ENDING: Duration = Duration::from_secs(2);
/// The longest from one try to the next, in milliseconds.
const MOMENT: u8 = 10;
/// Most names of what could not be ended.
const LEFT_MAX: usize = 8;

/// Is a keeper if the arguments say so; else there is none, and nothing was done.
pub fn keep_if_asked(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter().skip(1);
    if arguments.next()? != WORD {
        return None;
    }
    let program = arguments.next()?;
    let report = keep(Command::new(program).args(arguments)).unwrap_or_else(|error| Report {
        end: End::NotStarted(error.to_string()),
        output: String::new(),
        left: Vec::new(),
    });
    let told =
        serde_json::to_vec(&report).map_err(io::Error::from).and_then(|line| io::stdout().write_all(&line));
    Some(if told.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn keep(command: &mut Command) -> io::Result<Report> {
    children::adopt()?;
    // What `ps` shows would be "exe".
    prctl::set_name(c"healthcheckd")?;
    // A program that takes all memory goes before the daemons do.
    let _ = fs::write("/proc/self/oom_score_adj", "0");
    let only_children = SigSet::from_iter([Signal::SIGCHLD]);
    let ended = SignalFd::with_flags(&only_children, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
    let (pipe, writer) = io::pipe()?;
    fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    let command = command.process_group(0).stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    // A program starts with the mask of who starts it.
    SigSet::empty().thread_set_mask()?;
    let script = Pid::from_raw(i32::try_from(command.spawn()?.id()).map_err(io::Error::other)?);
    // Whoever ends a keeper by its input ends what it keeps; by a signal, nobody would.
    SigSet::all().thread_block()?;
    let mut keeper = Keeper { script, ended, output: Output { pipe: Some(pipe), kept: Vec::new() } };
    let end = keeper.watch()?;
    if end == End::Stopped {
        // All that did not turn its back at once: nobody has waited for it, so its number is not another's.
        let _ = killpg(script, Signal::SIGKILL);
    }
    let left = keeper.end_all()?;
    keeper.output.read()?;
    Ok(Report { end, output: String::from_utf8_lossy(&keeper.output.kept).into_owned(), left })
}

struct Keeper {
    script: Pid,
    /// Readable when a child ended.
    ended: SignalFd,
    output: Output,
}

impl Keeper {
    /// Waits for the end of the script.
    fn watch(&mut self) -> io::Result<End> {
        let stdin = io::stdin();
        loop {
            if let Some(end) = self.reap()?.end {
                return Ok(end);
            }
            if self.wait(Some(stdin.as_fd()), PollTimeout::NONE)? {
                return Ok(End::Stopped);
            }
        }
    }

    /// Waits until something happens, and reads what was printed. True: whoever holds our input let go of it.
    fn wait(&mut self, input: Option<BorrowedFd<'_>>, limit: PollTimeout) -> io::Result<bool> {
        let output = self.output.pipe.as_ref().map(AsFd::as_fd);
        let fds = input.into_iter().chain([self.ended.as_fd()]).chain(output);
        let mut fds: Vec<PollFd<'_>> = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        match poll(&mut fds, limit) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let input_ended = input.is_some() && fds.first().and_then(PollFd::any).unwrap_or_default();
        while self.ended.read_signal()?.is_some() {}
        self.output.read()?;
        Ok(input_ended)
    }

    /// Takes note of all children that have ended.
    fn reap(&self) -> io::Result<Reaped> {
        let mut end = None;
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) if pid == self.script => end = Some(End::Exit(code)),
                Ok(WaitStatus::Signaled(pid, signal, _)) if pid == self.script => {
                    end = Some(End::Signal(signal as i32));
                }
                Ok(WaitStatus::StillAlive) => return Ok(Reaped { end, all: false }),
                Err(Errno::ECHILD) => return Ok(Reaped { end, all: true }),
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Ends all children, and those that are children for that, until there are none. Names what cannot be ended.
    fn end_all(&mut self) -> io::Result<Vec<String>> {
        let deadline = Instant::now() + ENDING;
        loop {
            if self.reap()?.all {
                return Ok(Vec::new());
            }
            // A child keeps its number until it is reaped, and nobody but us does.
            let children = children::list()?;
            let refused: Vec<u32> =
                children.iter().copied().filter(|pid| children::kill(*pid).is_err()).collect();
            let none_can_be_ended = !refused.is_empty() && refused == children;
            if none_can_be_ended || Instant::now() >= deadline {
                let names: BTreeSet<String> = children.into_iter().filter_map(children::name).collect();
                return Ok(names.into_iter().take(LEFT_MAX).collect());
            }
            self.wait(None, MOMENT.into())?;
        }
    }
}

struct Reaped {
    /// How the script ended, if it did.
    end: Option<End>,
    /// There are no children any more.
    all: bool,
}

/// What the script prints.
struct Output {
    /// None: nobody can print any more.
    pipe: Option<PipeReader>,
    kept: Vec<u8>,
}

impl Output {
    /// Reads a piece of what is there, and keeps the beginning of all.
    fn read(&mut self) -> io::Result<()> {
        let Some(pipe) = &mut self.pipe else { return Ok(()) };
        let mut buffer = [0; 64 * 1024];
        match pipe.read(&mut buffer) {
            Ok(0) => self.pipe = None,
            Ok(count) => {
                let room = OUTPUT_MAX.saturating_sub(self.kept.len());
                self.kept.extend(buffer.iter().take(count.min(room)));
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
