//! What a host sees on its wire, with the time: adverts, what is said of who has which address, and pings, also its own.
//! Written apart from the code under test. Must not judge.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::RcvBufForce;
use socket2::{Domain, Protocol, Socket, Type};

use super::host::Host;
use super::worker::Worker;
use crate::conformance::packet::checksum;

/// How long the end may have to wait.
const PATIENCE: Duration = Duration::from_millis(100);
/// Bytes of frames that may wait: thousands of them.
const ROOM: usize = 16 << 20;
/// ff02::1.
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// An advert.
#[derive(Clone, Debug)]
pub struct Advert {
    /// When it was seen.
    pub at: Instant,
    /// The station that sent it: its Ethernet source.
    pub station: String,
    /// Where from.
    pub source: IpAddr,
    /// Where to.
    pub destination: IpAddr,
    /// TTL, or hop limit.
    pub hop_limit: u8,
    /// VRID.
    pub vrid: u8,
    /// Priority.
    pub priority: u8,
    /// Addresses that it names.
    pub count: u8,
    /// Behind the IP header.
    pub message: Vec<u8>,
    /// As it was on the wire.
    pub frame: Vec<u8>,
}

/// Somebody says which station has an address.
#[derive(Clone, Debug)]
pub struct Claim {
    /// When it was seen.
    pub at: Instant,
    /// The station that sent it: its Ethernet source.
    pub station: String,
    /// The address.
    pub address: IpAddr,
    /// The MAC address that it is said to have.
    pub mac: String,
    /// How it was said.
    pub said: Said,
}

/// Ways to say which station has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// By gratuitous ARP.
    Gratuitous,
    /// By an ARP request for another address.
    Request,
    /// By an ARP reply.
    Reply,
    /// By a neighbour solicitation for another address.
    Solicitation,
    /// By a neighbour advertisement.
    Advertisement {
        /// Where to.
        destination: Ipv6Addr,
        /// Hop limit.
        hop_limit: u8,
        /// Router, Solicited, Override: the three highest bits.
        flags: u8,
    },
}

/// A ping, or the answer to one.
#[derive(Clone, Debug)]
pub struct Echo {
    /// When it was seen.
    pub at: Instant,
    /// Where from.
    pub source: IpAddr,
    /// Where to.
    pub destination: IpAddr,
    /// TTL, or hop limit.
    pub hop_limit: u8,
}

#[derive(Debug, Default)]
struct Seen {
    adverts: Vec<Advert>,
    claims: Vec<Claim>,
    echoes: Vec<Echo>,
}

/// It listens from when it is made until it is dropped.
#[derive(Debug)]
pub struct Sniffer {
    seen: Arc<Mutex<Seen>>,
    _worker: Worker,
}

impl Sniffer {
    /// Begins to listen.
    #[must_use]
    pub fn on(host: &Host) -> Self {
        let everything = Protocol::from(i32::from((libc::ETH_P_ALL as u16).to_be()));
        let open = || Socket::new(Domain::PACKET, Type::RAW, Some(everything)).unwrap();
        let mut socket = host.namespace().within(open);
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        setsockopt(&socket, RcvBufForce, &ROOM).unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let notes = seen.clone();
        let mut frame = [0; 2048];
        let listen = move || {
            if let Ok(length) = socket.read(&mut frame) {
                notes.lock().unwrap().note(&frame[..length], Instant::now());
            }
        };
        Self { seen, _worker: Worker::start(listen) }
    }

    /// The adverts seen since then.
    #[must_use]
    pub fn adverts(&self, since: Instant) -> Vec<Advert> {
        let seen = self.seen.lock().unwrap();
        seen.adverts.iter().filter(|advert| advert.at >= since).cloned().collect()
    }

    /// The adverts of one host seen since then.
    #[must_use]
    pub fn adverts_of(&self, host: &Host, since: Instant) -> Vec<Advert> {
        self.adverts(since).into_iter().filter(|advert| host.is_at(advert.source)).collect()
    }

    /// All that was said since then of who has which address.
    #[must_use]
    pub fn claims(&self, since: Instant) -> Vec<Claim> {
        let seen = self.seen.lock().unwrap();
        seen.claims.iter().filter(|claim| claim.at >= since).cloned().collect()
    }

    /// Of these, what nobody had asked for: gratuitous ARP and unsolicited neighbour advertisements.
    #[must_use]
    pub fn announcements(&self, since: Instant) -> Vec<Claim> {
        self.claims(since).into_iter().filter(|claim| claim.said.is_announcement()).collect()
    }

    /// Of these, the answers to those who asked.
    #[must_use]
    pub fn answers(&self, since: Instant) -> Vec<Claim> {
        self.claims(since).into_iter().filter(|claim| claim.said.is_answer()).collect()
    }

    /// The pings, and the answers to them, seen since then.
    #[must_use]
    pub fn echoes(&self, since: Instant) -> Vec<Echo> {
        let seen = self.seen.lock().unwrap();
        seen.echoes.iter().filter(|echo| echo.at >= since).cloned().collect()
    }
}

impl Advert {
    /// True if its checksum, with a pseudo-header as version 3 has one for both families, is right for where it goes. What
    /// follows the addresses counts over IPv6 only.
    #[must_use]
    pub fn has_right_checksum(&self) -> bool {
        let width = if self.source.is_ipv4() { 4 } else { 16 };
        let length = if width == 4 { 8 + usize::from(self.count) * width } else { self.message.len() };
        let covered = &self.message[..length];
        let octets = |address| match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        // The words of length and protocol stand elsewhere in that of IPv6, which does not change the sum.
        let [high, low] = (length as u16).to_be_bytes();
        let pseudo = [octets(self.source), octets(self.destination), vec![high, low, 0, 112]].concat();
        checksum(&[&pseudo, covered].concat()) == 0
    }
}

impl Said {
    fn is_announcement(self) -> bool {
        match self {
            Self::Gratuitous => true,
            Self::Advertisement { destination, .. } => destination == ALL_NODES,
            Self::Request | Self::Reply | Self::Solicitation => false,
        }
    }

    fn is_answer(self) -> bool {
        match self {
            Self::Reply => true,
            Self::Advertisement { destination, .. } => destination != ALL_NODES,
            Self::Gratuitous | Self::Request | Self::Solicitation => false,
        }
    }
}

impl Seen {
    fn note(&mut self, frame: &[u8], at: Instant) {
        match (frame.get(12..14), frame.get(14..)) {
            (Some([0x08, 0x00]), Some(ip)) if ip.len() >= 20 => {
                let length = usize::from(ip[2]) << 8 | usize::from(ip[3]);
                if let Some(payload) = ip.get(usize::from(ip[0] & 0xf) * 4..length) {
                    self.packet(frame, (v4(&ip[12..]), v4(&ip[16..])), ip[8], ip[9], payload, at);
                }
            }
            (Some([0x86, 0xdd]), Some(ip)) if ip.len() >= 40 => {
                let length = usize::from(ip[4]) << 8 | usize::from(ip[5]);
                if let Some(payload) = ip.get(40..40 + length) {
                    self.packet(frame, (v6(&ip[8..]), v6(&ip[24..])), ip[7], ip[6], payload, at);
                }
            }
            (Some([0x08, 0x06]), Some(arp)) if arp.len() >= 28 => {
                let said = match arp[7] {
                    _ if arp[14..18] == arp[24..28] => Said::Gratuitous,
                    1 => Said::Request,
                    _ => Said::Reply,
                };
                self.claim(frame, v4(&arp[14..]), &arp[8..14], said, at);
            }
            _ => {}
        }
    }

    fn packet(
        &mut self,
        frame: &[u8],
        (source, destination): (IpAddr, IpAddr),
        hop_limit: u8,
        protocol: u8,
        payload: &[u8],
        at: Instant,
    ) {
        match (protocol, payload) {
            (112, [_, vrid, priority, count, ..]) => self.adverts.push(Advert {
                at,
                station: mac(&frame[6..]),
                source,
                destination,
                hop_limit,
                vrid: *vrid,
                priority: *priority,
                count: *count,
                message: payload.to_vec(),
                frame: frame.to_vec(),
            }),
            (1, [0 | 8, ..]) | (58, [128 | 129, ..]) => {
                self.echoes.push(Echo { at, source, destination, hop_limit });
            }
            // Who asks for another names its own station in an option.
            (58, [135, ..]) if payload.len() >= 32 => {
                self.claim(frame, source, &payload[26..32], Said::Solicitation, at);
            }
            // So does who answers everybody; a single one knows it.
            (58, [136, ..]) if payload.len() >= 24 => {
                let IpAddr::V6(destination) = destination else { return };
                let said = Said::Advertisement { destination, hop_limit, flags: payload[4] & 0xe0 };
                let named = payload.get(26..32).unwrap_or(&frame[6..12]);
                self.claim(frame, v6(&payload[8..]), named, said, at);
            }
            _ => {}
        }
    }

    fn claim(&mut self, frame: &[u8], address: IpAddr, named: &[u8], said: Said, at: Instant) {
        self.claims.push(Claim { at, station: mac(&frame[6..]), address, mac: mac(named), said });
    }
}

fn v4(bytes: &[u8]) -> IpAddr {
    Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]).into()
}

fn v6(bytes: &[u8]) -> IpAddr {
    let octets: [u8; 16] = bytes[..16].try_into().unwrap();
    octets.into()
}

fn mac(bytes: &[u8]) -> String {
    bytes[..6].iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}
