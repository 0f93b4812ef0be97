//! The bytes of a packet from a description of how it differs from a valid advert: how the hex of the rows is
//! made, and proof that it is what its description says. Written apart from the code under test, and able to
//! make what that never sends. Must not judge.

use std::fmt::Write;
use std::net::Ipv4Addr;

use serde::Deserialize;

/// A packet: an advert of priority 200 from 10.0.1.2 for 10.0.1.5, valid but for what is said here.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Packet {
    /// Source address.
    pub from: Ipv4Addr,
    /// Destination address.
    pub to: Ipv4Addr,
    /// TTL.
    pub ttl: u8,
    /// IP protocol.
    pub protocol: u8,
    /// Version of the IP header.
    pub ip_version: u8,
    /// IP options, in hex.
    pub ip_options: String,
    /// Flags and fragment offset of the IP header.
    pub fragment: u16,
    /// Version of VRRP.
    pub version: u8,
    /// Type of message.
    pub r#type: u8,
    /// VRID.
    pub vrid: u8,
    /// Priority.
    pub priority: u8,
    /// Count of addresses, if it lies.
    pub count: Option<u8>,
    /// The four reserved bits of version 3.
    pub reserve: u8,
    /// Advertisement_Interval, in the version's unit: centiseconds or seconds; 1 s unless said.
    pub interval: Option<u16>,
    /// Auth Type of version 2.
    pub auth_type: u8,
    /// Authentication Data of version 2, in hex.
    pub auth_data: String,
    /// Virtual addresses.
    pub addresses: Vec<Ipv4Addr>,
    /// Checksum over a pseudo-header too (version 3).
    pub pseudo_header: bool,
    /// A bit of the message to flip after the checksum: byte, bit.
    pub flip: Option<(usize, u8)>,
    /// How much of the message is kept.
    pub keep: Option<usize>,
    /// Bytes behind the message but within the IP packet, in hex.
    pub tail: String,
    /// Bytes of padding behind the IP packet.
    pub padding: usize,
    /// How much of the whole packet arrives.
    pub arrives: Option<usize>,
}

impl Default for Packet {
    fn default() -> Self {
        Self {
            from: Ipv4Addr::new(10, 0, 1, 2),
            to: Ipv4Addr::new(224, 0, 0, 18),
            ttl: 255,
            protocol: 112,
            ip_version: 4,
            ip_options: String::new(),
            fragment: 0,
            version: 3,
            r#type: 1,
            vrid: 51,
            priority: 200,
            count: None,
            reserve: 0,
            interval: None,
            auth_type: 0,
            auth_data: "00".repeat(8),
            addresses: vec![Ipv4Addr::new(10, 0, 1, 5)],
            pseudo_header: true,
            flip: None,
            keep: None,
            tail: String::new(),
            padding: 0,
            arrives: None,
        }
    }
}

impl Packet {
    /// The whole packet.
    ///
    /// # Errors
    /// What of the description is no hex.
    pub fn bytes(&self) -> Result<Vec<u8>, String> {
        let mut message = self.message()?;
        message.truncate(self.keep.unwrap_or(usize::MAX));
        message.extend(unhex(&self.tail)?);
        let options = unhex(&self.ip_options)?;
        let length = 20 + options.len() + message.len();
        let mut packet = vec![self.ip_version << 4 | (5 + options.len() / 4) as u8, 0xc0];
        packet.extend((length as u16).to_be_bytes());
        packet.extend([0, 0]);
        packet.extend(self.fragment.to_be_bytes());
        packet.extend([self.ttl, self.protocol, 0, 0]);
        packet.extend(self.from.octets());
        packet.extend(self.to.octets());
        packet.extend(options);
        let sum = checksum(&packet).to_be_bytes();
        packet[10..12].copy_from_slice(&sum);
        packet.extend(message);
        packet.resize(packet.len() + self.padding, 0);
        packet.truncate(self.arrives.unwrap_or(usize::MAX));
        Ok(packet)
    }

    fn message(&self) -> Result<Vec<u8>, String> {
        let count = self.count.unwrap_or(self.addresses.len() as u8);
        let mut message = vec![self.version << 4 | self.r#type, self.vrid, self.priority, count];
        if self.version == 2 {
            message.extend([self.auth_type, self.interval.unwrap_or(1) as u8]);
        } else {
            message.extend((u16::from(self.reserve) << 12 | self.interval.unwrap_or(100)).to_be_bytes());
        }
        message.extend([0, 0]);
        message.extend(self.addresses.iter().flat_map(Ipv4Addr::octets));
        let mut pseudo_header = Vec::new();
        if self.version == 2 {
            message.extend(unhex(&self.auth_data)?);
        } else if self.pseudo_header {
            pseudo_header = [self.from.octets(), self.to.octets()].concat();
            pseudo_header.extend([0, 112]);
            pseudo_header.extend((message.len() as u16).to_be_bytes());
        }
        let sum = checksum(&[&pseudo_header[..], &message].concat()).to_be_bytes();
        message[6..8].copy_from_slice(&sum);
        if let Some((byte, bit)) = self.flip {
            message[byte] ^= 1 << bit;
        }
        Ok(message)
    }
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

/// Bytes from hex.
///
/// # Errors
/// What is no hex.
pub fn unhex(text: &str) -> Result<Vec<u8>, String> {
    let digits = text.as_bytes().chunks(2);
    let byte = |pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    digits
        .map(byte)
        .collect::<Option<_>>()
        .filter(|_| text.len().is_multiple_of(2))
        .ok_or(format!("no hex: {text}"))
}

/// Bytes as hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
