//! The HMAC trailer behind a message, from a description of how it differs from a valid one. Written apart from the
//! code under test, with which it shares nothing but the hash. Must not judge.

use std::net::IpAddr;

use hmac::{Hmac, Mac};
use serde::Deserialize;
use sha2::Sha256;

/// Seconds since 1970 at the moment 0 of a row, when clocks say nothing else.
pub const CLOCK: u32 = 0x6800_0000;

/// A trailer: valid, made at the moment 0 of the row with key 1, but for what is said here.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Trailer {
    /// The key it is made with: see [`key`].
    pub key: u8,
    /// Key ID, if not the number of the key.
    pub key_id: Option<u8>,
    /// The moment it was made, in milliseconds of the row.
    pub at_ms: f64,
    /// Counter.
    pub counter: u16,
    /// Ext Type.
    pub ext_type: u8,
    /// Reserved.
    pub reserved: u16,
    /// The source it is made for, if not that of the packet.
    pub source: Option<IpAddr>,
    /// A bit of the message to flip after the HMAC, before the checksum: byte, bit.
    pub tamper: Option<(usize, u8)>,
    /// How much of it is kept.
    pub keep: usize,
}

impl Default for Trailer {
    fn default() -> Self {
        Self {
            key: 1,
            key_id: None,
            at_ms: 0.0,
            counter: 0,
            ext_type: 1,
            reserved: 0,
            source: None,
            tamper: None,
            keep: usize::MAX,
        }
    }
}

/// The test key of a number: 32 bytes, the first key is 00 to 1f, the second 20 to 3f.
#[must_use]
pub fn key(number: u8) -> [u8; 32] {
    std::array::from_fn(|n| (n as u8).wrapping_add(32 * (number - 1)))
}

impl Trailer {
    /// The trailer of a message whose checksum does not count.
    #[must_use]
    pub fn bytes(&self, message: &[u8], from: IpAddr) -> Vec<u8> {
        let fractions = (self.at_ms * 65.536).floor() as i64;
        let (seconds, fraction) = (fractions.div_euclid(65536), fractions.rem_euclid(65536));
        let mut trailer = vec![self.ext_type, self.key_id.unwrap_or(self.key)];
        trailer.extend(self.reserved.to_be_bytes());
        trailer.extend((i64::from(CLOCK) + seconds).to_be_bytes()[4..].iter());
        trailer.extend((fraction as u16).to_be_bytes());
        trailer.extend(self.counter.to_be_bytes());

        let (family, source) = match self.source.unwrap_or(from) {
            IpAddr::V4(address) => (4, [&address.octets()[..], &[0; 12]].concat()),
            IpAddr::V6(address) => (6, address.octets().to_vec()),
        };
        let mut covered = vec![family, message[0] >> 4, message[1], 0];
        covered.extend(source);
        covered.extend(&message[..6]);
        covered.extend([0, 0]);
        covered.extend(&message[8..]);
        covered.extend(&trailer);
        covered.extend([0; 16]);
        let mut mac = Hmac::<Sha256>::new_from_slice(&key(self.key)).expect("keys of any length");
        mac.update(&covered);
        trailer.extend(&mac.finalize().into_bytes()[..16]);
        trailer.truncate(self.keep);
        trailer
    }
}
