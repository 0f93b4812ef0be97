//! Payloads of netlink messages as neli's types. Reading is total.

use std::io::Cursor;

use neli::{FromBytesWithInput, ToBytes};

/// A payload as bytes, `None` if neli cannot write it.
pub(crate) fn encode(payload: &impl ToBytes) -> Option<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    payload.to_bytes(&mut bytes).ok()?;
    Some(bytes.into_inner())
}

/// A payload as neli reads it, `None` if it is not one.
pub(crate) fn decode<T: FromBytesWithInput<Input = usize>>(payload: &[u8]) -> Option<T> {
    T::from_bytes_with_input(&mut Cursor::new(payload), payload.len()).ok()
}
