//! One VRRP instance as a value, which cannot be wrong. How it is written is in `vrrp`.

use std::net::IpAddr;
use std::time::Duration;

use vipkit_core::units::{Family, Interval, Priority, Vrid};
use vipkit_core::vrrp::{Authentication, ChecksumForm, UnicastPeer};

use crate::address::Address;
use crate::garp::Garp;
use crate::route::Route;
use crate::rule::Rule;
use crate::track::{OnHealthLoss, Track};
use crate::virtual_mac::VirtualMac;

/// One virtual router as this machine takes part in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Interface it speaks on: a valid name, perhaps of no interface that exists.
    pub interface: String,
    /// The virtual router; on one interface no two instances of a family have the same.
    pub virtual_router_id: Vrid,
    /// 1-255.
    pub priority: Priority,
    /// Between adverts; its kind is the version, which is 3 over IPv6.
    pub advertisement_interval: Interval,
    /// Whether a higher priority takes over from a lower one; always true at priority 255.
    pub preempt: bool,
    /// Whether an Active router takes packets to its addresses (Accept_Mode, RFC 9568 §6.1); always true at priority 255.
    pub accept: bool,
    /// Whether to refuse what the RFCs let a router refuse.
    pub strict: bool,
    /// Form of the checksums sent in version 3 over IPv4; the default where there is but one.
    pub checksum: ChecksumForm,
    /// How routers know each other: a password in version 2 only. Of an HMAC, the keys that were read.
    pub authentication: Authentication,
    /// Where adverts come from, of the instance's family; the interface's own address if it is none.
    pub source_address: Option<IpAddr>,
    /// Whom adverts go to and come from, at most [`UNICAST_PEERS_MAX`](crate::UNICAST_PEERS_MAX) by address; the group
    /// if it is empty.
    pub unicast_peers: Vec<UnicastPeer>,
    /// Whether the addresses answer from the virtual router's MAC address, and how.
    pub virtual_mac: Option<VirtualMac>,
    /// Virtual addresses, at most [`ADDRESSES_MAX`](crate::ADDRESSES_MAX), each once, in the order of the configuration.
    /// At least one is advertised, and all that are, are of one family; over IPv6 the first of them is link-local.
    pub addresses: Vec<Address>,
    /// Routes, at most [`ROUTES_MAX`](crate::ROUTES_MAX), in the order of their values.
    pub routes: Vec<Route>,
    /// Rules, at most [`RULES_MAX`](crate::RULES_MAX), in the order of their values.
    pub rules: Vec<Rule>,
    /// Announcements of the addresses.
    pub garp: Garp,
    /// What its priority or its taking part follows, at most [`TRACKS_MAX`](crate::TRACKS_MAX), in the order of their
    /// values, each thing once.
    pub track: Vec<Track>,
    /// What becomes of it when nobody tells it how its checks are.
    pub on_health_loss: OnHealthLoss,
    /// How long it waits for the checks to be judged before it takes part, and for healthcheckd to come back, at most an
    /// hour.
    pub startup_timeout: Duration,
}

impl Instance {
    /// The family that its adverts are of.
    #[must_use]
    pub fn family(&self) -> Family {
        // There is always one that is advertised.
        self.advertised().next().map_or(Family::V4, Family::of)
    }

    /// The addresses that adverts name, as far as they have room: in the order of the configuration.
    pub fn advertised(&self) -> impl Iterator<Item = IpAddr> {
        self.addresses.iter().filter(|address| address.advertise).map(|address| address.net.addr())
    }

    /// The interface that gets the addresses.
    #[must_use]
    pub fn place(&self) -> &str {
        self.virtual_mac.as_ref().map_or(&self.interface, |mac| &mac.interface)
    }
}
