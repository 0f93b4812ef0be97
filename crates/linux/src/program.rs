//! Runs another program to its end, or for a limited time. Waits, and so is for helper threads. Must not know which
//! program it is.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use thiserror::Error;

/// What came of a program that ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    /// What it printed.
    pub(crate) output: Vec<u8>,
    /// The first [`COMPLAINT_MAX`] bytes of what it complained of.
    pub(crate) complaint: Vec<u8>,
}

/// Why a program was not run to its end. It does not run on.
#[derive(Debug, Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it takes too long")]
    TimedOut,
    #[error("it prints too much")]
    TooMuch,
}

/// Runs a program that reads `input` and prints at most [`OUTPUT_MAX`] bytes, for at most `limit`.
pub(crate) fn run(command: &mut Command, input: &[u8], limit: Duration) -> Result<Ran, RunError> {
    let deadline = Instant::now() + limit;
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = Process(command.spawn()?);
    let Child { stdin, stdout, stderr, .. } = &mut process.0;
    let mut pipes = Pipes { stdin: stdin.take(), stdout: stdout.take(), stderr: stderr.take() };
    let (output, complaint) = pipes.exchange(input, deadline)?;
    Ok(Ran { status: process.end(deadline)?, output, complaint })
}

/// A program that is killed, if it has not ended, when this is dropped.
struct Process(Child);

impl Process {
    /// Waits for the end of a program that has closed its output, which is what one does that ends.
    fn end(&mut self, deadline: Instant) -> Result<ExitStatus, RunError> {
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                return Err(RunError::TimedOut);
            }
            thread::sleep(MOMENT);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Neither fails for a child, and both do nothing for one that has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The ends of a program's pipes that are still open.
struct Pipes {
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
}

impl Pipes {
    /// Writes `input` and reads what comes, until the program has closed both its outputs.
    fn exchange(&mut self, mut input: &[u8], deadline: Instant) -> Result<(Vec<u8>, Vec<u8>), RunError> {
        for (fd, _) in self.open() {
            fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(io::Error::from)?;
        }
        let (mut output, mut complaint) = (Vec::new(), Vec::new());
        while self.stdout.is_some() || self.stderr.is_some() {
            self.wait(deadline)?;
            write_some(&mut self.stdin, &mut input)?;
            read_some(&mut self.stdout, &mut output)?;
            read_some(&mut self.stderr, &mut complaint)?;
            if output.len() > OUTPUT_MAX {
                return Err(RunError::TooMuch);
            }
            complaint.truncate(COMPLAINT_MAX);
        }
        Ok((output, complaint))
    }

    /// Waits until something can be read or written.
    fn wait(&self, deadline: Instant) -> Result<(), RunError> {
        let left = deadline.saturating_duration_since(Instant::now());
        let limit = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let mut ready: Vec<_> = self.open().map(|(fd, events)| PollFd::new(fd, events)).collect();
        match poll(&mut ready, limit) {
            Ok(0) if left.is_zero() => Err(RunError::TimedOut),
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(io::Error::from(error).into()),
        }
    }

    fn open(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        let stdin = self.stdin.as_ref().map(|pipe| (pipe.as_fd(), PollFlags::POLLOUT));
        let stdout = self.stdout.as_ref().map(|pipe| (pipe.as_fd(), PollFlags::POLLIN));
        let stderr = self.stderr.as_ref().map(|pipe| (pipe.as_fd(), PollFlags::POLLIN));
        [stdin, stdout, stderr].into_iter().flatten()
    }
}

/// Writes what there is room for, and closes the pipe after the last.
fn write_some(pipe: &mut Option<impl Write>, input: &mut &[u8]) -> io::Result<()> {
    let Some(open) = pipe else { return Ok(()) };
    match open.write(input) {
        Ok(count) => *input = input.get(count..).unwrap_or_default(),
        // Why it reads no more, it says itself.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => *input = &[],
        Err(error) => passing(error)?,
    }
    if input.is_empty() {
        *pipe = None;
    }
    Ok(())
}

/// Reads what is there, at most 64 KiB, and closes the pipe at its end.
fn read_some(pipe: &mut Option<impl Read>, into: &mut Vec<u8>) -> io::Result<()> {
    let Some(open) = pipe else { return Ok(()) };
    let mut buffer = vec![0; 64 * 1024];
    match open.read(&mut buffer) {
        Ok(0) => *pipe = None,
        Ok(count) => into.extend(buffer.get(..count).unwrap_or_default()),
        Err(error) => passing(error)?,
    }
    Ok(())
}

/// Lets pass that a pipe is not ready.
fn passing(error: io::Error) -> io::Result<()> {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok(()),
        _ => Err(error),
    }
}

/// The most that a program may print, in bytes.
pub(crate) const OUTPUT_MAX: usize = 32 * 1024 * 1024;
/// The most that is kept of what it complains of, in bytes.
pub(crate) const COMPLAINT_MAX: usize = 4096;
/// How often it is looked whether a program has ended that has closed its output.
const MOMENT: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, input: &[u8], limit: Duration) -> Result<Ran, RunError> {
        run(Command::new("sh").args(["-c", script]), input, limit)
    }

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(100);

    #[test]
    fn input_goes_in_and_output_comes_out() {
        let input = vec![b'x'; 1024 * 1024];
        let ran = shell("cat; echo no >&2; exit 3", &input, LONG).unwrap();
        assert_eq!((ran.status.code(), ran.output.len()), (Some(3), input.len()));
        assert_eq!(ran.complaint, b"no\n");
    }

    #[test]
    fn a_program_that_reads_nothing_is_heard() {
        let ran = shell("exec <&-; exit 4", &vec![b'x'; 1024 * 1024], LONG).unwrap();
        assert_eq!(ran.status.code(), Some(4));
    }

    #[test]
    fn a_long_complaint_is_cut_and_a_long_output_is_an_error() {
        let ran = shell("head -c 1000000 /dev/zero >&2", &[], LONG).unwrap();
        assert_eq!(ran.complaint.len(), COMPLAINT_MAX);
        assert!(matches!(shell("cat /dev/zero", &[], LONG), Err(RunError::TooMuch)));
    }

    #[test]
    fn what_takes_too_long_is_killed() {
        for script in ["exec sleep 1000", "exec >&- 2>&-; exec sleep 1000"] {
            let started = Instant::now();
            assert!(matches!(shell(script, &[], SHORT), Err(RunError::TimedOut)), "{script}");
            // It was waited for, and it was not let sleep.
            assert!(started.elapsed() < LONG);
        }
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        let error = run(&mut Command::new("/nonexistent"), &[], LONG).unwrap_err();
        assert!(matches!(error, RunError::Io(error) if error.kind() == ErrorKind::NotFound));
    }
}
