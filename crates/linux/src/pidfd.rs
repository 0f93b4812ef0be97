//! A process that is none of our children, held by a descriptor (pidfd_open(2)): its number may be given to another, the
//! descriptor never is. Must not send it anything.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A process, whoever's it is.
#[derive(Debug)]
pub struct Process(OwnedFd);

impl Process {
    /// The process of this number, if there is one that has not ended: one whose parent has not asked for its end has ended.
    ///
    /// # Errors
    /// No file descriptor left.
    pub fn find(pid: u32) -> io::Result<Option<Self>> {
        // SAFETY: pidfd_open takes two numbers, and touches no memory of ours.
        let result = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        let descriptor = match Errno::result(result) {
            Ok(descriptor) => RawFd::try_from(descriptor).map_err(io::Error::other)?,
            // No such process, no such number, or that of another thread of a process.
            Err(Errno::ESRCH | Errno::EINVAL | Errno::ENOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // SAFETY: the kernel has just made the descriptor, for us alone.
        let process = Self(unsafe { OwnedFd::from_raw_fd(descriptor) });
        Ok((!process.has_ended()?).then_some(process))
    }

    fn has_ended(&self) -> io::Result<bool> {
        use std::os::fd::AsFd as _;
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        Ok(poll(&mut fds, PollTimeout::ZERO)? != 0)
    }

    /// Waits until it has ended. Needs a tokio runtime.
    ///
    /// # Errors
    /// The runtime is shutting down.
    pub async fn ended(self) -> io::Result<()> {
        // SAFETY: `Process` owns its descriptor and neither closes nor replaces it before it is dropped.
        let process = unsafe { AsyncFd::register_with_interest(self, Interest::READABLE) }?;
        process.readable().await?.retain_ready();
        Ok(())
    }
}

impl AsRawFd for Process {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn the_end_of_a_process_is_seen_though_nobody_waited_for_it() {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let ended = Process::find(child.id()).unwrap().unwrap().ended();
        let mut ended = std::pin::pin!(ended);
        timeout(Duration::from_millis(20), &mut ended).await.unwrap_err();
        child.kill().unwrap();
        timeout(PATIENCE, ended).await.unwrap().unwrap();
        assert!(Process::find(child.id()).unwrap().is_none(), "a zombie has ended");
        child.wait().unwrap();
        assert!(Process::find(child.id()).unwrap().is_none());
    }

    #[test]
    fn no_number_of_a_process_is_none() {
        for pid in [0, u32::MAX, 1 << 30] {
            assert!(Process::find(pid).unwrap().is_none(), "{pid}");
        }
    }
}
