//! What a router wants done: its hands do it. Must not do it.

use std::net::IpAddr;

use vipkit_core::vrrp::Packet;

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// A state changed.
    Info,
    /// Somebody should look.
    Warning,
}

/// What the router wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this advert.
    Transmit(Packet),
    /// What to hold changed: see [`Router::holds`](crate::router::Router::holds).
    Reconcile,
    /// Announce these addresses by gratuitous ARP or neighbour advertisements, in this order.
    Announce(Vec<IpAddr>),
    /// Sequences went on: see [`Router::replay`](crate::router::Router::replay).
    Remember,
    /// Write a line to the log.
    Log(Level, String),
    /// Something that people watch changed.
    Changed,
}
