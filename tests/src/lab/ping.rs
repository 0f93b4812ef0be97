//! Pings from a host, by hand: no program of that name need be installed.

use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::host::Host;
use crate::conformance::packet::checksum;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_millis(500);

/// True if the address answers this host.
#[must_use]
pub fn is_answered(host: &Host, address: &str) -> bool {
    static COUNT: AtomicU16 = AtomicU16::new(1);
    let address: IpAddr = address.parse().unwrap();
    // A raw socket of IPv4 hands the IP header over too.
    let (domain, protocol, ask, answer, header) = match address {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4, 8, 0, 20),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6, 128, 129, 0),
    };
    let mut socket = host.namespace().within(|| Socket::new(domain, Type::RAW, Some(protocol)).unwrap());
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let [high, low] = COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let mut request = [ask, 0, 0, 0, b'v', b'k', high, low];
    if address.is_ipv4() {
        // Over IPv6 the kernel does this.
        let sum = checksum(&request).to_be_bytes();
        request[2..4].copy_from_slice(&sum);
    }
    if socket.send_to(&request, &SockAddr::from(SocketAddr::new(address, 0))).is_err() {
        return false;
    }
    let began = Instant::now();
    let mut buffer = [0; 1500];
    while began.elapsed() < PATIENCE {
        let Ok(length) = socket.read(&mut buffer) else { return false };
        let message = &buffer[header.min(length)..length];
        if message.len() >= 8 && message[0] == answer && message[4..8] == request[4..8] {
            return true;
        }
    }
    false
}
