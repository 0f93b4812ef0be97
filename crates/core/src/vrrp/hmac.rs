//! The HMAC trailer behind an advert, as keepalived 2.4.2 and later have it (`auth_hmac`): keys, sequences, and the
//! 28 bytes. Must not remember anything: whether a sequence was seen before is asked elsewhere.
//!
//! ```text
//!  0                   1                   2                   3
//! +---------------+---------------+-------------------------------+
//! | Ext Type (1)  |    Key ID     |           Reserved            |
//! +---------------+---------------+-------------------------------+
//! |                     Seconds since 1970, UTC                   |
//! +-------------------------------+-------------------------------+
//! |       Fraction of a second    |            Counter            |
//! +-------------------------------+-------------------------------+
//! |         HMAC-SHA-256, its first 16 bytes (4 words)            |
//! +---------------------------------------------------------------+
//! ```
//! It covers a pseudo-header (family, version, VRID, source), the message with a checksum of zero, and the trailer
//! before the HMAC; not the rest of the IP header.

use core::fmt;
use core::net::IpAddr;
use core::num::NonZeroU8;
use core::time::Duration;
use std::collections::BTreeMap;

use ::hmac::{Hmac as Mac256, Mac as _};
use sha2::Sha256;

use super::Reject;
use super::v2::CHECKSUM_WORD;
use crate::units::Wall;

/// Bytes of the trailer.
pub const TRAILER_LENGTH: usize = 28;
/// Shortest key, in bytes.
pub const KEY_LENGTH_MIN: usize = 32;
/// Longest key, in bytes.
pub const KEY_LENGTH_MAX: usize = 64;

/// The only Ext Type: HMAC-SHA-256, truncated to its first 16 bytes.
const EXT_TYPE: u8 = 1;
const MAC_LENGTH: usize = 16;
/// Trailer before the HMAC.
const HEAD_LENGTH: usize = TRAILER_LENGTH - MAC_LENGTH;

/// Number of a key, 1-255: both ends have the same key under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(NonZeroU8);

impl KeyId {
    /// From its number; 0 is none.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        match NonZeroU8::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// Its number, 1-255.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0.get()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

/// A shared secret of 32-64 bytes, padded with zeros as RFC 2104 pads it. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; KEY_LENGTH_MAX]);

impl Key {
    /// From its bytes; fewer than 32 or more than 64 are none.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut padded = [0; KEY_LENGTH_MAX];
        if bytes.len() < KEY_LENGTH_MIN {
            return None;
        }
        padded.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self(padded))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(hidden)")
    }
}

/// What a router does with HMACs while they are introduced. A trailer that is wrong is refused in each mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Verifies those that come, sends none.
    ReceiveOnly,
    /// Sends them, and takes adverts without.
    Permissive,
    /// Sends them, and refuses adverts without.
    Enforce,
}

impl Mode {
    /// Every mode, in the order of an introduction.
    pub const ALL: [Self; 3] = [Self::ReceiveOnly, Self::Permissive, Self::Enforce];

    /// Its name in configuration and output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReceiveOnly => "receive-only",
            Self::Permissive => "permissive",
            Self::Enforce => "enforce",
        }
    }

    /// Whether adverts are sent with an HMAC.
    #[must_use]
    pub const fn signs(self) -> bool {
        matches!(self, Self::Permissive | Self::Enforce)
    }
}

/// How an old advert that somebody sends again is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReplayProtection {
    /// Its time must be within this span of ours, and after the last one heard.
    Time {
        /// Whole seconds.
        window: Duration,
    },
    /// Its sequence must be after the last one heard, whatever time it is.
    Monotonic,
}

impl ReplayProtection {
    /// Its name in configuration and output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Time { .. } => "time",
            Self::Monotonic => "monotonic",
        }
    }
}

/// Authentication by HMAC, as an administrator sets it up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hmac {
    /// Mode.
    pub mode: Mode,
    /// The key to send with: one of `keys`.
    pub active_key: KeyId,
    /// The keys to accept.
    pub keys: BTreeMap<KeyId, Key>,
    /// Against adverts that are sent again.
    pub replay_protection: ReplayProtection,
}

/// Where an advert stands in the sequence of its sender: seconds, a fraction of a second, and a counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sequence(pub u64);

impl Sequence {
    /// Of a moment, with a counter of zero. Seconds wrap in 2106, which [`is_after`](Self::is_after) bridges.
    #[must_use]
    pub fn at(wall: Wall) -> Self {
        let fraction = (u64::from(wall.0.subsec_nanos()) << 16) / 1_000_000_000;
        Self(wall.0.as_secs() << 32 | fraction << 16)
    }

    /// Its seconds.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// True if it comes after another: by their signed difference (RFC 1982).
    #[must_use]
    pub const fn is_after(self, other: Self) -> bool {
        self.0.wrapping_sub(other.0).cast_signed() > 0
    }

    /// The one right after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    /// How far its seconds are from those of a clock; positive if it is ahead.
    #[must_use]
    pub fn ahead_of(self, wall: Wall) -> i64 {
        i64::from(self.seconds().wrapping_sub(Self::at(wall).seconds()).cast_signed())
    }
}

/// What a verified trailer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Signature {
    /// The key that it was made with.
    pub key_id: KeyId,
    /// Its place in the sender's sequence.
    pub sequence: Sequence,
}

/// The trailer for a message from `source`, whose checksum may still be unset.
#[must_use]
pub(super) fn trailer(
    id: KeyId,
    key: &Key,
    sequence: Sequence,
    source: IpAddr,
    message: &[u8],
) -> [u8; TRAILER_LENGTH] {
    let mut trailer = [0; TRAILER_LENGTH];
    if let Some((head, mac)) = trailer.split_first_chunk_mut::<HEAD_LENGTH>() {
        let [a, b, c, d, e, f, g, h] = sequence.0.to_be_bytes();
        *head = [EXT_TYPE, id.number(), 0, 0, a, b, c, d, e, f, g, h];
        let made = authenticator(key, source, message, head).finalize().into_bytes();
        mac.iter_mut().zip(made).for_each(|(byte, made)| *byte = made);
    }
    trailer
}

/// Verifies a trailer: its form, its time if that counts, its key, its HMAC.
///
/// # Errors
/// [`Reject::HmacMalformed`], [`Reject::HmacStale`], [`Reject::HmacUnknownKey`] or [`Reject::HmacInvalid`].
pub(super) fn verify(
    hmac: &Hmac,
    wall: Wall,
    source: IpAddr,
    message: &[u8],
    trailer: &[u8; TRAILER_LENGTH],
) -> Result<Signature, Reject> {
    let (head, mac) = trailer.split_first_chunk::<HEAD_LENGTH>().ok_or(Reject::HmacMalformed)?;
    let &[ext_type, id, reserved_high, reserved_low, a, b, c, d, e, f, g, h] = head;
    let key_id = KeyId::new(id).filter(|_| ext_type == EXT_TYPE && reserved_high == 0 && reserved_low == 0);
    let key_id = key_id.ok_or(Reject::HmacMalformed)?;
    let sequence = Sequence(u64::from_be_bytes([a, b, c, d, e, f, g, h]));
    if let ReplayProtection::Time { window } = hmac.replay_protection {
        let ahead = sequence.ahead_of(wall);
        if Duration::from_secs(ahead.unsigned_abs()) > window {
            return Err(Reject::HmacStale { ahead });
        }
    }
    let key = hmac.keys.get(&key_id).ok_or(Reject::HmacUnknownKey { found: id })?;
    // Compares in constant time.
    let verified = authenticator(key, source, message, head).verify_truncated_left(mac);
    verified.map(|()| Signature { key_id, sequence }).map_err(|_| Reject::HmacInvalid)
}

/// Fed with all that the HMAC covers.
fn authenticator(key: &Key, source: IpAddr, message: &[u8], head: &[u8; HEAD_LENGTH]) -> Mac256<Sha256> {
    let first = message.first().copied().unwrap_or_default();
    let vrid = message.get(1).copied().unwrap_or_default();
    let (family, address) = match source {
        IpAddr::V4(address) => (4, {
            let [a, b, c, d] = address.octets();
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }),
        IpAddr::V6(address) => (6, address.octets()),
    };
    let (before, rest) = message.split_at(message.len().min(2 * CHECKSUM_WORD));
    let after = rest.get(2..).unwrap_or_default();
    let mut mac = Mac256::new(&key.0.into());
    for part in [&[family, first >> 4, vrid, 0][..], &address, before, &[0; 2], after, head, &[0; MAC_LENGTH]]
    {
        mac.update(part);
    }
    mac
}
