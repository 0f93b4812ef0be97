//! An address on a link as rtnetlink describes it and takes it (rtnetlink(7), linux/if_addr.h). Total over any bytes.

use std::net::IpAddr;

use neli::consts::nl::NlmF;
use neli::consts::rtnl::{Ifa, IfaF, RtAddrFamily, RtScope, Rtm};
use neli::rtnl::{Ifaddrmsg, IfaddrmsgBuilder, Rtattr, RtattrBuilder};
use neli::types::{Buffer, RtBuffer};

use super::message::encode;
use super::{AddressChange, RouteError};
use crate::netlink::payload::decode;

/// An address that is on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// Interface index.
    pub index: u32,
    /// The local address.
    pub address: IpAddr,
    /// The other end of a point-to-point link, where it is not the local address.
    pub peer: Option<IpAddr>,
    /// Length of the prefix, of the peer's address where there is one.
    pub prefix: u8,
    /// Who says to have put it there (`IFA_PROTO`, Linux 5.18); 0 if nobody does.
    pub protocol: u8,
    /// How far it is known (`RT_SCOPE_*`): 0 everywhere, 253 on the link, 254 in the host.
    pub scope: u8,
    /// IPv4: another address of the same subnet is the primary, and takes this one along when it is deleted while
    /// promote_secondaries = 0. IPv6: a temporary address.
    pub secondary: bool,
    /// IPv6: duplicate address detection has not finished.
    pub tentative: bool,
}

/// What tells one address from another when it is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressKey {
    /// Interface index.
    pub index: u32,
    /// The local address, which is also the peer's: an address with another peer is another.
    pub address: IpAddr,
    /// Length of the prefix.
    pub prefix: u8,
}

/// An address to put on a link: no peer, no broadcast address, scope universe, for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NewAddress {
    /// Where, what, and with which prefix.
    pub key: AddressKey,
    /// Who puts it there (`IFA_PROTO`); 0 is nobody. Linux before 5.18 forgets it.
    pub protocol: u8,
}

impl Address {
    /// Reads the payload of a RTM_NEWADDR or RTM_DELADDR; `None` for what is none of an IPv4 or IPv6 address.
    pub(super) fn parse(payload: &[u8]) -> Option<Self> {
        let message: Ifaddrmsg = decode(payload)?;
        let attributes = message.rtattrs().get_attr_handle();
        let value = |kind| attributes.get_attribute(kind).map(|attribute| attribute.rta_payload().as_ref());
        let address = |kind| value(kind).and_then(|bytes| ip_address(*message.ifa_family(), bytes));
        // With a peer IFA_ADDRESS is the peer's. Without one IPv4 gives the address in both, IPv6 in IFA_ADDRESS.
        let (local, other) = (address(Ifa::Local), address(Ifa::Address));
        let own = local.or(other)?;
        Some(Self {
            index: *message.ifa_index(),
            address: own,
            peer: other.filter(|other| *other != own),
            prefix: *message.ifa_prefixlen(),
            protocol: value(IFA_PROTO).and_then(|bytes| bytes.first().copied()).unwrap_or(0),
            scope: (*message.ifa_scope()).into(),
            secondary: message.ifa_flags().contains(IfaF::SECONDARY),
            tentative: message.ifa_flags().contains(IfaF::TENTATIVE),
        })
    }

    /// What deletes this address, if it has no peer.
    #[must_use]
    pub fn key(&self) -> AddressKey {
        AddressKey { index: self.index, address: self.address, prefix: self.prefix }
    }
}

impl AddressChange {
    /// The request as bytes, with an answer asked for.
    pub(super) fn to_message(self, sequence: u32) -> Result<Vec<u8>, RouteError> {
        let (kind, flags, key, protocol) = match self {
            Self::Add(new) => (Rtm::Newaddr, NlmF::CREATE | NlmF::EXCL, new.key, Some(new.protocol)),
            Self::AddLocal(key) => (Rtm::Newaddr, NlmF::CREATE | NlmF::EXCL, key, None),
            Self::Delete(key) => (Rtm::Deladdr, NlmF::empty(), key, None),
        };
        let (family, address) = match key.address {
            IpAddr::V4(address) => (RtAddrFamily::Inet, address.octets().to_vec()),
            IpAddr::V6(address) => (RtAddrFamily::Inet6, address.octets().to_vec()),
        };
        let mut attributes = vec![attribute(Ifa::Local, address.clone())?, attribute(Ifa::Address, address)?];
        if let Some(protocol) = protocol {
            attributes.push(attribute(IFA_PROTO, vec![protocol])?);
        }
        let reach = match (self, family) {
            (Self::AddLocal(_), RtAddrFamily::Inet6) => (RtScope::Host, IfaF::NODAD),
            (Self::AddLocal(_), _) => (RtScope::Host, IfaF::empty()),
            (Self::Add(_) | Self::Delete(_), _) => EVERYWHERE,
        };
        let payload = message(family, &key, reach, attributes)?;
        encode(kind, flags | NlmF::ACK, sequence, &payload)
    }
}

/// The payload of a request for all addresses.
pub(super) fn query() -> Result<Ifaddrmsg, RouteError> {
    let any = AddressKey { index: 0, address: IpAddr::from([0; 4]), prefix: 0 };
    message(RtAddrFamily::Unspecified, &any, EVERYWHERE, Vec::new())
}

fn message(
    family: RtAddrFamily,
    key: &AddressKey,
    (scope, flags): (RtScope, IfaF),
    attributes: Vec<Rtattr<Ifa, Buffer>>,
) -> Result<Ifaddrmsg, RouteError> {
    IfaddrmsgBuilder::default()
        .ifa_family(family)
        .ifa_prefixlen(key.prefix)
        .ifa_flags(flags)
        .ifa_scope(scope)
        .ifa_index(key.index)
        .rtattrs(attributes.into_iter().collect::<RtBuffer<_, _>>())
        .build()
        .map_err(|_| RouteError::Encoding)
}

fn attribute(kind: Ifa, value: Vec<u8>) -> Result<Rtattr<Ifa, Buffer>, RouteError> {
    let builder = RtattrBuilder::default().rta_type(kind).rta_payload(Buffer::from(value));
    builder.build().map_err(|_| RouteError::Encoding)
}

fn ip_address(family: RtAddrFamily, bytes: &[u8]) -> Option<IpAddr> {
    match family {
        RtAddrFamily::Inet => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        RtAddrFamily::Inet6 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

/// How far an address is known unless something else is said, and its flags.
const EVERYWHERE: (RtScope, IfaF) = (RtScope::Universe, IfaF::empty());

/// `IFA_PROTO` (linux/if_addr.h), which neli does not know.
const IFA_PROTO: Ifa = Ifa::UnrecognizedConst(11);

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use neli::ToBytes;
    use proptest::prelude::*;

    use super::*;
    use crate::netlink::frame::frames;

    fn payload(family: RtAddrFamily, flags: IfaF, attributes: &[(Ifa, &[u8])]) -> Vec<u8> {
        let attributes = attributes.iter().map(|(kind, value)| attribute(*kind, value.to_vec()).unwrap());
        let message = IfaddrmsgBuilder::default()
            .ifa_family(family)
            .ifa_prefixlen(24)
            .ifa_flags(flags)
            .ifa_scope(RtScope::Link)
            .ifa_index(3)
            .rtattrs(attributes.collect::<RtBuffer<_, _>>())
            .build()
            .unwrap();
        let mut bytes = std::io::Cursor::new(Vec::new());
        message.to_bytes(&mut bytes).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn an_ipv4_address_is_read() {
        let bytes = payload(
            RtAddrFamily::Inet,
            IfaF::SECONDARY | IfaF::PERMANENT,
            &[(Ifa::Address, &[10, 0, 0, 1]), (Ifa::Local, &[10, 0, 0, 1]), (IFA_PROTO, &[9])],
        );
        let expected = Address {
            index: 3,
            address: IpAddr::from([10, 0, 0, 1]),
            peer: None,
            prefix: 24,
            protocol: 9,
            scope: 253,
            secondary: true,
            tentative: false,
        };
        assert_eq!(Address::parse(&bytes), Some(expected));
    }

    #[test]
    fn with_a_peer_the_local_address_is_ours() {
        let bytes = payload(
            RtAddrFamily::Inet,
            IfaF::empty(),
            &[(Ifa::Address, &[10, 0, 0, 2]), (Ifa::Local, &[10, 0, 0, 1])],
        );
        let address = Address::parse(&bytes).unwrap();
        assert_eq!(address.address, IpAddr::from([10, 0, 0, 1]));
        assert_eq!(address.peer, Some(IpAddr::from([10, 0, 0, 2])));
    }

    #[test]
    fn an_ipv6_address_has_no_local_attribute() {
        let bytes = payload(RtAddrFamily::Inet6, IfaF::TENTATIVE, &[(Ifa::Address, &[0xfe; 16])]);
        let address = Address::parse(&bytes).unwrap();
        assert_eq!((address.address, address.peer), (IpAddr::from([0xfe; 16]), None));
        assert!(address.tentative);
    }

    #[test]
    fn other_families_and_wrong_lengths_are_passed_over() {
        let other = payload(RtAddrFamily::Packet, IfaF::empty(), &[(Ifa::Local, &[10, 0, 0, 1])]);
        assert_eq!(Address::parse(&other), None);
        let short = payload(RtAddrFamily::Inet, IfaF::empty(), &[(Ifa::Local, &[10, 0, 0])]);
        assert_eq!(Address::parse(&short), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>) {
            let _ = Address::parse(&bytes);
        }

        #[test]
        fn what_is_asked_for_is_read_back(octets: [u8; 4], prefix in 0_u8..=32, index: u32, protocol: u8) {
            let key = AddressKey { index, address: Ipv4Addr::from(octets).into(), prefix };
            let bytes = AddressChange::Add(NewAddress { key, protocol }).to_message(5).unwrap();
            let frame = frames(&bytes).next().unwrap();
            prop_assert_eq!((frame.kind, frame.sequence), (libc::RTM_NEWADDR, 5));
            prop_assert_eq!(i32::from(frame.flags) & libc::NLM_F_REPLACE, 0);
            let read = Address::parse(frame.payload).unwrap();
            prop_assert_eq!((read.key(), read.protocol, read.scope), (key, protocol, 0));
        }

        #[test]
        fn a_local_address_is_the_host_s_and_not_probed_for(octets: [u8; 16], index: u32) {
            for (address, prefix, nodad) in
                [(IpAddr::from(octets), 128, true), (IpAddr::from([10, 0, 0, 1]), 32, false)]
            {
                let key = AddressKey { index, address, prefix };
                let bytes = AddressChange::AddLocal(key).to_message(5).unwrap();
                let frame = frames(&bytes).next().unwrap();
                let read = Address::parse(frame.payload).unwrap();
                prop_assert_eq!((read.key(), read.scope), (key, 254));
                let flags = IfaF::from_bits_truncate(frame.payload[2]);
                prop_assert_eq!(flags.contains(IfaF::NODAD), nodad);
            }
        }

        #[test]
        fn a_message_with_bytes_changed_is_read(at in 0_usize..32, byte: u8, cut in 0_usize..33) {
            let key = AddressKey { index: 1, address: IpAddr::from([10, 0, 0, 1]), prefix: 24 };
            let mut bytes = AddressChange::Add(NewAddress { key, protocol: 9 }).to_message(5).unwrap().split_off(16);
            bytes[at] = byte;
            bytes.truncate(cut);
            let _ = Address::parse(&bytes);
        }
    }
}
