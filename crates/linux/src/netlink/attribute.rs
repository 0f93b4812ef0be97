//! Netlink attributes (linux/netlink.h, `struct nlattr`; `struct rtattr` is alike): length, kind, value, padded to four
//! bytes, in the machine's byte order. Total over any bytes. Knows no kinds.

/// The attributes of `bytes` as kind, without its flags, and value, up to the first that claims a length it cannot have.
pub(crate) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let &[l0, l1, k0, k1] = bytes.first_chunk::<HEADER>()?;
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let value = bytes.get(HEADER..length)?;
        // The last attribute need not be padded.
        bytes = bytes.get(length.next_multiple_of(ALIGNMENT)..).unwrap_or_default();
        Some((u16::from_ne_bytes([k0, k1]) & KIND, value))
    })
}

/// Appends an attribute to a payload, whose length is a multiple of four. The value has at most 16 bytes.
pub(crate) fn append<const N: usize>(payload: &mut Vec<u8>, kind: u16, value: [u8; N]) {
    const { assert!(N <= 16) };
    payload.extend(((HEADER + N) as u16).to_ne_bytes());
    payload.extend(kind.to_ne_bytes());
    payload.extend(value);
    payload.resize(payload.len().next_multiple_of(ALIGNMENT), 0);
}

const HEADER: usize = 4;
const ALIGNMENT: usize = 4;
/// The bits of a kind that are none of its flags, `NLA_TYPE_MASK`.
const KIND: u16 = 0x3fff;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_appended_is_read() {
        let mut payload = Vec::new();
        append(&mut payload, 21, [112]);
        append(&mut payload, 1 | 0x8000, [10, 0, 0, 1]);
        assert_eq!(payload.len(), 16);
        let read: Vec<_> = attributes(&payload).collect();
        assert_eq!(read, [(21, &[112][..]), (1, &[10, 0, 0, 1][..])]);
        assert_eq!(
            attributes(&payload[..5]).collect::<Vec<_>>(),
            [(21, &[112][..])],
            "the last is not padded"
        );
        assert_eq!(attributes(&payload[..15]).count(), 1);
        assert_eq!(attributes(&[3, 0, 0, 0]).count(), 0);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_and_end(bytes: Vec<u8>) {
            prop_assert!(attributes(&bytes).count() <= bytes.len() / HEADER);
        }
    }
}
