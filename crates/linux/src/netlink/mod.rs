//! Requests by netlink (netlink(7)) and their replies, whatever family they are of: a [`Connection`] numbers and sends
//! them and takes the replies to them alone. Must not know what is in them.
//!
//! The kernel carries out a request and queues its replies within the send, and continues a dump within each receive
//! (net/netlink/af_netlink.c). So the socket never needs to wait: a reply that is not there is lost. What a call may
//! wait for is the kernel's own lock, while another process changes the same things.

pub(crate) mod attribute;
pub(crate) mod frame;
pub(crate) mod payload;
pub(crate) mod signal;
pub(crate) mod socket;

use std::io;

use nix::sys::socket::SockProtocol;
use thiserror::Error;

use frame::Frame;
use socket::NetlinkSocket;

/// A connection for requests.
pub(crate) struct Connection {
    socket: NetlinkSocket,
    sequence: u32,
    buffer: Vec<u8>,
}

/// Why a request failed. Numbers are errno(3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NetlinkError {
    /// The kernel refused the request.
    #[error("the kernel refused: {}", io::Error::from_raw_os_error(*.0))]
    Refused(i32),
    /// The socket failed. Whether the request was carried out is not known.
    #[error("netlink socket: {}", io::Error::from_raw_os_error(*.0))]
    Socket(i32),
    /// The reply, or a part of it, is missing or cannot be read. Whether the request was carried out is not known.
    #[error("no reply from the kernel")]
    NoReply,
    /// The state kept changing while it was read.
    #[error("what is read changed during each of {DUMP_ATTEMPTS} attempts")]
    Interrupted,
    /// There is more than this crate will hold.
    #[error("more than {MAX_ENTRIES} entries")]
    TooMany,
}

impl From<io::Error> for NetlinkError {
    fn from(error: io::Error) -> Self {
        Self::Socket(error.raw_os_error().unwrap_or(libc::EIO))
    }
}

/// What came of each message of a batch; `None` if the kernel said nothing about it.
pub(crate) type Answers = Vec<Option<Result<(), NetlinkError>>>;

impl Connection {
    /// Opens a connection in the network namespace of the calling thread.
    pub(crate) fn open(protocol: SockProtocol) -> io::Result<Self> {
        Ok(Self {
            socket: NetlinkSocket::open(protocol, NO_GROUPS)?,
            sequence: 0,
            buffer: vec![0; socket::BUFFER],
        })
    }

    /// Has the kernel leave out of a dump what the request does not ask for, if it can.
    pub(crate) fn filter_dumps(&self) {
        self.socket.set_strict_check();
    }

    /// Sends `bytes`, messages numbered from `first`, and puts the answers to them in their places until the last has
    /// been answered, which must ask for it. One that fails does not stop those after it.
    ///
    /// With an error those unanswered may have been carried out or not; ENOBUFS says that answers were lost.
    pub(crate) fn exchange(
        &mut self,
        bytes: &[u8],
        first: u32,
        answers: &mut Answers,
    ) -> Result<(), NetlinkError> {
        self.socket.send(bytes)?;
        let mut overrun = Ok(());
        while matches!(answers.last(), Some(None)) {
            let datagram = match self.socket.receive(&mut self.buffer) {
                Ok(Some(datagram)) => datagram,
                Ok(None) => return overrun.and(Err(NetlinkError::NoReply)),
                Err(error) if is_overrun(&error) => {
                    overrun = Err(error.into());
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            for frame in datagram.frames() {
                let place = frame.sequence.checked_sub(first).map(|place| place as usize);
                if let (Some(slot), Some(answer)) = (place.and_then(|p| answers.get_mut(p)), frame.answer()) {
                    *slot = Some(answer);
                }
            }
        }
        overrun
    }

    /// Sends a request whose reply has an end, that of a dump (NLM_F_DUMP) or an acknowledgement (NLM_F_ACK), and
    /// keeps what `parse` makes of the parts. Begins anew if the kernel says that they do not fit together.
    pub(crate) fn ask<T>(
        &mut self,
        kind: u16,
        flags: u16,
        payload: &[u8],
        parse: impl Fn(&Frame<'_>) -> Option<T>,
    ) -> Result<Vec<T>, NetlinkError> {
        for _ in 0..DUMP_ATTEMPTS {
            let sequence = self.take_sequences(1);
            self.socket.send(&frame::encode(kind, flags, sequence, payload))?;
            if let Some(entries) = self.receive_all(sequence, &parse)? {
                return Ok(entries);
            }
        }
        Err(NetlinkError::Interrupted)
    }

    /// The parts of a reply, `None` if the state changed meanwhile, or some were lost, so that they may not fit together.
    fn receive_all<T>(
        &mut self,
        sequence: u32,
        parse: impl Fn(&Frame<'_>) -> Option<T>,
    ) -> Result<Option<Vec<T>>, NetlinkError> {
        let mut entries = Vec::new();
        let mut interrupted = false;
        let mut too_many = false;
        // Read to the end even when it is of no use: an unfinished dump blocks the next.
        loop {
            let datagram = match self.socket.receive(&mut self.buffer) {
                Err(error) if is_overrun(&error) => {
                    interrupted = true;
                    continue;
                }
                received => received?.ok_or(NetlinkError::NoReply)?,
            };
            for frame in datagram.frames() {
                if frame.sequence != sequence {
                    continue;
                }
                interrupted |= frame.flags & libc::NLM_F_DUMP_INTR as u16 != 0;
                if let Some(end) = frame.answer() {
                    end?;
                    return if too_many {
                        Err(NetlinkError::TooMany)
                    } else {
                        Ok((!interrupted).then_some(entries))
                    };
                }
                too_many |= entries.len() >= MAX_ENTRIES;
                if !too_many {
                    entries.extend(parse(&frame));
                }
            }
        }
    }

    /// The first of `count` consecutive sequence numbers, which never wrap within a batch.
    pub(crate) fn take_sequences(&mut self, count: usize) -> u32 {
        let count = count as u32;
        let first = if self.sequence > u32::MAX - count { 1 } else { self.sequence };
        self.sequence = first + count;
        first
    }
}

fn is_overrun(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOBUFS)
}

/// The most parts of a reply that are kept.
const MAX_ENTRIES: usize = 65536;
/// How often a dump is tried that does not fit together.
const DUMP_ATTEMPTS: usize = 4;
const NO_GROUPS: u32 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages that do nothing but ask for an answer.
    fn exchange_nothings(connection: &mut Connection, count: usize) -> (Answers, Result<(), NetlinkError>) {
        let first = connection.take_sequences(count);
        let message =
            |sequence| frame::encode(libc::NLMSG_NOOP as u16, libc::NLM_F_ACK as u16, sequence, &[]);
        let bytes: Vec<u8> = (first..).take(count).flat_map(message).collect();
        let mut answers = vec![None; count];
        let outcome = connection.exchange(&bytes, first, &mut answers);
        (answers, outcome)
    }

    #[test]
    fn lost_answers_are_told_and_the_connection_goes_on() {
        let mut connection = Connection::open(SockProtocol::NetlinkRoute).unwrap();
        assert_eq!(exchange_nothings(&mut connection, 50), (vec![Some(Ok(())); 50], Ok(())));
        connection.socket.set_receive_room(1).unwrap();
        let (answers, outcome) = exchange_nothings(&mut connection, 50);
        assert_eq!(outcome, Err(NetlinkError::Socket(libc::ENOBUFS)));
        assert_eq!((answers[0], answers[49]), (Some(Ok(())), None));
        assert_eq!(exchange_nothings(&mut connection, 1), (vec![Some(Ok(()))], Ok(())));
    }

    #[test]
    fn a_reply_to_an_earlier_request_is_passed_over() {
        let mut connection = Connection::open(SockProtocol::NetlinkRoute).unwrap();
        let sequence = connection.take_sequences(1);
        // Refused, so that it cannot be taken for the answer to what is asked next.
        let earlier = frame::encode(u16::MAX, libc::NLM_F_ACK as u16, sequence, &[]);
        connection.socket.send(&earlier).unwrap();
        assert_eq!(exchange_nothings(&mut connection, 1), (vec![Some(Ok(()))], Ok(())));
        connection.socket.send(&earlier).unwrap();
        let links =
            connection.ask(libc::RTM_GETLINK, libc::NLM_F_DUMP as u16, &[0; 16], |f| Some(f.kind)).unwrap();
        assert!(!links.is_empty() && links.iter().all(|kind| *kind == libc::RTM_NEWLINK));
    }

    #[test]
    fn sequences_do_not_wrap_within_a_batch() {
        let mut connection = Connection::open(SockProtocol::NetlinkRoute).unwrap();
        connection.sequence = u32::MAX - 20;
        assert_eq!(connection.take_sequences(16), u32::MAX - 20);
        assert_eq!(connection.take_sequences(16), 1);
        assert_eq!(connection.take_sequences(16), 17);
    }
}
