//! An address on a link as rtnetlink describes it and takes it (rtnetlink(7), linux/if_addr.h). Total over any bytes.

use std::collections::HashMap;
use std::net::IpAddr;

use neli::consts::nl::NlmF;
use neli::consts::rtnl::{Ifa, IfaF, RtAddrFamily, RtScope, Rtm};
use neli::rtnl::{Ifaddrmsg, IfaddrmsgBuilder, Rtattr};
use neli::types::{Buffer, RtBuffer};
use nix::net::if_::if_indextoname;

use super::message::{attribute, encode, text};
use super::{AddressChange, RouteError};
use crate::netlink::payload::decode;

/// An address that is on a link.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// IPv4: its label (`IFA_LABEL`), where that is not the interface's name.
    pub label: Option<String>,
    /// IPv4: another address of the same subnet is the primary, and takes this one along when it is deleted while
    /// promote_secondaries = 0. IPv6: a temporary address.
    pub secondary: bool,
    /// The kernel made a route to its subnet (not `IFA_F_NOPREFIXROUTE`).
    pub prefix_route: bool,
    /// IPv6: duplicate address detection has not finished.
    pub tentative: bool,
    /// IPv6: duplicate address detection has found another host with it, so that it is not used.
    pub dad_failed: bool,
}

/// What tells one address from another when it is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressKey {
    /// Interface index.
    pub index: u32,
    /// The local address.
    pub address: IpAddr,
    /// The other end of a point-to-point link: over IPv4 an address with another peer is another.
    pub peer: Option<IpAddr>,
    /// Length of the prefix, of the peer's address where there is one.
    pub prefix: u8,
}

/// An address to put on a link: no broadcast address, for ever.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NewAddress {
    /// Where, what, and with which peer and prefix.
    pub key: AddressKey,
    /// Who puts it there (`IFA_PROTO`); 0 is nobody. Linux before 5.18 forgets it.
    pub protocol: u8,
    /// How far it is known (`RT_SCOPE_*`). Over IPv6 the kernel goes by the address.
    pub scope: u8,
    /// IPv4: a label other than the interface's name, at most 15 bytes.
    pub label: Option<String>,
    /// Whether the kernel makes a route to its subnet.
    pub prefix_route: bool,
    /// IPv6: whether it is used only when no other host has it (RFC 4862 §5.4).
    pub detect_duplicates: bool,
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
        // The header has room for eight of the flags.
        let all_flags = value(Ifa::Flags).and_then(|bytes| bytes.try_into().ok()).map(u32::from_ne_bytes);
        let flags = all_flags.unwrap_or_else(|| message.ifa_flags().bits().into());
        Some(Self {
            index: *message.ifa_index(),
            address: own,
            peer: other.filter(|other| *other != own),
            prefix: *message.ifa_prefixlen(),
            protocol: value(IFA_PROTO).and_then(|bytes| bytes.first().copied()).unwrap_or(0),
            scope: (*message.ifa_scope()).into(),
            label: value(Ifa::Label).map(text),
            secondary: flags & libc::IFA_F_SECONDARY != 0,
            prefix_route: flags & libc::IFA_F_NOPREFIXROUTE == 0,
            tentative: flags & libc::IFA_F_TENTATIVE != 0,
            dad_failed: flags & libc::IFA_F_DADFAILED != 0,
        })
    }

    /// What deletes this address.
    #[must_use]
    pub fn key(&self) -> AddressKey {
        AddressKey { index: self.index, address: self.address, peer: self.peer, prefix: self.prefix }
    }
}

/// The names of interfaces, each asked for once.
#[derive(Default)]
pub(super) struct Names(HashMap<u32, Option<String>>);

impl Names {
    /// Takes away the label that the kernel gives to an address that was put there without one. It keeps to it when
    /// the interface gets another name (inetdev_changename in net/ipv4/devinet.c).
    pub(super) fn drop_default_label(&mut self, mut address: Address) -> Address {
        if address.label.is_some() {
            let ask = || if_indextoname(address.index).ok()?.into_string().ok();
            let name = self.0.entry(address.index).or_insert_with(ask);
            address.label = address.label.filter(|label| Some(label) != name.as_ref());
        }
        address
    }
}

/// The usual kind, for tests.
#[cfg(test)]
impl NewAddress {
    pub(crate) fn plain(key: AddressKey, protocol: u8) -> Self {
        Self { key, protocol, scope: 0, label: None, prefix_route: true, detect_duplicates: true }
    }
}

impl AddressChange {
    /// The request as bytes, with an answer asked for.
    pub(super) fn to_message(&self, sequence: u32) -> Result<Vec<u8>, RouteError> {
        match self {
            Self::Add(new) => {
                let no_detection = !new.detect_duplicates && new.key.address.is_ipv6();
                let flags = flag(no_detection, libc::IFA_F_NODAD)
                    | flag(!new.prefix_route, libc::IFA_F_NOPREFIXROUTE);
                let mut attributes = addresses(&new.key)?;
                attributes.push(attribute(IFA_PROTO, &[new.protocol])?);
                attributes.push(attribute(Ifa::Flags, &flags.to_ne_bytes())?);
                if let Some(label) = &new.label {
                    attributes.push(attribute(Ifa::Label, &[label.as_bytes(), b"\0"].concat())?);
                }
                add(sequence, &new.key, new.scope, attributes)
            }
            Self::AddLocal(key) => {
                let mut attributes = addresses(key)?;
                let flags = flag(key.address.is_ipv6(), libc::IFA_F_NODAD);
                attributes.push(attribute(Ifa::Flags, &flags.to_ne_bytes())?);
                add(sequence, key, RtScope::Host.into(), attributes)
            }
            Self::Delete(key) => {
                let payload = message(key, RtScope::Universe.into(), addresses(key)?)?;
                encode(Rtm::Deladdr, NlmF::ACK, sequence, &payload)
            }
        }
    }
}

/// The payload of a request for all addresses.
pub(super) fn query() -> Result<Ifaddrmsg, RouteError> {
    IfaddrmsgBuilder::default()
        .ifa_family(RtAddrFamily::Unspecified)
        .ifa_prefixlen(0)
        .ifa_scope(RtScope::Universe)
        .ifa_index(0)
        .rtattrs(RtBuffer::new())
        .build()
        .map_err(|_| RouteError::Encoding)
}

/// The request to put an address on a link that does not have it.
fn add(
    sequence: u32,
    key: &AddressKey,
    scope: u8,
    attributes: Vec<Rtattr<Ifa, Buffer>>,
) -> Result<Vec<u8>, RouteError> {
    let flags = NlmF::CREATE | NlmF::EXCL | NlmF::ACK;
    encode(Rtm::Newaddr, flags, sequence, &message(key, scope, attributes)?)
}

fn message(
    key: &AddressKey,
    scope: u8,
    attributes: Vec<Rtattr<Ifa, Buffer>>,
) -> Result<Ifaddrmsg, RouteError> {
    IfaddrmsgBuilder::default()
        .ifa_family(if key.address.is_ipv4() { RtAddrFamily::Inet } else { RtAddrFamily::Inet6 })
        .ifa_prefixlen(key.prefix)
        .ifa_flags(IfaF::empty())
        .ifa_scope(scope.into())
        .ifa_index(key.index)
        .rtattrs(attributes.into_iter().collect::<RtBuffer<_, _>>())
        .build()
        .map_err(|_| RouteError::Encoding)
}

/// The attributes that say which address is meant. Without a peer it is its own.
fn addresses(key: &AddressKey) -> Result<Vec<Rtattr<Ifa, Buffer>>, RouteError> {
    let attribute = |kind, address| match address {
        IpAddr::V4(address) => attribute(kind, &address.octets()),
        IpAddr::V6(address) => attribute(kind, &address.octets()),
    };
    Ok(vec![attribute(Ifa::Local, key.address)?, attribute(Ifa::Address, key.peer.unwrap_or(key.address))?])
}

const fn flag(set: bool, flag: u32) -> u32 {
    if set { flag } else { 0 }
}

fn ip_address(family: RtAddrFamily, bytes: &[u8]) -> Option<IpAddr> {
    match family {
        RtAddrFamily::Inet => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        RtAddrFamily::Inet6 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

/// `IFA_PROTO` (linux/if_addr.h), which neli does not know.
const IFA_PROTO: Ifa = Ifa::UnrecognizedConst(11);

#[cfg(test)]
mod tests {
    use neli::ToBytes;
    use proptest::prelude::*;

    use super::*;
    use crate::netlink::frame::frames;

    fn payload(family: RtAddrFamily, flags: IfaF, attributes: &[(Ifa, &[u8])]) -> Vec<u8> {
        let attributes = attributes.iter().map(|(kind, value)| attribute(*kind, value).unwrap());
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
            &[
                (Ifa::Address, &[10, 0, 0, 1]),
                (Ifa::Local, &[10, 0, 0, 1]),
                (IFA_PROTO, &[9]),
                (Ifa::Label, b"eth0:1\0"),
            ],
        );
        let expected = Address {
            index: 3,
            address: IpAddr::from([10, 0, 0, 1]),
            peer: None,
            prefix: 24,
            protocol: 9,
            scope: 253,
            label: Some("eth0:1".into()),
            secondary: true,
            prefix_route: true,
            tentative: false,
            dad_failed: false,
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
    fn the_attribute_s_flags_count_not_the_header_s() {
        let flags = libc::IFA_F_NOPREFIXROUTE | libc::IFA_F_DADFAILED;
        let attributes = [(Ifa::Address, &[0xfe; 16][..]), (Ifa::Flags, &flags.to_ne_bytes())];
        let address = Address::parse(&payload(RtAddrFamily::Inet6, IfaF::TENTATIVE, &attributes)).unwrap();
        assert_eq!((address.prefix_route, address.dad_failed, address.tentative), (false, true, false));
    }

    #[test]
    fn other_families_and_wrong_lengths_are_passed_over() {
        let other = payload(RtAddrFamily::Packet, IfaF::empty(), &[(Ifa::Local, &[10, 0, 0, 1])]);
        assert_eq!(Address::parse(&other), None);
        let short = payload(RtAddrFamily::Inet, IfaF::empty(), &[(Ifa::Local, &[10, 0, 0])]);
        assert_eq!(Address::parse(&short), None);
    }

    /// The flags of a request.
    fn flags(payload: &[u8]) -> u32 {
        let message: Ifaddrmsg = decode(payload).unwrap();
        let attributes = message.rtattrs().get_attr_handle();
        attributes.get_attr_payload_as(Ifa::Flags).unwrap()
    }

    fn new_address() -> impl Strategy<Value = NewAddress> {
        let v4 = || any::<[u8; 4]>().prop_map(IpAddr::from);
        let v6 = || any::<[u8; 16]>().prop_map(IpAddr::from);
        let pair = prop_oneof![(v4(), prop::option::of(v4())), (v6(), prop::option::of(v6()))];
        let numbers = any::<(u32, u8, u8, u8)>();
        let label = prop::option::of("[a-z0-9.:]{1,15}");
        (pair, numbers, label, any::<bool>(), any::<bool>()).prop_map(
            |((address, peer), (index, prefix, protocol, scope), label, prefix_route, detect_duplicates)| {
                let key = AddressKey { index, address, peer, prefix };
                NewAddress { key, protocol, scope, label, prefix_route, detect_duplicates }
            },
        )
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>) {
            let _ = Address::parse(&bytes);
        }

        #[test]
        fn what_is_asked_for_is_read_back(new in new_address()) {
            let bytes = AddressChange::Add(new.clone()).to_message(5).unwrap();
            let frame = frames(&bytes).next().unwrap();
            prop_assert_eq!((frame.kind, frame.sequence), (libc::RTM_NEWADDR, 5));
            prop_assert_eq!(i32::from(frame.flags) & libc::NLM_F_REPLACE, 0);
            let read = Address::parse(frame.payload).unwrap();
            let peer = new.key.peer.filter(|peer| *peer != new.key.address);
            prop_assert_eq!(read.key(), AddressKey { peer, ..new.key });
            prop_assert_eq!((read.protocol, read.scope), (new.protocol, new.scope));
            prop_assert_eq!((read.label, read.prefix_route), (new.label, new.prefix_route));
            let probed = flags(frame.payload) & libc::IFA_F_NODAD == 0;
            prop_assert_eq!(probed, new.detect_duplicates || new.key.address.is_ipv4());
        }

        #[test]
        fn a_local_address_is_the_host_s_and_not_probed_for(octets: [u8; 16], index: u32) {
            for (address, prefix, nodad) in
                [(IpAddr::from(octets), 128, true), (IpAddr::from([10, 0, 0, 1]), 32, false)]
            {
                let key = AddressKey { index, address, peer: None, prefix };
                let bytes = AddressChange::AddLocal(key).to_message(5).unwrap();
                let frame = frames(&bytes).next().unwrap();
                let read = Address::parse(frame.payload).unwrap();
                prop_assert_eq!((read.key(), read.scope), (key, 254));
                prop_assert_eq!(flags(frame.payload), if nodad { libc::IFA_F_NODAD } else { 0 });
            }
        }

        #[test]
        fn a_message_with_bytes_changed_is_read(
            new in new_address(),
            at: prop::sample::Index,
            byte: u8,
            cut in 0_usize..100,
        ) {
            let mut bytes = AddressChange::Add(new).to_message(5).unwrap().split_off(16);
            *at.get_mut(&mut bytes) = byte;
            bytes.truncate(cut);
            let _ = Address::parse(&bytes);
        }
    }
}
