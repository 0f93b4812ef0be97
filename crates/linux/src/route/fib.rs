//! Messages about routes and rules: `struct rtmsg` (linux/rtnetlink.h) and `struct fib_rule_hdr` (linux/fib_rules.h),
//! which are laid out alike, and the attributes that follow. Total over any bytes. Must not know what an attribute means.

use std::net::IpAddr;

use ipnet::IpNet;
use vipkit_core::units::Family;

use super::{NetlinkError, Route, RouteError};
use crate::netlink::attribute::{append, attributes};
use crate::netlink::frame::{self, Frame};

/// The fixed part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Header {
    /// `AF_*`; 0 is none.
    pub(super) family: u8,
    /// Length of the destination's prefix.
    pub(super) to: u8,
    /// Length of the source's prefix.
    pub(super) from: u8,
    pub(super) tos: u8,
    /// Of a route (`RTPROT_*`); of a rule it is an attribute.
    pub(super) protocol: u8,
    /// Of a route (`RT_SCOPE_*`).
    pub(super) scope: u8,
    /// What is done: of a route its type (`RTN_*`), of a rule its action (`FR_ACT_*`).
    pub(super) kind: u8,
    pub(super) flags: u32,
}

impl Header {
    pub(super) fn of(self, family: Family) -> Self {
        Self { family: number(family), ..self }
    }

    /// As the payload of a message, to which attributes may be appended. The table is left to an attribute, which has
    /// room for all.
    pub(super) fn payload(self) -> Payload {
        let [f0, f1, f2, f3] = self.flags.to_ne_bytes();
        let Self { family, to, from, tos, protocol, scope, kind, .. } = self;
        let table = libc::RT_TABLE_UNSPEC;
        Payload(vec![family, to, from, tos, table, protocol, scope, kind, f0, f1, f2, f3])
    }
}

/// A payload being written.
pub(super) struct Payload(Vec<u8>);

impl Payload {
    pub(super) fn bytes<const N: usize>(&mut self, kind: u16, value: [u8; N]) {
        append(&mut self.0, kind, value);
    }

    pub(super) fn number(&mut self, kind: u16, value: u32) {
        self.bytes(kind, value.to_ne_bytes());
    }

    /// An address, which must be of the family.
    pub(super) fn address(&mut self, kind: u16, family: Family, value: IpAddr) -> Result<(), RouteError> {
        match (family, value) {
            (Family::V4, IpAddr::V4(address)) => self.bytes(kind, address.octets()),
            (Family::V6, IpAddr::V6(address)) => self.bytes(kind, address.octets()),
            _ => return Err(RouteError::Encoding),
        }
        Ok(())
    }

    /// The network of a prefix, which must be of the family; its length is for the header. None is everything.
    pub(super) fn network(
        &mut self,
        kind: u16,
        family: Family,
        net: Option<IpNet>,
    ) -> Result<(), RouteError> {
        net.filter(|net| net.prefix_len() > 0).map_or(Ok(()), |net| self.address(kind, family, net.network()))
    }

    /// As a request, with an answer asked for; `flags` (`NLM_F_*`) besides.
    pub(super) fn request(&self, kind: u16, flags: i32, sequence: u32) -> Vec<u8> {
        frame::encode(kind, (flags | libc::NLM_F_ACK) as u16, sequence, &self.0)
    }
}

impl Route {
    /// Asks for everything that `query` stands for, of each family, and keeps what `parse` makes of the parts.
    pub(super) fn dump_families<T>(
        &mut self,
        kind: u16,
        query: Header,
        parse: impl Fn(&Frame<'_>) -> Option<T>,
    ) -> Result<Vec<T>, RouteError> {
        let mut all = Vec::new();
        for family in FAMILIES {
            all.extend(self.dump_family(kind, query.of(family), &parse)?);
        }
        Ok(all)
    }

    /// Where the kernel does not have the family, it refuses, or answers for those that it has: there is nothing of it.
    fn dump_family<T>(
        &mut self,
        kind: u16,
        query: Header,
        parse: impl Fn(&Frame<'_>) -> Option<T>,
    ) -> Result<Vec<T>, RouteError> {
        let is_of_family = |frame: &Frame<'_>| frame.payload.first() == Some(&query.family);
        let of_family = |frame: &Frame<'_>| is_of_family(frame).then(|| parse(frame)).flatten();
        match self.connection.ask(kind, libc::NLM_F_DUMP as u16, &query.payload().0, of_family) {
            Err(NetlinkError::Refused(libc::EAFNOSUPPORT)) => Ok(Vec::new()),
            answer => Ok(answer?),
        }
    }
}

/// A message read.
pub(super) struct Message<'a> {
    pub(super) header: Header,
    pub(super) family: Family,
    table: u8,
    attributes: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads a payload; `None` if it is too short, or of another family than IPv4 and IPv6.
    pub(super) fn parse(payload: &'a [u8]) -> Option<Self> {
        let (&[family, to, from, tos, table, protocol, scope, kind, f0, f1, f2, f3], attributes) =
            payload.split_first_chunk()?;
        let flags = u32::from_ne_bytes([f0, f1, f2, f3]);
        let header = Header { family, to, from, tos, protocol, scope, kind, flags };
        let family = FAMILIES.into_iter().find(|known| number(*known) == family)?;
        Some(Self { header, family, table, attributes })
    }

    pub(super) fn value(&self, kind: u16) -> Option<&'a [u8]> {
        attributes(self.attributes).find(|(found, _)| *found == kind).map(|(_, value)| value)
    }

    /// Whether it says anything of these kinds.
    pub(super) fn has_any(&self, kinds: &[u16]) -> bool {
        attributes(self.attributes).any(|(kind, _)| kinds.contains(&kind))
    }

    pub(super) fn number(&self, kind: u16) -> Option<u32> {
        self.value(kind)?.try_into().ok().map(u32::from_ne_bytes)
    }

    pub(super) fn address(&self, kind: u16) -> Option<IpAddr> {
        let value = self.value(kind)?;
        match self.family {
            Family::V4 => <[u8; 4]>::try_from(value).ok().map(IpAddr::from),
            Family::V6 => <[u8; 16]>::try_from(value).ok().map(IpAddr::from),
        }
    }

    /// A prefix of this length, whose address is left out when the length is 0. `None` if that cannot be.
    pub(super) fn network(&self, kind: u16, length: u8) -> Option<IpNet> {
        let address = match length {
            0 => everywhere(self.family),
            _ => self.address(kind)?,
        };
        IpNet::new(address, length).ok().map(|net| net.trunc())
    }

    /// The table, by the attribute that tells it.
    pub(super) fn table(&self, kind: u16) -> u32 {
        self.number(kind).unwrap_or(self.table.into())
    }
}

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

fn number(family: Family) -> u8 {
    match family {
        Family::V4 => libc::AF_INET as u8,
        Family::V6 => libc::AF_INET6 as u8,
    }
}

fn everywhere(family: Family) -> IpAddr {
    match family {
        Family::V4 => IpAddr::from([0; 4]),
        Family::V6 => IpAddr::from([0; 16]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_that_the_kernel_does_not_have_is_empty() {
        let mut route = Route::open().unwrap();
        // DECnet, which Linux 6.1 was the last to have.
        let query = Header { family: 12, ..Header::default() };
        for kind in [libc::RTM_GETROUTE, libc::RTM_GETRULE] {
            assert_eq!(route.dump_family(kind, query, |frame| Some(frame.kind)), Ok(vec![]));
        }
        let local = route.dump_family(libc::RTM_GETRULE, Header::default().of(Family::V4), |f| Some(f.kind));
        assert!(!local.unwrap().is_empty());
    }
}
