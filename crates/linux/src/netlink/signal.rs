//! A subscription that tells only that something has changed, not what: who is told reads it anew. Must not know what
//! the messages say.

use std::io;

use nix::sys::socket::SockProtocol;
use socket2::SockFilter;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::frame::Frame;
use super::socket::{BUFFER, NetlinkSocket};

/// A socket subscribed to groups.
pub(crate) struct Signal {
    socket: AsyncFd<NetlinkSocket>,
}

impl Signal {
    /// Subscribes to `groups`, a bit each, in the network namespace of the calling thread, to what passes `filter` where
    /// it has instructions. Needs a tokio runtime.
    pub(crate) fn open(protocol: SockProtocol, groups: u32, filter: &[SockFilter]) -> io::Result<Self> {
        let socket = NetlinkSocket::open(protocol, groups)?;
        if !filter.is_empty() {
            socket.attach_filter(filter)?;
        }
        // SAFETY: the socket owns its descriptor and neither closes nor replaces it before it is dropped.
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?;
        Ok(Self { socket })
    }

    /// Waits until [`drain`](Self::drain) is worth a call, which must follow. May be dropped at any time.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await?.clear_ready();
        Ok(())
    }

    /// Whether anything was reported since the last call that `concerns` the caller, or was lost. Never waits.
    pub(crate) fn drain(&self, concerns: impl Fn(&Frame<'_>) -> bool) -> io::Result<bool> {
        let mut buffer = vec![0; BUFFER];
        let mut changed = false;
        for _ in 0..MAX_DATAGRAMS {
            match self.socket.get_ref().receive(&mut buffer) {
                Ok(Some(datagram)) => changed |= datagram.frames().any(|frame| concerns(&frame)),
                Ok(None) => return Ok(changed),
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => changed = true,
                Err(error) => return Err(error),
            }
        }
        // They come faster than they are read: what is left is part of what the caller reads anew.
        Ok(true)
    }
}

/// For tests: that changes are lost.
#[cfg(test)]
impl Signal {
    pub(crate) fn set_receive_room(&self, bytes: usize) {
        self.socket.get_ref().set_receive_room(bytes).unwrap();
    }
}

/// The most datagrams read at once, more than fit in what the kernel holds for a socket by default.
const MAX_DATAGRAMS: usize = 4096;
