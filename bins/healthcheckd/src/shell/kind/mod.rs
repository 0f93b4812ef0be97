//! The kinds of checks: how each is run once. A kind is a file and a line in `kinds`.
//! Must not judge: one failure is not down, and when to run again is not a kind's question.

mod agent;
mod attempt;
mod connect;
mod dns;
mod external;
mod file;
mod files;
pub mod fuzz;
mod http;
mod https;
mod line;
mod means;
mod ping;
mod process;
mod processes;
mod script;
mod smtp;
mod steps;
mod systemd;
mod tcp;
#[cfg(test)]
mod testing;
mod tls;
mod udp;
mod watches;
mod witness;
mod words;

use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use vipkit_config::Kind;

use crate::verdict::Outcome;

pub use means::Means;
pub use steps::Steps;

/// A check that goes on. Dropped, it ends at once and leaves nothing behind: no connection, no child process.
pub type Running = Pin<Box<dyn Future<Output = Outcome>>>;

/// Waits until another run is worth it.
pub type Watch = Pin<Box<dyn Future<Output = ()>>>;

/// A kind of check with all it has to know.
///
/// What is on this host must never count against the target: no file descriptor, no route, a program that cannot be
/// started are [`Outcome::CouldNotRun`].
pub trait Checker {
    /// Begins to run it, for `timeout` at most: longer is a failure. Needs the loop, and must not hold it up.
    fn run(&self, means: &Rc<Means>, steps: &Steps, timeout: Duration) -> Running;

    /// For kinds that are told of changes instead of asking: done when another run is worth it. It is a hint, and the run
    /// looks for itself. Without it, runs come at the interval alone.
    fn watch(&self, _means: &Rc<Means>) -> Option<Watch> {
        None
    }
}

macro_rules! kinds {
    ($($kind:ident)+) => {
        /// What runs a kind of check.
        #[must_use]
        pub fn checker(kind: &Kind) -> &dyn Checker {
            match kind {
                $(Kind::$kind(check) => check,)+
            }
        }
    };
}

kinds! { Agent Dns External File Http Https Ping Process Script Smtp Tcp Tls Udp Unit }
