//! A virtual service (linux/ip_vs.h, `IPVS_SVC_ATTR_*`): what clients connect to, and how the kernel shares it out.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr};
use core::ops::{BitOr, BitOrAssign};

use super::attribute::{Attribute, Other, Writer, attributes};
use super::{Family, Name, ParseError, Scheduler, Statistics};

/// What tells one service from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceId {
    /// Traffic to an address and port.
    Address {
        /// Transport protocol.
        protocol: Protocol,
        /// Virtual address.
        address: IpAddr,
        /// Port; 0 stands for all, of a persistent service.
        port: u16,
    },
    /// Traffic that the firewall has marked.
    Fwmark {
        /// The mark, never 0.
        mark: u32,
        /// Address family of the traffic.
        family: Family,
    },
}

/// Transport protocol of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
    /// Another IP protocol, by its number.
    Other(u16),
}

/// What the kernel does for a service, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceFlags(pub u32);

/// Which clients count as one for persistence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Netmask {
    /// Those with the same bits under this mask.
    Inet(Ipv4Addr),
    /// Those with the same prefix of this many bits.
    Inet6(u32),
}

/// A virtual service. `statistics` and [`ServiceFlags::HASHED`] are the kernel's to set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Service {
    /// Which.
    pub id: ServiceId,
    /// How it chooses a destination.
    pub scheduler: Scheduler,
    /// What else the kernel does.
    pub flags: ServiceFlags,
    /// How long a client keeps its destination after its last connection, in seconds; counts with
    /// [`ServiceFlags::PERSISTENT`].
    pub timeout: u32,
    /// Which clients keep it together. One of another family than the service's is not written, and the kernel refuses.
    pub netmask: Netmask,
    /// Module that recognises connections by what they carry (`sip`).
    pub persistence_engine: Option<Name>,
    /// What it has carried; only the kernel says.
    pub statistics: Option<Statistics>,
    /// What else the kernel says of it.
    pub other: Vec<Other>,
}

impl ServiceId {
    /// Family of its traffic.
    #[must_use]
    pub const fn family(&self) -> Family {
        match self {
            Self::Address { address, .. } => Family::of(*address),
            Self::Fwmark { family, .. } => *family,
        }
    }

    pub(super) fn emit(&self, writer: &mut Writer) {
        writer.put_u16(AF, self.family().number());
        match *self {
            Self::Address { protocol, address, port } => {
                writer.put_u16(PROTOCOL, protocol.number());
                writer.put_address(ADDR, address);
                writer.put_port(PORT, port);
            }
            Self::Fwmark { mark, .. } => writer.put_u32(FWMARK, mark),
        }
    }

    /// Reads what identifies a service and passes over the rest, in which ipvsadm(8) writes a scheduler without a name.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        Parts::read(bytes)?.id()
    }
}

/// As ipvsadm(8) has it: `TCP 192.0.2.1:80`, `FWM 1`.
impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { protocol, address, port } => {
                write!(f, "{protocol} {}", core::net::SocketAddr::new(*address, *port))
            }
            Self::Fwmark { mark, family: Family::Inet } => write!(f, "FWM {mark}"),
            Self::Fwmark { mark, family: Family::Inet6 } => write!(f, "FWM {mark} IPv6"),
        }
    }
}

impl Protocol {
    /// From its number (IANA).
    #[must_use]
    pub const fn from_number(number: u16) -> Self {
        match number {
            6 => Self::Tcp,
            17 => Self::Udp,
            132 => Self::Sctp,
            other => Self::Other(other),
        }
    }

    /// Its number (IANA).
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
            Self::Other(number) => number,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp => f.pad("TCP"),
            Self::Udp => f.pad("UDP"),
            Self::Sctp => f.pad("SCTP"),
            Self::Other(number) => write!(f, "protocol {number}"),
        }
    }
}

impl ServiceFlags {
    /// A client keeps its destination (`IP_VS_SVC_F_PERSISTENT`).
    pub const PERSISTENT: Self = Self(1);
    /// The kernel's own mark on every service it holds (`IP_VS_SVC_F_HASHED`).
    pub const HASHED: Self = Self(1 << 1);
    /// Every datagram is scheduled by itself; UDP only (`IP_VS_SVC_F_ONEPACKET`).
    pub const ONE_PACKET: Self = Self(1 << 2);
    /// The scheduler's first flag: sh and mh fall back to another destination (`IP_VS_SVC_F_SCHED1`).
    pub const SCHEDULER_1: Self = Self(1 << 3);
    /// The scheduler's second flag: sh and mh take the port into account (`IP_VS_SVC_F_SCHED2`).
    pub const SCHEDULER_2: Self = Self(1 << 4);
    /// The scheduler's third flag (`IP_VS_SVC_F_SCHED3`).
    pub const SCHEDULER_3: Self = Self(1 << 5);

    /// Has every bit of `flags`.
    #[must_use]
    pub const fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// Without the bits of `flags`.
    #[must_use]
    pub const fn without(self, flags: Self) -> Self {
        Self(self.0 & !flags.0)
    }
}

impl BitOr for ServiceFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for ServiceFlags {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl Netmask {
    /// Each client for itself: a /32 or /128.
    #[must_use]
    pub const fn host(family: Family) -> Self {
        match family {
            Family::Inet => Self::Inet(Ipv4Addr::BROADCAST),
            Family::Inet6 => Self::Inet6(128),
        }
    }

    const fn family(self) -> Family {
        match self {
            Self::Inet(_) => Family::Inet,
            Self::Inet6(_) => Family::Inet6,
        }
    }

    /// An IPv4 mask is in network byte order, a prefix length in the machine's.
    fn parse(attribute: &Attribute<'_>, family: Family) -> Result<Self, ParseError> {
        match family {
            Family::Inet => attribute.array::<4>("netmask").map(|octets| Self::Inet(octets.into())),
            Family::Inet6 => attribute.u32("netmask").map(Self::Inet6),
        }
    }

    const fn wire(self) -> [u8; 4] {
        match self {
            Self::Inet(mask) => mask.octets(),
            Self::Inet6(prefix) => prefix.to_ne_bytes(),
        }
    }
}

impl Service {
    /// A service that is neither persistent nor anything else but scheduled.
    #[must_use]
    pub const fn new(id: ServiceId, scheduler: Scheduler) -> Self {
        Self {
            id,
            scheduler,
            flags: ServiceFlags(0),
            timeout: 0,
            netmask: Netmask::host(id.family()),
            persistence_engine: None,
            statistics: None,
            other: Vec::new(),
        }
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let parts = Parts::read(bytes)?;
        let id = parts.id()?;
        let scheduler = parts.scheduler.ok_or(ParseError::Missing { what: "scheduler" })?;
        let netmask = parts.netmask.ok_or(ParseError::Missing { what: "netmask" })?;
        let engine = parts.persistence_engine.map(|name| Name::parse("persistence engine", name.bytes()));
        Ok(Self {
            id,
            scheduler: Scheduler::named(Name::parse("scheduler", scheduler.bytes())?),
            flags: parts.flags.ok_or(ParseError::Missing { what: "service flags" })?,
            timeout: parts.timeout.ok_or(ParseError::Missing { what: "persistence timeout" })?,
            netmask: Netmask::parse(&netmask, id.family())?,
            persistence_engine: engine.transpose()?,
            statistics: parts.statistics64.or(parts.statistics32),
            other: parts.other,
        })
    }

    pub(super) fn emit(&self, writer: &mut Writer) {
        self.id.emit(writer);
        writer.put(SCHED_NAME, self.scheduler.wire());
        if let Some(name) = &self.persistence_engine {
            writer.put(PE_NAME, name.wire());
        }
        let [f0, f1, f2, f3] = self.flags.0.to_ne_bytes();
        let [m0, m1, m2, m3] = EVERY_FLAG.to_ne_bytes();
        writer.put(FLAGS, &[f0, f1, f2, f3, m0, m1, m2, m3]);
        writer.put_u32(TIMEOUT, self.timeout);
        if self.netmask.family() == self.id.family() {
            writer.put(NETMASK, &self.netmask.wire());
        }
        if let Some(statistics) = self.statistics {
            writer.nest(STATS64, |inner| statistics.emit(inner));
        }
        writer.put_others(&self.other);
    }
}

/// The attributes of a service, in whatever order they come.
#[derive(Default)]
struct Parts<'a> {
    family: Option<Family>,
    protocol: Option<Protocol>,
    address: Option<Attribute<'a>>,
    port: Option<u16>,
    mark: Option<u32>,
    scheduler: Option<Attribute<'a>>,
    flags: Option<ServiceFlags>,
    timeout: Option<u32>,
    netmask: Option<Attribute<'a>>,
    persistence_engine: Option<Attribute<'a>>,
    statistics32: Option<Statistics>,
    statistics64: Option<Statistics>,
    other: Vec<Other>,
}

impl<'a> Parts<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let mut parts = Self::default();
        for attribute in attributes("service", bytes) {
            let attribute = attribute?;
            match attribute.kind() {
                AF => parts.family = Some(Family::parse(&attribute, "service address family")?),
                PROTOCOL => parts.protocol = Some(Protocol::from_number(attribute.u16("protocol")?)),
                ADDR => parts.address = Some(attribute),
                PORT => parts.port = Some(attribute.port("service port")?),
                FWMARK => parts.mark = Some(attribute.u32("firewall mark")?),
                SCHED_NAME => parts.scheduler = Some(attribute),
                FLAGS => parts.flags = Some(flags(&attribute)?),
                TIMEOUT => parts.timeout = Some(attribute.u32("persistence timeout")?),
                NETMASK => parts.netmask = Some(attribute),
                STATS => parts.statistics32 = Some(Statistics::parse(attribute.bytes())?),
                PE_NAME => parts.persistence_engine = Some(attribute),
                STATS64 => parts.statistics64 = Some(Statistics::parse(attribute.bytes())?),
                _ => parts.other.push(attribute.to_other()),
            }
        }
        Ok(parts)
    }

    fn id(&self) -> Result<ServiceId, ParseError> {
        let family = self.family.ok_or(ParseError::Missing { what: "service address family" })?;
        if let Some(mark) = self.mark {
            return Ok(ServiceId::Fwmark { mark, family });
        }
        let address = self.address.ok_or(ParseError::Missing { what: "service address" })?;
        Ok(ServiceId::Address {
            protocol: self.protocol.ok_or(ParseError::Missing { what: "protocol" })?,
            address: address.address("service address", family)?,
            port: self.port.ok_or(ParseError::Missing { what: "service port" })?,
        })
    }
}

/// A `struct ip_vs_flags`: bits, and which of them are meant.
fn flags(attribute: &Attribute<'_>) -> Result<ServiceFlags, ParseError> {
    let [f0, f1, f2, f3, m0, m1, m2, m3] = attribute.array("service flags")?;
    Ok(ServiceFlags(u32::from_ne_bytes([f0, f1, f2, f3]) & u32::from_ne_bytes([m0, m1, m2, m3])))
}

const EVERY_FLAG: u32 = u32::MAX;

/// `IPVS_SVC_ATTR_*` (linux/ip_vs.h).
const AF: u16 = 1;
const PROTOCOL: u16 = 2;
const ADDR: u16 = 3;
const PORT: u16 = 4;
const FWMARK: u16 = 5;
const SCHED_NAME: u16 = 6;
const FLAGS: u16 = 7;
const TIMEOUT: u16 = 8;
const NETMASK: u16 = 9;
const STATS: u16 = 10;
const PE_NAME: u16 = 11;
const STATS64: u16 = 12;
