//! Packets in and out: sockets for every wire in use, adverts to the routers they concern, adverts and announcements of
//! the routers onto the wire, with a virtual MAC as frames of its own. Nothing here waits.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::{Rc, Weak};

use tokio::task::AbortHandle;
use tracing::debug;
use vipkit_config::AdvertsFrom;
use vipkit_core::vrrp::{Packet, Received};
use vipkit_core::{arp, ethernet, ndisc};
use vipkit_daemon::clock::now;
use vipkit_linux::vrrp_socket::VrrpReceiver;

use super::daemon::{Daemon, wire};
use super::ports::Wire;
use crate::counters;
use crate::router::Router;

/// Packets taken from one socket in a turn.
const PACKETS: usize = 64;
/// Longer than any advert with any IPv4 options and any HMAC.
const PACKET_BYTES: usize = 8192;

impl Daemon {
    /// Sockets on every wire in use whose interface exists, for the VRIDs used there.
    pub fn open_ports(&mut self) {
        let mut used: BTreeMap<Wire, Vec<u8>> = BTreeMap::new();
        for config in self.routers().map(Router::config) {
            used.entry(wire(config)).or_default().push(config.virtual_router_id.number());
        }
        self.port_errors.clear();
        for (at, vrids) in &used {
            let Some(index) = self.host.interfaces().get(&at.0).map(|interface| interface.index) else {
                continue;
            };
            let me = self.me.clone();
            let wait = |receiver| wait_for_packets(me, at.clone(), receiver);
            if let Err(error) = self.ports.open(at, index, vrids, wait) {
                self.port_errors.insert(at.clone(), error.to_string());
            }
        }
        let interfaces = self.host.interfaces();
        self.ports.retain(|wire| used.contains_key(wire) && interfaces.contains_key(&wire.0));
    }

    /// Takes the packets that wait on a wire, so many at most.
    pub fn receive(&mut self, wire: &Wire) {
        let mut buffer = [0; PACKET_BYTES];
        for _ in 0..PACKETS {
            let Some(port) = self.ports.at(wire) else { return };
            match port.receiver.try_receive(&mut buffer) {
                Ok(Some(received)) => self.packet(wire, &received),
                Ok(None) => break,
                Err(error) => {
                    debug!("{}: {error}", wire.0);
                    break;
                }
            }
        }
        self.rearm();
    }

    fn packet(&mut self, at: &Wire, received: &Received<'_>) {
        let vrid = received.vrid();
        let concerned = |router: &&Router| {
            Some(router.config().virtual_router_id.number()) == vrid && wire(router.config()) == *at
        };
        let Some(name) = self.routers().find(concerned).map(|router| router.name().to_owned()) else {
            return;
        };
        self.with(&name, |router, now, out| router.packet(received, now, out));
    }

    /// Sends an advert.
    pub(super) fn transmit(&mut self, name: &str, packet: &Packet) {
        let Some(member) = self.members.get_mut(name) else { return };
        let config = member.router.config();
        let from_virtual_mac =
            config.virtual_mac.as_ref().is_some_and(|mac| mac.adverts_from == AdvertsFrom::VirtualMac);
        let station = member.router.local().station.filter(|_| from_virtual_mac);
        let frame = station.and_then(|(index, mac)| Some((index, ethernet::frame(mac, packet)?)));
        let sent = match frame {
            Some((index, frame)) => Some(self.packets.send(index, &frame)),
            None => self.ports.at(&wire(config)).map(|port| port.sender.send(packet)),
        };
        if let Some(Ok(())) = sent {
            let slot = member.slot;
            return self.beat(slot, now());
        }
        member.router.count(counters::SEND_ERRORS, 1);
        if let Some(Err(error)) = sent {
            debug!("{name}: cannot send an advert: {error}");
        }
    }

    /// Sends announcements.
    pub(super) fn announce(&mut self, name: &str, addresses: &[IpAddr]) {
        let Some(member) = self.members.get_mut(name) else { return };
        let station = member.router.local().station;
        for address in addresses {
            let frame = |mac| match address {
                IpAddr::V4(address) => arp::gratuitous(mac, *address),
                IpAddr::V6(address) => ndisc::unsolicited(mac, *address),
            };
            let counter = match station.map(|(index, mac)| self.packets.send(index, &frame(mac))) {
                Some(Ok(())) => counters::ANNOUNCEMENTS_SENT,
                Some(Err(_)) | None => counters::SEND_ERRORS,
            };
            member.router.count(counter, 1);
        }
    }
}

/// Waits for packets on one wire for as long as its port is open.
fn wait_for_packets(daemon: Weak<RefCell<Daemon>>, wire: Wire, port: Rc<VrrpReceiver>) -> AbortHandle {
    let task = tokio::task::spawn_local(async move {
        while port.readable().await.is_ok() {
            let Some(daemon) = daemon.upgrade() else { return };
            daemon.borrow_mut().receive(&wire);
        }
    });
    task.abort_handle()
}
