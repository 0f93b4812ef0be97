//! A link (network interface) as rtnetlink describes it, and how it is set up, down and deleted (rtnetlink(7),
//! linux/if_link.h). Total over any bytes. How one is made is for a file of its kind.

use neli::consts::nl::NlmF;
use neli::consts::rtnl::{Iff, Ifla, IflaInfo, RtAddrFamily, Rtm};
use neli::rtnl::{Ifinfomsg, IfinfomsgBuilder};

use super::message::text;
use super::{Route, RouteError};
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
    /// What kind of virtual link it is (`IFLA_INFO_KIND`), such as `macvlan`; hardware has none.
    pub kind: Option<String>,
    /// Index of the link it sits on (`IFLA_LINK`), of a veth its other end, if that is in the same namespace.
    pub parent: Option<u32>,
    /// What somebody wrote on it (`IFLA_IFALIAS`).
    pub alias: Option<String>,
}

impl Link {
    /// Reads the payload of a RTM_NEWLINK or RTM_DELLINK; `None` for what is none or speaks of only a part of a link:
    /// that a bridge port comes or goes (family `AF_BRIDGE`), or an event of a wireless driver (`IFLA_WIRELESS`).
    pub(super) fn parse(payload: &[u8]) -> Option<Self> {
        let message: Ifinfomsg = decode(payload)?;
        let attributes = message.rtattrs().get_attr_handle();
        let value = |kind| attributes.get_attribute(kind).map(|attribute| attribute.rta_payload().as_ref());
        let number = |kind| value(kind)?.try_into().ok().map(u32::from_ne_bytes);
        if *message.ifi_family() != RtAddrFamily::Unspecified || value(Ifla::Wireless).is_some() {
            return None;
        }
        let flags = *message.ifi_flags();
        let info = attributes.get_nested_attributes::<IflaInfo>(Ifla::Linkinfo).ok();
        let kind = info.as_ref().and_then(|info| info.get_attribute(IflaInfo::Kind));
        Some(Self {
            index: u32::try_from(*message.ifi_index()).ok()?,
            name: text(value(Ifla::Ifname)?),
            mac: value(Ifla::Address).and_then(|bytes| bytes.try_into().ok()),
            up: flags.contains(Iff::UP),
            carrier: flags.contains(Iff::LOWERUP | Iff::RUNNING),
            arp: !flags.contains(Iff::NOARP),
            loopback: flags.contains(Iff::LOOPBACK),
            mtu: number(Ifla::Mtu)?,
            kind: kind.map(|kind| text(kind.rta_payload().as_ref())),
            // With IFLA_LINK_NETNSID the index is one of another namespace. Tunnels say 0 for none.
            parent: number(Ifla::Link).filter(|index| *index != 0 && value(Ifla::LinkNetnsid).is_none()),
            alias: value(Ifla::Ifalias).map(text),
        })
    }
}

impl Route {
    /// Sets a link up or down.
    ///
    /// # Errors
    /// See [`RouteError`]. A macvlan does not go up (EADDRINUSE) while the link below has the same hardware address, or
    /// another macvlan on it that is up.
    pub fn set_link_up(&mut self, index: u32, up: bool) -> Result<(), RouteError> {
        let link = of(index)?;
        self.request(Rtm::Setlink, NlmF::empty(), build(if up { link.up() } else { link.down() })?)
    }

    /// Deletes a link, and with it what is on it.
    ///
    /// # Errors
    /// See [`RouteError`].
    pub fn delete_link(&mut self, index: u32) -> Result<(), RouteError> {
        self.request(Rtm::Dellink, NlmF::empty(), build(of(index)?)?)
    }
}

/// The payload of a request for all links.
pub(super) fn query() -> Result<Ifinfomsg, RouteError> {
    build(any())
}

/// What is said of no link in particular.
pub(super) fn any() -> IfinfomsgBuilder {
    IfinfomsgBuilder::default().ifi_family(RtAddrFamily::Unspecified)
}

fn of(index: u32) -> Result<IfinfomsgBuilder, RouteError> {
    Ok(any().ifi_index(i32::try_from(index).map_err(|_| RouteError::NoSuchInterface)?))
}

pub(super) fn build(link: IfinfomsgBuilder) -> Result<Ifinfomsg, RouteError> {
    link.build().map_err(|_| RouteError::Encoding)
}

#[cfg(test)]
mod tests {
    use neli::ToBytes;
    use neli::consts::rtnl::Arphrd;
    use neli::rtnl::{Rtattr, RtattrBuilder};
    use neli::types::{Buffer, RtBuffer};
    use proptest::prelude::*;

    use super::*;
    use crate::netlink::payload::encode;

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
            kind: None,
            parent: None,
            alias: None,
        };
        assert_eq!(link, Some(expected));
    }

    /// As the kernel tells of a macvlan.
    fn macvlan() -> Vec<Rtattr<Ifla, Buffer>> {
        let kind: RtBuffer<_, _> = [RtattrBuilder::default()
            .rta_type(IflaInfo::Kind)
            .rta_payload(&b"macvlan\0"[..])
            .build()
            .unwrap()]
        .into_iter()
        .collect();
        let mut attributes = usual();
        attributes.push(attribute(Ifla::Link, &3_u32.to_ne_bytes()));
        attributes.push(attribute(Ifla::Ifalias, b"vipkit\0"));
        attributes.push(attribute(Ifla::Linkinfo, &encode(&kind).unwrap()));
        attributes
    }

    fn parsed(attributes: Vec<Rtattr<Ifla, Buffer>>) -> Link {
        Link::parse(&payload(RtAddrFamily::Unspecified, Iff::UP, attributes)).unwrap()
    }

    #[test]
    fn a_virtual_link_says_what_it_is_and_where_it_sits() {
        let link = parsed(macvlan());
        assert_eq!((link.kind.as_deref(), link.parent), (Some("macvlan"), Some(3)));
        assert_eq!(link.alias.as_deref(), Some("vipkit"));
    }

    #[test]
    fn a_parent_in_another_namespace_is_none() {
        let mut elsewhere = macvlan();
        elsewhere.push(attribute(Ifla::LinkNetnsid, &0_u32.to_ne_bytes()));
        assert_eq!(parsed(elsewhere).parent, None);
        let mut nothing = usual();
        nothing.push(attribute(Ifla::Link, &0_u32.to_ne_bytes()));
        assert_eq!(parsed(nothing).parent, None);
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
        fn a_link_with_bytes_changed_is_read(at in 0_usize..84, byte: u8, cut in 0_usize..=84) {
            let mut bytes = payload(RtAddrFamily::Unspecified, Iff::UP, macvlan());
            prop_assert_eq!(bytes.len(), 84);
            bytes[at] = byte;
            bytes.truncate(cut);
            let _ = Link::parse(&bytes);
        }
    }
}
