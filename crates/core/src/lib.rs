//! Pure bytes <-> values: VRRP adverts of both versions, what a receiver must check, gratuitous ARP and neighbour
//! advertisements, messages of IPVS, and the units they are made of. Parsing is total: any bytes give a value or a
//! typed error. Must not do input or output, read a clock, log, or start a thread.
#![forbid(unsafe_code)]

pub mod arp;
pub mod epoch;
pub mod ethernet;
pub mod ipv4;
pub mod ipv6;
pub mod ipvs;
pub mod limit;
pub mod ndisc;
pub mod units;
pub mod vrrp;
