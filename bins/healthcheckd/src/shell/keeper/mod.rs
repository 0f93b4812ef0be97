//! Programs that checks start, and that nothing is left of. Each has a **keeper**, a process of our own binary between us
//! and it: what the program starts may turn its back on it (setsid(2), double fork), but then becomes a child of the keeper,
//! which ends all its children when the program has ended, and when we let go of it or end ourselves.
//! Must not know what a program is for.

mod begin;
mod process;

use std::io;

use serde::{Deserialize, Serialize};
use vipkit_linux::children;

pub use begin::Keepers;
pub use process::keep_if_asked;

/// The first argument that makes our binary a keeper. It is for no one else.
const WORD: &str = "--keep";

/// The most that is kept of what a program prints, in bytes; the rest is read and thrown away.
const OUTPUT_MAX: usize = 4096;

/// What a keeper says when it is done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// How the program ended.
    pub end: End,
    /// How what it printed begins, errors among it.
    pub output: String,
    /// Names of processes that it started and that could not be ended: they act as another user.
    pub left: Vec<String>,
}

/// How a program ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// It could not be started.
    NotStarted(String),
    /// By itself, with an exit code.
    Exit(i32),
    /// By a signal that was not ours.
    Signal(i32),
    /// By us: it took too long.
    #[default]
    Stopped,
}

/// Has this process take over what a keeper leaves that was killed itself, and the kernel forget keepers that ended.
/// Nobody can wait for a child of this process any more.
///
/// # Errors
/// The kernel's.
pub fn prepare() -> io::Result<()> {
    children::adopt()?;
    children::leave_no_zombies()
}
