//! vipkit.toml to valid types: every key, default and rule is here, and what a daemon gets cannot be wrong.
//! Start at [`load`] (files) or [`parse`] (text alone); a table is one file that declares its keys and
//! reads them through a `Section`. It looks at the configuration only: never at the host, its interfaces or
//! its addresses.
#![forbid(unsafe_code)]

mod address;
mod authentication;
mod check;
mod config;
mod conflicts;
mod context;
mod digest;
mod duration;
mod endpoint;
mod fault;
mod garp;
mod host;
mod instance;
mod interface;
mod ipvs;
mod load;
mod named;
mod network;
mod node;
mod persistence;
mod route;
mod rule;
mod scope;
mod secret;
mod section;
mod server;
mod service;
mod source;
mod syntax;
mod together;
mod tree;
mod unicast;
mod virtual_mac;
mod vrrp;

#[cfg(test)]
mod documentation;
#[cfg(test)]
mod testing;

pub use address::{ADDRESSES_MAX, Address};
pub use authentication::hmac::HMAC_KEYS_MAX;
pub use check::{CHECKS_MAX, Check, Kind, Tcp};
pub use config::{Config, parse};
pub use digest::Digest;
pub use fault::{FAULTS_MAX, Fault, Faults, Place, Position};
pub use garp::Garp;
pub use instance::Instance;
pub use ipvs::Ipvs;
pub use load::{CONF_D_FILES_MAX, Credentials, DEFAULT_PATH, FILE_BYTES_MAX, load};
pub use node::Node;
pub use persistence::Persistence;
pub use route::{ROUTES_MAX, Route};
pub use rule::{Fwmark, RULES_MAX, Rule};
pub use scope::Scope;
pub use server::{Forward, SERVERS_MAX, Server};
pub use service::{OnFailure, Protocol, SERVERS_TOTAL_MAX, SERVICES_MAX, Service};
pub use source::Source;
pub use unicast::UNICAST_PEERS_MAX;
pub use virtual_mac::{AdvertsFrom, VirtualMac};
pub use vrrp::INSTANCES_MAX;
