//! The protocol on vipkit's sockets: Varlink, that is JSON messages ended by NUL on a Unix stream socket.
//! `codec` and `call` are bytes <-> messages, `server` answers calls, `monitor` streams, `client` asks;
//! `vrrp` is vrrpd's interface, and `interfaces/*.varlink` are the contract that it has to match.
//! Must not know the kernel: peers are identified by functions that the caller passes in.
#![forbid(unsafe_code)]

pub mod call;
pub mod client;
pub mod codec;
pub mod common;
pub mod error;
pub mod follow;
pub mod handler;
pub mod health;
pub mod ipvs;
pub mod monitor;
pub mod page;
pub mod place;
pub mod rights;
pub mod server;
pub mod service;
pub mod vrrp;

#[cfg(test)]
mod contract;
#[cfg(test)]
mod demo;
