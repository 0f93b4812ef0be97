//! The frame around every netlink message (netlink(7)): written by neli, read here, because neli's reader subtracts
//! lengths unchecked. Total over any bytes.

use std::io::Cursor;

use neli::consts::nl::NlmF;
use neli::consts::rtnl::Rtm;
use neli::nl::{NlPayload, NlmsghdrBuilder};
use neli::{FromBytesWithInput, Size, ToBytes};

use super::RouteError;

/// One message of a datagram.
pub(super) struct Frame<'a> {
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    pub(super) payload: &'a [u8],
}

impl Frame<'_> {
    /// What came of the request, if this frame ends the reply to it: an acknowledgement, a refusal or the end of a
    /// dump, each of which begins with a negative errno or zero.
    pub(super) fn answer(&self) -> Option<Result<(), RouteError>> {
        if !matches!(i32::from(self.kind), libc::NLMSG_ERROR | libc::NLMSG_DONE) {
            return None;
        }
        let code = self.payload.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes));
        Some(match code {
            Some(0) => Ok(()),
            Some(code) => Err(RouteError::refusal(code.saturating_neg())),
            None => Err(RouteError::NoReply),
        })
    }
}

/// The messages of a datagram, up to the first that claims a length it cannot have.
pub(super) fn frames(mut bytes: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    std::iter::from_fn(move || {
        let [length, kind_and_flags, sequence, _port] = words(bytes.get(..HEADER)?)?;
        let length = usize::try_from(u32::from_ne_bytes(length)).ok()?;
        let [kind, flags] = halves(kind_and_flags);
        let payload = bytes.get(HEADER..length)?;
        // The last message need not be padded.
        bytes = bytes.get(length.next_multiple_of(ALIGNMENT)..).unwrap_or_default();
        Some(Frame { kind, flags, sequence: u32::from_ne_bytes(sequence), payload })
    })
}

/// A request as bytes; `flags` on top of those every request has.
pub(super) fn encode(
    kind: Rtm,
    flags: NlmF,
    sequence: u32,
    payload: &(impl Size + ToBytes + Clone),
) -> Result<Vec<u8>, RouteError> {
    let message = NlmsghdrBuilder::default()
        .nl_type(kind)
        .nl_flags(NlmF::REQUEST | flags)
        .nl_seq(sequence)
        .nl_payload(NlPayload::Payload(payload.clone()))
        .build()
        .map_err(|_| RouteError::Encoding)?;
    let mut bytes = Cursor::new(Vec::new());
    message.to_bytes(&mut bytes).map_err(|_| RouteError::Encoding)?;
    Ok(bytes.into_inner())
}

/// A payload as neli reads it, `None` if it is not one.
pub(super) fn decode<T: FromBytesWithInput<Input = usize>>(payload: &[u8]) -> Option<T> {
    T::from_bytes_with_input(&mut Cursor::new(payload), payload.len()).ok()
}

fn words(header: &[u8]) -> Option<[[u8; 4]; 4]> {
    header.as_chunks().0.try_into().ok()
}

fn halves([a, b, c, d]: [u8; 4]) -> [u16; 2] {
    [u16::from_ne_bytes([a, b]), u16::from_ne_bytes([c, d])]
}

/// The size of `struct nlmsghdr`, and what messages are aligned to (linux/netlink.h).
const HEADER: usize = 16;
const ALIGNMENT: usize = 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: i32, sequence: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend((HEADER as u32 + payload.len() as u32).to_ne_bytes());
        bytes.extend((kind as u16).to_ne_bytes());
        bytes.extend(0_u16.to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend(0_u32.to_ne_bytes());
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn frames_follow_each_other_and_a_false_length_ends_them() {
        let mut bytes = frame(20, 1, &[1, 2, 3]);
        bytes.push(0);
        bytes.extend(frame(21, 2, &[]));
        let read: Vec<_> = frames(&bytes).map(|f| (f.kind, f.sequence, f.payload.to_vec())).collect();
        assert_eq!(read, [(20, 1, vec![1, 2, 3]), (21, 2, vec![])]);
        for false_length in [0_u32, 15, 37, u32::MAX] {
            bytes[20..24].copy_from_slice(&false_length.to_ne_bytes());
            assert_eq!(frames(&bytes).count(), 1, "{false_length}");
        }
    }

    #[test]
    fn answers_carry_the_errno() {
        let answer = |kind, code: &[u8]| frames(&frame(kind, 1, code)).next().unwrap().answer();
        assert_eq!(answer(libc::NLMSG_ERROR, &0_i32.to_ne_bytes()), Some(Ok(())));
        assert_eq!(answer(libc::NLMSG_DONE, &0_i32.to_ne_bytes()), Some(Ok(())));
        assert_eq!(answer(libc::NLMSG_ERROR, &(-17_i32).to_ne_bytes()), Some(Err(RouteError::Exists)));
        assert_eq!(answer(libc::NLMSG_ERROR, &(-99_i32).to_ne_bytes()), Some(Err(RouteError::NoSuchAddress)));
        assert_eq!(
            answer(libc::NLMSG_ERROR, &(-19_i32).to_ne_bytes()),
            Some(Err(RouteError::NoSuchInterface))
        );
        assert_eq!(answer(libc::NLMSG_DONE, &(-1_i32).to_ne_bytes()), Some(Err(RouteError::Refused(1))));
        assert!(answer(libc::NLMSG_ERROR, &i32::MIN.to_ne_bytes()).unwrap().is_err());
        assert_eq!(answer(libc::NLMSG_ERROR, &[0]), Some(Err(RouteError::NoReply)));
        assert_eq!(answer(20, &0_i32.to_ne_bytes()), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_and_end(bytes: Vec<u8>) {
            prop_assert!(frames(&bytes).count() <= bytes.len() / HEADER);
        }

        #[test]
        fn any_length_is_read(mut bytes: Vec<u8>, length: u32) {
            bytes.splice(..0, length.to_ne_bytes());
            for frame in frames(&bytes) {
                let _ = frame.answer();
            }
        }
    }
}
