//! Pure bytes <-> values: VRRP adverts of both versions, what a receiver must check, gratuitous ARP, messages of IPVS,
//! and the units they are made of. Parsing is total: any bytes give a value or a typed error.
//! Must not do input or output, read a clock, log, or start a thread.
#![forbid(unsafe_code)]

pub mod arp;
pub mod epoch;
pub mod ipv4;
pub mod ipvs;
pub mod limit;
pub mod units;
pub mod vrrp;

#[cfg(test)]
mod captures;
