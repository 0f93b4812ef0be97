//! The one way signals reach a daemon: as values awaited in its loop. Must not act on them.

use std::future;
use std::io;
use std::pin::Pin;

use futures_core::Stream;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_tokio::Signals as Numbers;

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// End in good order (SIGTERM, SIGINT).
    Terminate,
    /// Read the configuration again (SIGHUP).
    Reload,
}

/// The signals as they come. Equal ones that come before they are read may be merged, as the kernel does.
pub struct Signals {
    numbers: Numbers,
}

impl Signals {
    /// Takes over SIGTERM, SIGINT and SIGHUP: from now on they no longer end the process. Needs a tokio runtime.
    ///
    /// # Errors
    /// No file descriptor left.
    pub fn new() -> io::Result<Self> {
        Ok(Self { numbers: Numbers::new([SIGTERM, SIGINT, SIGHUP])? })
    }

    /// Waits for the next signal. May be dropped at any time without losing one.
    pub async fn next(&mut self) -> Signal {
        match future::poll_fn(|context| Pin::new(&mut self.numbers).poll_next(context)).await {
            Some(SIGHUP) => Signal::Reload,
            Some(_) => Signal::Terminate,
            // Only closing the stream ends it, and nobody can.
            None => future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use signal_hook::low_level::raise;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn each_signal_says_what_it_asks_for() {
        let mut signals = Signals::new().unwrap();
        for (number, expected) in
            [(SIGHUP, Signal::Reload), (SIGTERM, Signal::Terminate), (SIGINT, Signal::Terminate)]
        {
            raise(number).unwrap();
            assert_eq!(timeout(Duration::from_secs(5), signals.next()).await.unwrap(), expected);
        }
        timeout(Duration::from_millis(10), signals.next()).await.unwrap_err();
    }
}
