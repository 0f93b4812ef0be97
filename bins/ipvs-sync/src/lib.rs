//! ipvs-sync: the kernel's IPVS table is as it should be.
//!
//! Pure: `desired` makes the table that should be from the configuration and `verdicts`; `plan` makes the commands that
//! lead there from the `table` that is; `drift` tells what others changed; `kept` is what outlasts the daemon; `status`
//! shows it all.
//!
//! `shell` is the rest: the loop, and all that touches the kernel, the clock, files and sockets.
#![forbid(unsafe_code)]

pub mod cli;
pub mod desired;
pub mod drift;
pub mod kept;
pub mod plan;
pub mod shell;
pub mod status;
pub mod table;
pub mod verdicts;

#[cfg(test)]
mod testing;
