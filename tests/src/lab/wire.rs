//! Whole frames from a host's `eth0`, as they are: adverts of others, and questions of its own. Written apart from the
//! code under test. Must not judge.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::bind;
use socket2::{Domain, Socket, Type};

use super::host::Host;
use super::sniffer::Sniffer;
use crate::conformance::arrival::Arrival;
use crate::conformance::packet::checksum;

/// How long all who answer have to answer.
const ANSWERS: Duration = Duration::from_millis(300);

/// A host's end of the wire.
#[derive(Debug)]
pub struct Wire(Socket);

impl Wire {
    /// That of this host.
    #[must_use]
    pub fn of(host: &Host) -> Self {
        let open = || {
            let socket = Socket::new(Domain::PACKET, Type::RAW, None).unwrap();
            let mut interfaces = getifaddrs().unwrap().filter(|found| found.interface_name == "eth0");
            let station = interfaces.find_map(|found| found.address?.as_link_addr().copied()).unwrap();
            bind(socket.as_raw_fd(), &station).unwrap();
            socket
        };
        Self(host.namespace().within(open))
    }

    /// Sends a frame.
    pub fn send(&self, frame: &[u8]) {
        assert_eq!(self.0.send(frame).unwrap(), frame.len());
    }
}

/// Asks everybody, by ARP or neighbour solicitation, who has an address. Returns the stations that say that they have it.
#[must_use]
pub fn who_has(asking: &Host, address: &str) -> Vec<String> {
    ask(asking, address, None)
}

/// Asks one station whether it still has an address. Returns the stations that say that they have it.
#[must_use]
pub fn still_has(asking: &Host, address: &str, station: &str) -> Vec<String> {
    ask(asking, address, Some(station))
}

fn ask(asking: &Host, address: &str, station: Option<&str>) -> Vec<String> {
    let address: IpAddr = address.parse().unwrap();
    let (sniffer, began) = (Sniffer::on(asking), Instant::now());
    Wire::of(asking).send(&question(asking, address, station));
    thread::sleep(ANSWERS);
    let answers = sniffer.answers(began).into_iter().filter(|answer| answer.address == address);
    let stations: BTreeSet<String> = answers.flat_map(|answer| [answer.station, answer.mac]).collect();
    stations.into_iter().collect()
}

/// The frame of a packet, from one station to another.
#[must_use]
pub fn frame(from: &str, to: &str, packet: &Arrival) -> Vec<u8> {
    match packet {
        Arrival::V4(bytes) => ethernet(from, to, 0x0800, bytes),
        Arrival::V6 { source, destination, hop_limit, message } => {
            let packet = ipv6(*source, *destination, hop_limit.unwrap_or(255), 112, message);
            ethernet(from, to, 0x86dd, &packet)
        }
    }
}

/// The station that stands for a multicast group.
#[must_use]
pub fn station_of(group: IpAddr) -> String {
    match group {
        IpAddr::V4(group) => {
            let [_, second, third, fourth] = group.octets();
            format!("01:00:5e:{:02x}:{third:02x}:{fourth:02x}", second & 0x7f)
        }
        IpAddr::V6(group) => {
            let last: Vec<String> = group.octets()[12..].iter().map(|byte| format!("{byte:02x}")).collect();
            format!("33:33:{}", last.join(":"))
        }
    }
}

fn question(host: &Host, address: IpAddr, station: Option<&str>) -> Vec<u8> {
    let mac = host.mac();
    match address {
        IpAddr::V4(address) => arp_request(&mac, host.address(), address, station),
        IpAddr::V6(address) => solicitation(&mac, host.link_local(), address, station),
    }
}

fn arp_request(mac: &str, source: Ipv4Addr, target: Ipv4Addr, station: Option<&str>) -> Vec<u8> {
    let mut arp = vec![0, 1, 8, 0, 6, 4, 0, 1];
    arp.extend(octets(mac));
    arp.extend(source.octets());
    arp.extend([0; 6]);
    arp.extend(target.octets());
    ethernet(mac, station.unwrap_or("ff:ff:ff:ff:ff:ff"), 0x0806, &arp)
}

fn solicitation(mac: &str, source: Ipv6Addr, target: Ipv6Addr, station: Option<&str>) -> Vec<u8> {
    let last = &target.octets()[13..];
    let group = Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, last[0], last[1], last[2]]);
    let (destination, to) = match station {
        None => (group, station_of(group.into())),
        Some(station) => (target, station.to_owned()),
    };
    let mut message = vec![135, 0, 0, 0, 0, 0, 0, 0];
    message.extend(target.octets());
    message.extend([1, 1]);
    message.extend(octets(mac));
    let mut covered = [source.octets(), destination.octets()].concat();
    covered.extend([0, 0, 0, message.len() as u8, 0, 0, 0, 58]);
    covered.extend(&message);
    message[2..4].copy_from_slice(&checksum(&covered).to_be_bytes());
    ethernet(mac, &to, 0x86dd, &ipv6(source, destination, 255, 58, &message))
}

fn ipv6(source: Ipv6Addr, destination: Ipv6Addr, hop_limit: u8, next: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((payload.len() as u16).to_be_bytes());
    packet.extend([next, hop_limit]);
    packet.extend(source.octets());
    packet.extend(destination.octets());
    packet.extend(payload);
    packet
}

fn ethernet(from: &str, to: &str, protocol: u16, payload: &[u8]) -> Vec<u8> {
    [&octets(to)[..], &octets(from), &protocol.to_be_bytes(), payload].concat()
}

fn octets(mac: &str) -> Vec<u8> {
    mac.split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}
