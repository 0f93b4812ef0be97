//! What of the configuration and the host counts on the wire: what a packet must be for a router to believe it, and what
//! its own adverts are. Must not judge or send any.

use std::net::IpAddr;

use vipkit_config::Instance;
use vipkit_core::units::{Priority, Wall};
use vipkit_core::vrrp::{self, Advert, Cast, Expectation, Packet, Route, Seal};

use crate::advertised;
use crate::fault::Local;

/// What a packet must be for a router on this host.
#[must_use]
pub fn expectation(config: &Instance, local: &Local, wall: Wall) -> Expectation {
    let cast = if config.unicast_peers.is_empty() {
        Cast::Multicast(vrrp::group(config.family()))
    } else {
        Cast::Unicast(config.unicast_peers.clone())
    };
    Expectation {
        vrid: config.virtual_router_id,
        interval: config.advertisement_interval,
        authentication: config.authentication.clone(),
        cast,
        own_source: local.source,
        strict: config.strict,
        checksum: config.checksum,
        addresses: config.advertised().take(advertised::room(config, local.mtu)).collect(),
        wall,
    }
}

/// An advert of ours from `source`: a copy for each destination, with a checksum of its own. The HMAC covers no destination.
#[must_use]
pub fn adverts(
    config: &Instance,
    expect: &Expectation,
    source: IpAddr,
    priority: Priority,
    seal: &Seal<'_>,
) -> Vec<Packet> {
    let advert = Advert {
        vrid: config.virtual_router_id,
        priority,
        interval: config.advertisement_interval,
        addresses: expect.addresses.clone(),
    };
    let copy = |destination| {
        let route = Route { source, destination };
        Packet::new(route, vrrp::emit(&advert, route, config.checksum, seal))
    };
    match &expect.cast {
        Cast::Multicast(group) => copy(*group).into_iter().collect(),
        Cast::Unicast(peers) => peers.iter().filter_map(|peer| copy(peer.address)).collect(),
    }
}
