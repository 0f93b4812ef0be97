//! The frame around every netlink message (netlink(7), `struct nlmsghdr`), in the machine's byte order. Total over any
//! bytes. Knows nothing of what is inside but the errno that ends a reply.

use super::NetlinkError;

/// One message of a datagram.
pub(crate) struct Frame<'a> {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) sequence: u32,
    pub(crate) payload: &'a [u8],
}

impl Frame<'_> {
    /// What came of the request, if this frame ends the reply to it: an acknowledgement, a refusal or the end of a
    /// dump, each of which begins with a negative errno or zero.
    pub(crate) fn answer(&self) -> Option<Result<(), NetlinkError>> {
        if !matches!(i32::from(self.kind), libc::NLMSG_ERROR | libc::NLMSG_DONE) {
            return None;
        }
        let code = self.payload.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes));
        Some(match code {
            Some(0) => Ok(()),
            Some(code) => Err(NetlinkError::Refused(code.saturating_neg())),
            None => Err(NetlinkError::NoReply),
        })
    }
}

/// The messages of a datagram, up to the first that claims a length it cannot have.
pub(crate) fn frames(mut bytes: &[u8]) -> impl Iterator<Item = Frame<'_>> {
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

/// A request as bytes; `flags` (`NLM_F_*`) on top of those every request has.
pub(crate) fn encode(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let length = HEADER + payload.len();
    let mut bytes = Vec::with_capacity(length.next_multiple_of(ALIGNMENT));
    bytes.extend((length as u32).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend((libc::NLM_F_REQUEST as u16 | flags).to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend(KERNEL.to_ne_bytes());
    bytes.extend(payload);
    bytes.resize(length.next_multiple_of(ALIGNMENT), 0);
    bytes
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
/// The port of the kernel (netlink(7)).
const KERNEL: u32 = 0;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: i32, sequence: u32, payload: &[u8]) -> Vec<u8> {
        encode(kind as u16, 0, sequence, payload)
    }

    #[test]
    fn frames_follow_each_other_and_a_false_length_ends_them() {
        let mut bytes = frame(20, 1, &[1, 2, 3]);
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
        let refused = |errno| Some(Err(NetlinkError::Refused(errno)));
        assert_eq!(answer(libc::NLMSG_ERROR, &(-17_i32).to_ne_bytes()), refused(libc::EEXIST));
        assert_eq!(answer(libc::NLMSG_DONE, &(-1_i32).to_ne_bytes()), refused(libc::EPERM));
        assert!(answer(libc::NLMSG_ERROR, &i32::MIN.to_ne_bytes()).unwrap().is_err());
        assert_eq!(answer(libc::NLMSG_ERROR, &[0]), Some(Err(NetlinkError::NoReply)));
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
