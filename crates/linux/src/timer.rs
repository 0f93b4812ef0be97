//! One absolute deadline on [`crate::clock`], as a timerfd: it fires within 0.1 ms where tokio's own timer rounds
//! up by a millisecond or two. Must not keep a list of deadlines: the caller sets the earliest of its own.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// An instant to wake at. Starts disarmed.
pub struct Deadline {
    timer: AsyncFd<Timer>,
}

impl Deadline {
    /// Makes a disarmed deadline. Needs a tokio runtime.
    ///
    /// # Errors
    /// No file descriptor left.
    pub fn new() -> io::Result<Self> {
        let timer =
            Timer(TimerFd::new(ClockId::CLOCK_BOOTTIME, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?);
        // SAFETY: `Timer` owns its descriptor and neither closes nor replaces it before it is dropped.
        let timer = unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE) }?;
        Ok(Self { timer })
    }

    /// Sets the instant, in time since boot, in place of the one before. One that has passed fires at once;
    /// `None` disarms.
    ///
    /// # Errors
    /// An instant the kernel cannot represent.
    pub fn set(&self, at: Option<Duration>) -> io::Result<()> {
        let timer = &self.timer.get_ref().0;
        match at {
            None => timer.unset()?,
            // A zero instant would disarm (timerfd_settime(2)).
            Some(at) => timer.set(
                Expiration::OneShot(TimeSpec::from_duration(at.max(Duration::from_nanos(1)))),
                TimerSetTimeFlags::TFD_TIMER_ABSTIME,
            )?,
        }
        Ok(())
    }

    /// Waits until the instant has come; then the deadline is disarmed. May be dropped at any time without
    /// losing it.
    ///
    /// # Errors
    /// The runtime is shutting down.
    pub async fn expired(&self) -> io::Result<()> {
        loop {
            let mut guard = self.timer.readable().await?;
            let read = guard.try_io(|timer| match timer.get_ref().0.wait() {
                Err(Errno::EAGAIN) => Err(io::ErrorKind::WouldBlock.into()),
                other => other.map_err(io::Error::from),
            });
            // Would block: the instant was moved after it had fired.
            if let Ok(result) = read {
                return result;
            }
        }
    }
}

struct Timer(TimerFd);

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;
    use crate::clock;

    const PATIENCE: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn deadlines_fire_in_order_and_not_early() {
        let (late, early) = (Deadline::new().unwrap(), Deadline::new().unwrap());
        let start = clock::now();
        late.set(Some(start + Duration::from_millis(40))).unwrap();
        early.set(Some(start + Duration::from_millis(20))).unwrap();
        tokio::select! {
            result = early.expired() => result.unwrap(),
            _ = late.expired() => panic!("the later deadline came first"),
            () = tokio::time::sleep(PATIENCE) => panic!("no deadline came"),
        }
        assert!(clock::now() >= start + Duration::from_millis(20));
        timeout(PATIENCE, late.expired()).await.unwrap().unwrap();
        assert!(clock::now() >= start + Duration::from_millis(40));
    }

    #[tokio::test]
    async fn a_past_deadline_fires_at_once_and_once() {
        let deadline = Deadline::new().unwrap();
        for past in [Duration::ZERO, clock::now()] {
            deadline.set(Some(past)).unwrap();
            timeout(PATIENCE, deadline.expired()).await.unwrap().unwrap();
        }
        timeout(Duration::from_millis(20), deadline.expired()).await.unwrap_err();
    }

    #[tokio::test]
    async fn a_deadline_can_be_moved_and_disarmed_after_it_fired() {
        let deadline = Deadline::new().unwrap();
        deadline.set(Some(Duration::ZERO)).unwrap();
        drop(timeout(PATIENCE, deadline.timer.readable()).await.unwrap().unwrap());
        let later = clock::now() + Duration::from_millis(30);
        deadline.set(Some(later)).unwrap();
        timeout(PATIENCE, deadline.expired()).await.unwrap().unwrap();
        assert!(clock::now() >= later);

        deadline.set(Some(Duration::ZERO)).unwrap();
        deadline.set(None).unwrap();
        timeout(Duration::from_millis(20), deadline.expired()).await.unwrap_err();
    }
}
