//! A link (network interface) as rtnetlink describes it (rtnetlink(7), linux/if_link.h). Total over any bytes.

use neli::consts::rtnl::{Iff, Ifla, RtAddrFamily};
use neli::rtnl::{Ifinfomsg, IfinfomsgBuilder};

use super::RouteError;
use crate::netlink::payload::decode;

/// A link, whose `index` stays for its life while its name may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Interface index.
    pub index: u32,
    /// Interface name.
    pub name: String,
    /// Hardware address, if it is one of Ethernet's kind.
    pub mac: Option<[u8; 6]>,
    /// Set up by the administrator (`IFF_UP`).
    pub up: bool,
    /// Can carry frames: the lower layer is up (`IFF_LOWER_UP`) and the link is not dormant or held down by another
    /// (`IFF_RUNNING`, RFC 2863 ifOperStatus).
    pub carrier: bool,
    /// Resolves addresses by ARP (not `IFF_NOARP`).
    pub arp: bool,
    /// The loopback interface.
    pub loopback: bool,
    /// Largest packet, in bytes.
    pub mtu: u32,
}

impl Link {
    /// Reads the payload of a RTM_NEWLINK or RTM_DELLINK; `None` for what is none or speaks of only a part of a link:
    /// that a bridge port comes or goes (family `AF_BRIDGE`), or an event of a wireless driver (`IFLA_WIRELESS`).
    pub(super) fn parse(payload: &[u8]) -> Option<Self> {
        let message: Ifinfomsg = decode(payload)?;
        let attributes = message.rtattrs().get_attr_handle();
        let value = |kind| attributes.get_attribute(kind).map(|attribute| attribute.rta_payload().as_ref());
        if *message.ifi_family() != RtAddrFamily::Unspecified || value(Ifla::Wireless).is_some() {
            return None;
        }
        let flags = *message.ifi_flags();
        let name = value(Ifla::Ifname)?.split(|byte| *byte == 0).next()?;
        Some(Self {
            index: u32::try_from(*message.ifi_index()).ok()?,
            name: String::from_utf8_lossy(name).into_owned(),
            mac: value(Ifla::Address).and_then(|bytes| bytes.try_into().ok()),
            up: flags.contains(Iff::UP),
            carrier: flags.contains(Iff::LOWERUP | Iff::RUNNING),
            arp: !flags.contains(Iff::NOARP),
            loopback: flags.contains(Iff::LOOPBACK),
            mtu: value(Ifla::Mtu)?.try_into().ok().map(u32::from_ne_bytes)?,
        })
    }
}

/// The payload of a request for all links.
pub(super) fn query() -> Result<Ifinfomsg, RouteError> {
    IfinfomsgBuilder::default()
        .ifi_family(RtAddrFamily::Unspecified)
        .build()
        .map_err(|_| RouteError::Encoding)
}

#[cfg(test)]
mod tests {
    use neli::ToBytes;
    use neli::consts::rtnl::Arphrd;
    use neli::rtnl::{Rtattr, RtattrBuilder};
    use neli::types::{Buffer, RtBuffer};
    use proptest::prelude::*;

    use super::*;

    fn attribute(kind: Ifla, value: &[u8]) -> Rtattr<Ifla, Buffer> {
        RtattrBuilder::default().rta_type(kind).rta_payload(value).build().unwrap()
    }

    fn payload(family: RtAddrFamily, flags: Iff, attributes: Vec<Rtattr<Ifla, Buffer>>) -> Vec<u8> {
        let message = IfinfomsgBuilder::default()
            .ifi_family(family)
            .ifi_type(Arphrd::Ether)
            .ifi_index(7)
            .ifi_flags(flags)
            .rtattrs(attributes.into_iter().collect::<RtBuffer<_, _>>())
            .build()
            .unwrap();
        let mut bytes = std::io::Cursor::new(Vec::new());
        message.to_bytes(&mut bytes).unwrap();
        bytes.into_inner()
    }

    fn usual() -> Vec<Rtattr<Ifla, Buffer>> {
        vec![
            attribute(Ifla::Ifname, b"eth0\0"),
            attribute(Ifla::Mtu, &1500_u32.to_ne_bytes()),
            attribute(Ifla::Address, &[2, 0, 0, 0, 0, 1]),
        ]
    }

    #[test]
    fn a_link_is_read() {
        let link =
            Link::parse(&payload(RtAddrFamily::Unspecified, Iff::UP | Iff::LOWERUP | Iff::RUNNING, usual()));
        let expected = Link {
            index: 7,
            name: "eth0".into(),
            mac: Some([2, 0, 0, 0, 0, 1]),
            up: true,
            carrier: true,
            arp: true,
            loopback: false,
            mtu: 1500,
        };
        assert_eq!(link, Some(expected));
    }

    #[test]
    fn carrier_needs_both_flags() {
        for flags in [Iff::UP, Iff::UP | Iff::LOWERUP, Iff::UP | Iff::RUNNING] {
            let link = Link::parse(&payload(RtAddrFamily::Unspecified, flags, usual())).unwrap();
            assert!(link.up && !link.carrier, "{flags:?}");
        }
    }

    #[test]
    fn a_hardware_address_of_another_kind_is_none() {
        let mut attributes = usual();
        attributes.pop();
        attributes.push(attribute(Ifla::Address, &[0; 20]));
        assert_eq!(Link::parse(&payload(RtAddrFamily::Unspecified, Iff::UP, attributes)).unwrap().mac, None);
    }

    #[test]
    fn what_speaks_of_a_part_of_a_link_is_passed_over() {
        let bridge = RtAddrFamily::from(libc::AF_BRIDGE as u8);
        assert_eq!(Link::parse(&payload(bridge, Iff::UP, usual())), None);
        let mut wireless = usual();
        wireless.push(attribute(Ifla::Wireless, &[0; 8]));
        assert_eq!(Link::parse(&payload(RtAddrFamily::Unspecified, Iff::UP, wireless)), None);
        assert_eq!(Link::parse(&payload(RtAddrFamily::Unspecified, Iff::UP, usual().split_off(1))), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>) {
            let _ = Link::parse(&bytes);
        }

        #[test]
        fn a_link_with_bytes_changed_is_read(at in 0_usize..48, byte: u8, cut in 0_usize..=48) {
            let mut bytes = payload(RtAddrFamily::Unspecified, Iff::UP, usual());
            bytes[at] = byte;
            bytes.truncate(cut);
            let _ = Link::parse(&bytes);
        }
    }
}
