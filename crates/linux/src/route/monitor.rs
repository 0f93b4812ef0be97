//! Tells of every change of links and addresses as the kernel reports it. Must not remember them: the caller holds the
//! state, and reads it anew after an overrun.

use std::io;

use nix::sys::socket::SockProtocol;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::address::{Address, Names};
use super::link::Link;
use crate::netlink::frame::Frame;
use crate::netlink::socket::{BUFFER, NetlinkSocket};

/// One reported change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A link is new, or something about it, its name included, may have changed.
    Link(Link),
    /// A link has been deleted, or moved to another namespace.
    LinkGone {
        /// Interface index.
        index: u32,
        /// Interface name.
        name: String,
    },
    /// An address is new, or something about it may have changed.
    Address(Address),
    /// An address has been deleted.
    AddressGone(Address),
    /// Changes were lost: read everything anew.
    Overrun,
}

/// A subscription to changes.
pub struct Monitor {
    socket: AsyncFd<NetlinkSocket>,
}

impl Monitor {
    /// Subscribes in the network namespace of the calling thread. Read the state after this, and no change is missed
    /// in between. Needs a tokio runtime.
    ///
    /// # Errors
    /// No file descriptor left.
    pub fn open() -> io::Result<Self> {
        let socket = NetlinkSocket::open(SockProtocol::NetlinkRoute, GROUPS)?;
        socket.set_receive_room(ROOM)?;
        // SAFETY: the socket owns its descriptor and neither closes nor replaces it before it is dropped.
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?;
        Ok(Self { socket })
    }

    /// Waits until [`drain`](Self::drain) is worth a call, which must follow. May be dropped at any time.
    ///
    /// # Errors
    /// The runtime is shutting down.
    pub async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await?.clear_ready();
        Ok(())
    }

    /// Everything reported so far, in order, our own changes too: they are reported before they are acknowledged.
    /// More than 64 changes count as an overrun. Never waits.
    ///
    /// # Errors
    /// What the kernel reports of the socket.
    pub fn drain(&self) -> io::Result<Vec<Change>> {
        let mut buffer = vec![0; BUFFER];
        let mut changes = Vec::new();
        let mut names = Names::default();
        for _ in 0..MAX_DATAGRAMS {
            match self.socket.get_ref().receive(&mut buffer) {
                Ok(Some(_)) if changes.len() >= MAX_CHANGES => changes = vec![Change::Overrun],
                Ok(Some(datagram)) => {
                    changes.extend(datagram.frames().filter_map(|f| Change::read(&f, &mut names)))
                }
                Ok(None) => return Ok(changes),
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => changes = vec![Change::Overrun],
                Err(error) => return Err(error),
            }
        }
        // They come faster than they are read: what is left is part of what the caller reads anew.
        Ok(vec![Change::Overrun])
    }
}

impl Change {
    fn read(frame: &Frame<'_>, names: &mut Names) -> Option<Self> {
        let mut address = || Some(names.drop_default_label(Address::parse(frame.payload)?));
        Some(match frame.kind {
            libc::RTM_NEWLINK => Self::Link(Link::parse(frame.payload)?),
            libc::RTM_DELLINK => {
                let Link { index, name, .. } = Link::parse(frame.payload)?;
                Self::LinkGone { index, name }
            }
            libc::RTM_NEWADDR => Self::Address(address()?),
            libc::RTM_DELADDR => Self::AddressGone(address()?),
            _ => return None,
        })
    }
}

/// The most changes returned at once: beyond, it is as cheap to read everything anew.
const MAX_CHANGES: usize = 64;
/// The most datagrams read at once, more than fit in [`ROOM`].
const MAX_DATAGRAMS: usize = 4096;
const GROUPS: u32 = (libc::RTMGRP_LINK | libc::RTMGRP_IPV4_IFADDR | libc::RTMGRP_IPV6_IFADDR) as u32;
/// Room for about a thousand changes not yet read.
const ROOM: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::time::Duration;

    use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockType};
    use proptest::prelude::*;
    use tokio::time::timeout;

    use super::super::{AddressChange, AddressKey, NewAddress, Route};
    use super::*;
    use crate::namespace::{in_namespace_async, ip, link};
    use crate::netlink::frame::frames;

    /// The first change that fits, others passed over.
    async fn seen<T>(monitor: &Monitor, fits: impl Fn(&Change) -> Option<T>) -> T {
        let wait = async {
            loop {
                if let Some(found) = monitor.drain().unwrap().iter().find_map(&fits) {
                    return found;
                }
                monitor.readable().await.unwrap();
            }
        };
        timeout(Duration::from_secs(5), wait).await.unwrap()
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn links_are_seen_to_come_change_and_go() {
        in_namespace_async(async || {
            let monitor = Monitor::open().unwrap();
            ip("link add name veth0 type veth peer name veth1");
            let index = link("veth0").index;
            let state = |wanted: (bool, bool)| {
                move |change: &Change| match change {
                    Change::Link(link) if link.index == index && (link.up, link.carrier) == wanted => {
                        Some(())
                    }
                    _ => None,
                }
            };
            seen(&monitor, state((false, false))).await;
            ip("link set dev veth0 up");
            ip("link set dev veth1 up");
            seen(&monitor, state((true, true))).await;
            ip("link set dev veth1 down");
            seen(&monitor, state((true, false))).await;
            ip("link set dev veth0 down");
            seen(&monitor, state((false, false))).await;
            ip("link set dev veth0 name renamed");
            let renamed = |change: &Change| match change {
                Change::Link(link) if link.name == "renamed" => Some(link.index),
                _ => None,
            };
            assert_eq!(seen(&monitor, renamed).await, index);
            ip("link del dev renamed");
            seen(&monitor, |change| {
                (*change == Change::LinkGone { index, name: "renamed".into() }).then_some(())
            })
            .await;
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn a_port_that_leaves_its_bridge_is_not_a_link_gone() {
        in_namespace_async(async || {
            ip("link add name veth0 type veth peer name veth1");
            ip("link add name bridge0 type bridge");
            ip("link set dev veth0 master bridge0");
            let monitor = Monitor::open().unwrap();
            ip("link set dev veth0 nomaster");
            ip("link del dev bridge0");
            let gone = |change: &Change| match change {
                Change::LinkGone { name, .. } => Some(name.clone()),
                _ => None,
            };
            assert_eq!(seen(&monitor, gone).await, "bridge0");
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn addresses_are_seen_to_come_and_go() {
        in_namespace_async(async || {
            ip("link add name veth0 type veth peer name veth1");
            let monitor = Monitor::open().unwrap();
            let key = AddressKey {
                index: link("veth0").index,
                address: [10, 0, 0, 1].into(),
                peer: None,
                prefix: 24,
            };
            Route::open().unwrap().add_address(&NewAddress::plain(key, 42)).unwrap();
            let address = |change: &Change| match change {
                Change::Address(address) => Some(address.clone()),
                _ => None,
            };
            let added = seen(&monitor, address).await;
            assert_eq!((added.key(), added.protocol), (key, 42));
            ip("addr del 10.0.0.1/24 dev veth0");
            seen(&monitor, |change| (*change == Change::AddressGone(added.clone())).then_some(())).await;
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn an_overrun_is_told_and_the_monitor_goes_on() {
        in_namespace_async(async || {
            ip("link add name veth0 type veth peer name veth1");
            let index = link("veth0").index;
            let monitor = Monitor::open().unwrap();
            monitor.socket.get_ref().set_receive_room(1).unwrap();
            let mut route = Route::open().unwrap();
            let changes: Vec<_> = (1..=100)
                .map(|i| AddressKey { index, address: [10, 0, i, 1].into(), peer: None, prefix: 24 })
                .map(|key| AddressChange::Add(NewAddress::plain(key, 9)))
                .collect();
            route.change_addresses(&changes);
            seen(&monitor, |change| (*change == Change::Overrun).then_some(())).await;
            monitor.socket.get_ref().set_receive_room(ROOM).unwrap();
            ip("link set dev veth0 up");
            seen(&monitor, |change| matches!(change, Change::Link(link) if link.up).then_some(())).await;
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn our_own_changes_are_there_when_they_are_acknowledged() {
        in_namespace_async(async || {
            ip("link add name veth0 type veth peer name veth1");
            let key = |i| AddressKey {
                index: link("veth0").index,
                address: [10, 0, i, 1].into(),
                peer: None,
                prefix: 24,
            };
            let (monitor, mut route) = (Monitor::open().unwrap(), Route::open().unwrap());
            route.add_address(&NewAddress::plain(key(0), 9)).unwrap();
            let changes = monitor.drain().unwrap();
            assert!(matches!(&changes[..], [Change::Address(a)] if a.key() == key(0)), "{changes:?}");
            route.delete_address(&key(0)).unwrap();
            let changes = monitor.drain().unwrap();
            assert!(matches!(&changes[..], [Change::AddressGone(a)] if a.key() == key(0)), "{changes:?}");
            assert_eq!(monitor.drain().unwrap(), []);

            for i in 0..=MAX_CHANGES as u8 {
                route.add_address(&NewAddress::plain(key(i), 9)).unwrap();
            }
            assert_eq!(monitor.drain().unwrap(), [Change::Overrun]);
            assert_eq!(monitor.drain().unwrap(), []);
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn what_another_process_sends_is_not_believed() {
        in_namespace_async(async || {
            ip("link add name veth0 type veth peer name veth1");
            let key = AddressKey {
                index: link("veth0").index,
                address: [10, 6, 6, 6].into(),
                peer: None,
                prefix: 24,
            };
            let forged = AddressChange::Add(NewAddress::plain(key, 9)).to_message(0).unwrap();
            let monitor_at = |monitor: &Monitor| {
                nix::sys::socket::getsockname::<NetlinkAddr>(monitor.socket.get_ref().as_raw_fd()).unwrap()
            };
            let monitor = Monitor::open().unwrap();
            let other = nix::sys::socket::socket(
                AddressFamily::Netlink,
                SockType::Raw,
                SockFlag::empty(),
                SockProtocol::NetlinkRoute,
            )
            .unwrap();
            let target = monitor_at(&monitor);
            nix::sys::socket::sendto(other.as_raw_fd(), &forged, &target, MsgFlags::empty()).unwrap();
            ip("addr add 10.0.0.1/24 dev veth0");
            let address = |change: &Change| match change {
                Change::Address(address) => Some(address.address.to_string()),
                _ => None,
            };
            assert_eq!(seen(&monitor, address).await, "10.0.0.1");
        });
    }

    proptest! {
        #[test]
        fn any_frame_is_read(kind in 16_u16..24, payload: Vec<u8>) {
            let mut bytes = (16 + payload.len() as u32).to_ne_bytes().to_vec();
            bytes.extend(kind.to_ne_bytes());
            bytes.extend([0; 10]);
            bytes.extend(payload);
            for frame in frames(&bytes) {
                let _ = Change::read(&frame, &mut Names::default());
            }
        }
    }
}
