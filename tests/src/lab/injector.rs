//! Sends packets from a host as they are, one after the other at a steady rate, until it is dropped.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::host::Host;
use super::worker::Worker;

/// The sender.
#[derive(Debug)]
pub struct Injector {
    sent: Arc<AtomicUsize>,
    _worker: Worker,
}

impl Injector {
    /// Sends these IPv4 packets in turn, each `gap` after the one before.
    #[must_use]
    pub fn on(host: &Host, packets: Vec<Vec<u8>>, gap: Duration) -> Self {
        let open = || Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW))).unwrap();
        let socket = host.namespace().within(open);
        socket.set_multicast_if_v4(&host.address()).unwrap();
        let group = SockAddr::from(SocketAddrV4::new(Ipv4Addr::new(224, 0, 0, 18), 0));
        let sent = Arc::new(AtomicUsize::new(0));
        let count = sent.clone();
        let send = move || {
            let number = count.fetch_add(1, Ordering::Relaxed);
            socket.send_to(&packets[number % packets.len()], &group).unwrap();
            thread::sleep(gap);
        };
        Self { sent, _worker: Worker::start(send) }
    }

    /// Packets sent so far.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }
}
