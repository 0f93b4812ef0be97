//! Fuzz targets: what must hold of adverts whatever bytes come. Each reads its input as it likes, so that any bytes
//! are an input and a driver need not know how. Must not panic by themselves: a panic is a find.

mod decoder;
mod hmac;

pub use decoder::decoder;
pub use hmac::hmac;

use super::{Key, KeyId};

/// Ends a target with what does not hold.
macro_rules! hold {
    ($holds:expr, $($what:tt)+) => {
        if !$holds {
            return Err(format!($($what)+));
        }
    };
}
use hold;

/// A key by its bytes, which are enough.
fn key(bytes: &[u8]) -> Result<Key, String> {
    Key::new(bytes).ok_or_else(|| format!("no key of {} bytes", bytes.len()))
}

/// A number of a key; 0 is taken for 1.
fn key_id(number: u8) -> Result<KeyId, String> {
    KeyId::new(number.max(1)).ok_or_else(|| format!("no key {number}"))
}
