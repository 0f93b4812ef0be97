//! The kinds of checks: how each is run once. A kind is a file and a line in [`checker`].
//! Must not judge: one failure is not down, and when to run again is not a kind's question.

mod tcp;

use std::pin::Pin;
use std::time::Duration;

use vipkit_config::Kind;

use crate::verdict::Outcome;

/// A check that goes on. Dropped, it ends at once and leaves nothing behind: no connection, no child process.
pub type Running = Pin<Box<dyn Future<Output = Outcome>>>;

/// A kind of check with all it has to know.
///
/// What is on this host must never count against the target: no file descriptor, no route, a program that cannot be
/// started are [`Outcome::CouldNotRun`]. A kind that is told of its target, instead of asking, has its outcomes from
/// elsewhere; they go the same way from there.
pub trait Checker {
    /// Begins to run it, for `timeout` at most: longer is a failure. Needs the loop, and must not hold it up.
    fn run(&self, timeout: Duration) -> Running;
}

/// What runs a kind of check.
#[must_use]
pub fn checker(kind: &Kind) -> &dyn Checker {
    match kind {
        Kind::Tcp(tcp) => tcp,
    }
}
