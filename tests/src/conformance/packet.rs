//! The bytes of a packet from a description of how it differs from a valid advert: how the packets of the rows are
//! made, and proof that they are what their descriptions say. Written apart from the code under test, and able to
//! make what that never sends. Must not judge.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Deserialize;

use super::arrival::Arrival;
use super::hex::unhex;
use super::trailer::Trailer;

/// A packet: an advert of priority 200 from 10.0.1.2 for 10.0.1.5, valid but for what is said here. With an IPv6 source
/// it is one for fe80::5 and 2001:db8::5.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Packet {
    /// Source address; its family is that of the packet.
    pub from: IpAddr,
    /// Destination address, if not the group.
    pub to: Option<IpAddr>,
    /// TTL of IPv4.
    pub ttl: u8,
    /// Hop limit of IPv6; null if the kernel does not tell.
    pub hop_limit: Option<u8>,
    /// IP protocol (IPv4).
    pub protocol: u8,
    /// Version of the IP header (IPv4).
    pub ip_version: u8,
    /// IP options, in hex (IPv4).
    pub ip_options: String,
    /// Flags and fragment offset of the IP header (IPv4).
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
    /// Virtual addresses, if not the usual ones.
    pub addresses: Option<Vec<IpAddr>>,
    /// HMAC behind the message.
    pub hmac: Option<Trailer>,
    /// Checksum over a pseudo-header too (version 3).
    pub pseudo_header: bool,
    /// Destination in the pseudo-header, if another than that of the packet.
    pub sum_for: Option<IpAddr>,
    /// Checksum over a trailer too, if not as the family has it.
    pub covers_trailer: Option<bool>,
    /// A bit of message and trailer to flip after the checksum: byte, bit.
    pub flip: Option<(usize, u8)>,
    /// How much of the message is kept.
    pub keep: Option<usize>,
    /// Bytes behind the message but within the IP packet, in hex.
    pub tail: String,
    /// Bytes of padding behind the IP packet (IPv4).
    pub padding: usize,
    /// How much of the whole packet arrives.
    pub arrives: Option<usize>,
}

impl Default for Packet {
    fn default() -> Self {
        Self {
            from: Ipv4Addr::new(10, 0, 1, 2).into(),
            to: None,
            ttl: 255,
            hop_limit: Some(255),
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
            addresses: None,
            hmac: None,
            pseudo_header: true,
            sum_for: None,
            covers_trailer: None,
            flip: None,
            keep: None,
            tail: String::new(),
            padding: 0,
            arrives: None,
        }
    }
}

impl Packet {
    /// As it arrives.
    ///
    /// # Errors
    /// What of the description is no hex, or of two families.
    pub fn arrival(&self) -> Result<Arrival, String> {
        match (self.from, self.to()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => self.packet_v4(from, to).map(Arrival::V4),
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let message = self.payload()?;
                Ok(Arrival::V6 { source, destination, hop_limit: self.hop_limit, message })
            }
            (from, to) => Err(format!("from {from} to {to}")),
        }
    }

    /// Its bytes: over IPv4 the whole packet, over IPv6 the payload.
    ///
    /// # Errors
    /// What of the description is no hex, or of two families.
    pub fn bytes(&self) -> Result<Vec<u8>, String> {
        self.arrival().map(|arrival| arrival.bytes().to_vec())
    }

    fn to(&self) -> IpAddr {
        let group = if self.from.is_ipv4() {
            Ipv4Addr::new(224, 0, 0, 18).into()
        } else {
            Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12).into()
        };
        self.to.unwrap_or(group)
    }

    fn addresses(&self) -> Vec<IpAddr> {
        let usual = || {
            if self.from.is_ipv4() {
                vec![Ipv4Addr::new(10, 0, 1, 5).into()]
            } else {
                let first = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 5);
                vec![first.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 5).into()]
            }
        };
        self.addresses.clone().unwrap_or_else(usual)
    }

    fn packet_v4(&self, from: Ipv4Addr, to: Ipv4Addr) -> Result<Vec<u8>, String> {
        let payload = self.payload()?;
        let options = unhex(&self.ip_options)?;
        let length = 20 + options.len() + payload.len();
        let mut packet = vec![self.ip_version << 4 | (5 + options.len() / 4) as u8, 0xc0];
        packet.extend((length as u16).to_be_bytes());
        packet.extend([0, 0]);
        packet.extend(self.fragment.to_be_bytes());
        packet.extend([self.ttl, self.protocol, 0, 0]);
        packet.extend(from.octets());
        packet.extend(to.octets());
        packet.extend(options);
        let sum = checksum(&packet).to_be_bytes();
        packet[10..12].copy_from_slice(&sum);
        packet.extend(payload);
        packet.resize(packet.len() + self.padding, 0);
        packet.truncate(self.arrives.unwrap_or(usize::MAX));
        Ok(packet)
    }

    /// Message and trailer, checksum included.
    fn payload(&self) -> Result<Vec<u8>, String> {
        let mut message = self.message()?;
        let trailer = self.hmac.as_ref().map(|hmac| hmac.bytes(&message, self.from)).unwrap_or_default();
        if let Some((byte, bit)) = self.hmac.as_ref().and_then(|hmac| hmac.tamper) {
            message[byte] ^= 1 << bit;
        }
        let covers_trailer = self.covers_trailer.unwrap_or(self.from.is_ipv6());
        let covered = [&message[..], if covers_trailer { &trailer } else { &[] }].concat();
        let sum = checksum(&[self.pseudo_header(covered.len()), covered].concat()).to_be_bytes();
        message[6..8].copy_from_slice(&sum);
        message.extend(trailer);
        if let Some((byte, bit)) = self.flip {
            message[byte] ^= 1 << bit;
        }
        message.truncate(self.keep.unwrap_or(usize::MAX));
        message.extend(unhex(&self.tail)?);
        if self.from.is_ipv6() {
            message.truncate(self.arrives.unwrap_or(usize::MAX));
        }
        Ok(message)
    }

    /// The message, its checksum zero.
    fn message(&self) -> Result<Vec<u8>, String> {
        let addresses = self.addresses();
        let count = self.count.unwrap_or(addresses.len() as u8);
        let mut message = vec![self.version << 4 | self.r#type, self.vrid, self.priority, count];
        if self.version == 2 {
            message.extend([self.auth_type, self.interval.unwrap_or(1) as u8]);
        } else {
            message.extend((u16::from(self.reserve) << 12 | self.interval.unwrap_or(100)).to_be_bytes());
        }
        message.extend([0, 0]);
        for address in addresses {
            match address {
                IpAddr::V4(address) => message.extend(address.octets()),
                IpAddr::V6(address) => message.extend(address.octets()),
            }
        }
        if self.version == 2 {
            message.extend(unhex(&self.auth_data)?);
        }
        Ok(message)
    }

    /// In front of so many bytes, for the checksum.
    fn pseudo_header(&self, length: usize) -> Vec<u8> {
        if self.version == 2 || !self.pseudo_header {
            return Vec::new();
        }
        match (self.from, self.sum_for.unwrap_or_else(|| self.to())) {
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let mut header = [from.octets(), to.octets()].concat();
                header.extend((length as u32).to_be_bytes());
                header.extend([0, 0, 0, 112]);
                header
            }
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let mut header = [from.octets(), to.octets()].concat();
                header.extend([0, 112]);
                header.extend((length as u16).to_be_bytes());
                header
            }
            _ => Vec::new(),
        }
    }
}

/// RFC 1071.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adverts that keepalived made, or that its documents show.
    #[test]
    fn makes_what_other_routers_make() {
        let from = |text: &str| text.parse::<IpAddr>().unwrap();
        let v4 = Packet { from: from("10.0.1.1"), priority: 100, ..Packet::default() };
        let v6 = Packet { from: from("fe80::1cd6:e2ff:fe2d:135c"), priority: 100, ..Packet::default() };
        // Half a second after the moment 0.
        let trailer = Some(Trailer { at_ms: 500.0, ..Trailer::default() });
        let signed = Packet {
            from: from("198.51.100.10"),
            addresses: Some(vec![from("192.0.2.100")]),
            pseudo_header: false,
            hmac: trailer.clone(),
            ..Packet::default()
        };
        let signed_v6 = Packet {
            from: from("fe80::10"),
            to: Some(from("fe80::20")),
            addresses: Some(vec![from("fe80::100")]),
            hmac: trailer,
            ..Packet::default()
        };
        for (packet, expected) in [
            (Packet { version: 2, ..v4.clone() }, "2133640100016fc50a0001050000000000000000"),
            (Packet { pseudo_header: false, ..v4.clone() }, "3133640100645f620a000105"),
            (v4.clone(), "31336401006473d20a000105"),
            (Packet { to: Some(from("10.0.1.2")), ..v4 }, "31336401006448e30a000105"),
            (v6, "3133640200642e94fe80000000000000000000000000000520010db8000000000000000000000005"),
            (signed, "3133c80100644402c00002640101000068000000800000001b84bc4e8e43892dc6d98448f8ee2265"),
            (
                signed_v6,
                "3133c8010064a2e9fe8000000000000000000000000001000101000068000000800000\
                 00c8c56146ebfd66ee10ec4d8186461b78",
            ),
        ] {
            assert_eq!(super::super::hex::hex(&packet.payload().unwrap()), expected, "{packet:?}");
        }
    }
}
