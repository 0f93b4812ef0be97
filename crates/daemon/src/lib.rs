//! What every daemon of vipkit does alike around its own job: command line (`cli`), configuration at the start (`check`)
//! and again (`reload`), log, clock, files of its own (`state`), what it tells of itself (`identity`, `mouth`), that it is
//! the only one (`lock`), what another daemon streams (`follow`), and its socket, signals and service manager (`outside`). Parts to put together, not a frame to fill in.
//! Must not know what any daemon is for: no VRRP, no checks, no IPVS.
#![forbid(unsafe_code)]

pub mod check;
pub mod cli;
pub mod clock;
pub mod follow;
pub mod identity;
pub mod lock;
pub mod log;
pub mod mouth;
pub mod outside;
pub mod reload;
pub mod state;
