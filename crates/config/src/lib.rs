//! vipkit.toml to valid types: every key, default and rule is here, and what a daemon gets cannot be wrong.
//! Start at [`load`] (files) or [`parse`] (text alone); a table is one file that declares its keys and
//! reads them through a `Section`. It looks at the configuration only: never at the host, its interfaces or
//! its addresses.
#![forbid(unsafe_code)]

mod address;
mod authentication;
mod check;
mod checked;
mod combining;
mod config;
mod conflicts;
mod context;
mod damping;
mod digest;
mod duration;
mod endpoint;
mod fault;
mod garp;
mod health;
mod host;
mod instance;
mod interface;
mod ipvs;
mod load;
mod max_out;
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
mod track;
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
pub use check::agent::Agent;
pub use check::dns::{Dns, DnsTransport};
pub use check::external::{External, Principal, Told};
pub use check::file::File;
pub use check::http::{Body, Http, HttpVersion, Request};
pub use check::https::Https;
pub use check::path::{Close, Path};
pub use check::ping::Ping;
pub use check::process::{Process, ProcessBy};
pub use check::script::{ExitCodes, Script};
pub use check::smtp::Smtp;
pub use check::systemd::Unit;
pub use check::tcp::Tcp;
pub use check::text::pattern;
pub use check::tls::{Tls, TlsSettings};
pub use check::udp::{Reply, Udp};
pub use check::{CHECKS_MAX, Check, CouldNotRun, Kind};
pub use checked::{Checked, Part};
pub use combining::{Needed, PARTS_MAX};
pub use config::{Config, parse};
pub use damping::{Damping, HoldDown};
pub use digest::Digest;
pub use endpoint::{Host, Target};
pub use fault::{FAULTS_MAX, Fault, Faults, Place, Position};
pub use garp::Garp;
pub use health::Health;
pub use instance::Instance;
pub use ipvs::Ipvs;
pub use load::{CONF_D_FILES_MAX, Credentials, DEFAULT_PATH, FILE_BYTES_MAX, load};
pub use max_out::MaxOut;
pub use node::Node;
pub use persistence::Persistence;
pub use route::{ROUTES_MAX, Route};
pub use rule::{Fwmark, RULES_MAX, Rule};
pub use scope::Scope;
pub use server::{Forward, SERVERS_MAX, Server};
pub use service::{OnFailure, Protocol, SERVERS_TOTAL_MAX, SERVICES_MAX, Service};
pub use source::Source;
pub use track::{Effect, OnHealthLoss, TRACKS_MAX, Track, Tracked};
pub use unicast::UNICAST_PEERS_MAX;
pub use virtual_mac::{AdvertsFrom, VirtualMac};
pub use vrrp::INSTANCES_MAX;
