//! vrrpd: VRRP, and the virtual IP addresses it entails.
//!
//! Pure, and the same in the daemon, the conformance rows and the virtual LAN: `router` is one virtual router whole,
//! made of `fsm` (RFC 9568 §6.4), `advertised`, `announce`, `counters`, `fault`, `oddities`, `output`, `peers`,
//! `refused`, `replay`, `trackers` and `wire`; `heard` is what healthcheckd said of the checks that are tracked;
//! `addresses` and `links` plan what goes on the interfaces, from `observed` and `ledger`; `settings` and `firewall` say
//! what else the kernel must be told; `adopt` decides what a restart continues; `status` shows it all, with `advice`.
//!
//! `shell` is the rest: the loop, and all that touches the kernel, the clock, files and sockets.
#![forbid(unsafe_code)]

pub mod addresses;
pub mod adopt;
pub mod advertised;
pub mod advice;
pub mod announce;
pub mod cli;
pub mod counters;
pub mod fault;
pub mod firewall;
pub mod fsm;
pub mod fuzz;
pub mod heard;
pub mod ledger;
pub mod links;
pub mod observed;
pub mod oddities;
pub mod output;
pub mod peers;
pub mod refused;
pub mod replay;
pub mod router;
pub mod settings;
pub mod shell;
pub mod status;
pub mod trackers;
pub mod wire;
pub mod words;
