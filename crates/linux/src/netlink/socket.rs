//! A netlink socket that believes the kernel alone and never waits. Knows datagrams, not what is in them.

use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvmsg, send, setsockopt,
    socket, sockopt,
};
use socket2::{SockFilter, SockRef};

use super::frame::{self, Frame};

/// A non-blocking netlink socket.
pub(crate) struct NetlinkSocket(OwnedFd);

/// What the kernel sent at once.
pub(crate) struct Datagram<'a>(&'a [u8]);

impl<'a> Datagram<'a> {
    pub(crate) fn frames(&self) -> impl Iterator<Item = Frame<'a>> + use<'a> {
        frame::frames(self.0)
    }
}

impl NetlinkSocket {
    /// Opens a socket in the network namespace of the calling thread, subscribed to `groups`, a bit each.
    pub(crate) fn open(protocol: SockProtocol, groups: u32) -> io::Result<Self> {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let fd = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
        Ok(Self(fd))
    }

    /// Asks for this much room for what has not been read; what the system allows if more is not permitted.
    pub(crate) fn set_receive_room(&self, bytes: usize) -> io::Result<()> {
        setsockopt(&self.0, sockopt::RcvBufForce, &bytes)
            .or_else(|_| setsockopt(&self.0, sockopt::RcvBuf, &bytes))
            .map_err(io::Error::from)
    }

    /// Passes only messages for which this program of classic BPF says so; it reads them from their header on.
    pub(crate) fn attach_filter(&self, program: &[SockFilter]) -> io::Result<()> {
        SockRef::from(&self.0).attach_filter(program)
    }

    /// Has the kernel (Linux 4.20 and later) heed the filters in requests for dumps. That an older one does not is for
    /// the reader of the dump.
    pub(crate) fn set_strict_check(&self) {
        let on: libc::c_int = 1;
        // SAFETY: the option's value is an int, which outlives the call, and its size is that of an int.
        unsafe {
            libc::setsockopt(
                self.as_raw_fd(),
                libc::SOL_NETLINK,
                NETLINK_GET_STRICT_CHK,
                (&raw const on).cast(),
                size_of_val(&on) as libc::socklen_t,
            );
        }
    }

    /// Sends messages to the kernel, which has carried them out when this returns.
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<()> {
        send(self.as_raw_fd(), bytes, MsgFlags::empty())?;
        Ok(())
    }

    /// Takes the next datagram from the kernel, those of other senders dropped; `None` when there is none. One that
    /// does not fit in `buffer` is reported as the kernel reports an overrun, ENOBUFS: something was lost.
    pub(crate) fn receive<'a>(&self, buffer: &'a mut [u8]) -> io::Result<Option<Datagram<'a>>> {
        loop {
            let mut target = [IoSliceMut::new(buffer)];
            let received =
                match recvmsg::<NetlinkAddr>(self.as_raw_fd(), &mut target, None, MsgFlags::empty()) {
                    Err(Errno::EAGAIN) => return Ok(None),
                    received => received?,
                };
            let from_kernel = received.address.is_some_and(|sender| sender.pid() == 0);
            let (length, truncated) = (received.bytes, received.flags.contains(MsgFlags::MSG_TRUNC));
            if !from_kernel {
                continue;
            }
            if truncated {
                return Err(Errno::ENOBUFS.into());
            }
            return Ok(buffer.get(..length).map(Datagram));
        }
    }
}

impl AsRawFd for NetlinkSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// linux/netlink.h
const NETLINK_GET_STRICT_CHK: libc::c_int = 12;

/// Room for one datagram. The kernel fits the parts of a dump to it, up to 32 KiB; a single link with many virtual
/// functions may take more than that.
pub(crate) const BUFFER: usize = 64 * 1024;
