//! vrrpd: VRRP, and the virtual IP addresses it entails.
//!
//! Pure, and the same in the daemon, the conformance rows and the virtual LAN: `router` is one virtual router whole,
//! made of `fsm` (RFC 9568 §6.4), `peers`, `refused`, `announce`, `fault` and `counters`; `addresses` plans what goes on
//! the interfaces, from `observed` and `ledger`; `adopt` decides what a restart continues; `status` shows it all.
//!
//! `shell` is the rest: the loop, and all that touches the kernel, the clock, files and sockets.
#![forbid(unsafe_code)]

pub mod addresses;
pub mod adopt;
pub mod announce;
pub mod cli;
pub mod counters;
pub mod fault;
pub mod fsm;
pub mod ledger;
pub mod observed;
pub mod peers;
pub mod refused;
pub mod router;
pub mod shell;
pub mod status;
