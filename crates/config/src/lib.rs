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
mod ipvs;
mod load;
mod named;
mod node;
mod persistence;
mod section;
mod server;
mod service;
mod source;
mod syntax;
mod tree;
mod vrrp;

#[cfg(test)]
mod documentation;
#[cfg(test)]
mod testing;

pub use check::{CHECKS_MAX, Check, Kind, Tcp};
pub use config::{Config, parse};
pub use digest::Digest;
pub use fault::{FAULTS_MAX, Fault, Faults, Place, Position};
pub use garp::Garp;
pub use ipvs::Ipvs;
pub use load::{CONF_D_FILES_MAX, DEFAULT_PATH, FILE_BYTES_MAX, load};
pub use node::Node;
pub use persistence::Persistence;
pub use server::{Forward, SERVERS_MAX, Server};
pub use service::{OnFailure, Protocol, SERVERS_TOTAL_MAX, SERVICES_MAX, Service};
pub use source::Source;
pub use vrrp::{INSTANCES_MAX, Instance};
