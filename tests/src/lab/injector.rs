//! Sends frames from a host as they are, one after the other at a steady rate, until it is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::host::Host;
use super::wire::Wire;
use super::worker::Worker;

/// The sender.
#[derive(Debug)]
pub struct Injector {
    sent: Arc<AtomicUsize>,
    _worker: Worker,
}

impl Injector {
    /// Sends these frames in turn, each `gap` after the one before. What a busy machine is late for is made up for.
    #[must_use]
    pub fn on(host: &Host, frames: Vec<Vec<u8>>, gap: Duration) -> Self {
        let wire = Wire::of(host);
        let sent = Arc::new(AtomicUsize::new(0));
        let count = sent.clone();
        let mut next = Instant::now();
        let send = move || {
            let number = count.fetch_add(1, Ordering::Relaxed);
            wire.send(&frames[number % frames.len()]);
            next += gap;
            thread::sleep(next.saturating_duration_since(Instant::now()));
        };
        Self { sent, _worker: Worker::start(send) }
    }

    /// Frames sent so far.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }
}
