//! healthcheckd: runs checks, and judges which servers are up.
//!
//! Pure: `verdict` makes up and down of outcomes, `schedule` says when what is due, `runs` which checks share a run,
//! `checks` what each check with a name is made of and where it stands: `combine`, `damper` and `floor` decide that.
//! `turns` and `admission` bound what goes on at once, `kept` is what outlives the daemon, `told` what others said,
//! `status` shows it all.
//!
//! `shell` is the rest: how each kind of check is run, the loop, and all that touches the clock, files and the socket.
#![forbid(unsafe_code)]

pub mod admission;
pub mod checks;
pub mod cli;
pub mod combine;
pub mod damper;
pub mod floor;
pub mod kept;
pub mod latency;
pub mod runs;
pub mod schedule;
pub mod shell;
pub mod standing;
pub mod status;
pub mod told;
pub mod turns;
pub mod users;
pub mod verdict;
pub mod weight;

#[cfg(test)]
mod testing;
