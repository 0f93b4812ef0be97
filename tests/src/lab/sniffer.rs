//! What a host sees on its wire, with the time: adverts and gratuitous ARP, also its own. Written apart from the code
//! under test. Must not judge.

use std::io::Read;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use super::host::Host;
use super::worker::Worker;

/// How long the end may have to wait.
const PATIENCE: Duration = Duration::from_millis(100);

/// An advert.
#[derive(Clone, Debug)]
pub struct Advert {
    /// When it was seen.
    pub at: Instant,
    /// Where from.
    pub source: Ipv4Addr,
    /// VRID.
    pub vrid: u8,
    /// Priority.
    pub priority: u8,
}

/// A gratuitous ARP frame.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// When it was seen.
    pub at: Instant,
    /// The address.
    pub address: Ipv4Addr,
    /// The MAC address that it is said to have.
    pub mac: String,
}

#[derive(Debug, Default)]
struct Seen {
    adverts: Vec<Advert>,
    announcements: Vec<Announcement>,
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
        self.adverts(since).into_iter().filter(|advert| advert.source == host.address()).collect()
    }

    /// The announcements seen since then.
    #[must_use]
    pub fn announcements(&self, since: Instant) -> Vec<Announcement> {
        let seen = self.seen.lock().unwrap();
        seen.announcements.iter().filter(|announcement| announcement.at >= since).cloned().collect()
    }
}

impl Seen {
    fn note(&mut self, frame: &[u8], at: Instant) {
        let address = |bytes: &[u8]| Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]);
        match (frame.get(12..14), frame.get(14..)) {
            (Some([0x08, 0x00]), Some(ip)) if ip.len() >= 20 && ip[9] == 112 => {
                if let Some([_, vrid, priority, ..]) = ip.get(usize::from(ip[0] & 0xf) * 4..) {
                    let (source, vrid, priority) = (address(&ip[12..]), *vrid, *priority);
                    self.adverts.push(Advert { at, source, vrid, priority });
                }
            }
            (Some([0x08, 0x06]), Some(arp)) if arp.len() >= 28 && arp[14..18] == arp[24..28] => {
                let mac: Vec<String> = arp[8..14].iter().map(|byte| format!("{byte:02x}")).collect();
                self.announcements.push(Announcement {
                    at,
                    address: address(&arp[14..]),
                    mac: mac.join(":"),
                });
            }
            _ => {}
        }
    }
}
