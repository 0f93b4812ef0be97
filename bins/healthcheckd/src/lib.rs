//! healthcheckd: runs checks, and judges which servers are up.
//!
//! Pure: `verdict` makes up and down of outcomes, `schedule` says when what is due, `runs` which checks share a run and
//! what a reload makes of them, `kept` what outlives the daemon, `status` shows it all.
//!
//! `shell` is the rest: how each kind of check is run, the loop, and all that touches the clock, files and the socket.
#![forbid(unsafe_code)]

pub mod cli;
pub mod kept;
pub mod runs;
pub mod schedule;
pub mod shell;
pub mod status;
pub mod verdict;
