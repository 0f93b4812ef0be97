//! A destination of a service, also called a real server (linux/ip_vs.h, `IPVS_DEST_ATTR_*`).

use core::fmt;
use core::net::{IpAddr, SocketAddr};

use super::attribute::{Attribute, Other, Writer, attributes};
use super::{Family, ParseError, Statistics};

/// What tells one destination of a service from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DestinationId {
    /// Address.
    pub address: IpAddr,
    /// Port.
    pub port: u16,
}

/// How packets reach a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Forwarding {
    /// Network address translation: the answers must come back through this machine (`masq`).
    Masquerade,
    /// The destination is this machine; the kernel finds out by itself.
    Local,
    /// Inside another packet; the destination answers clients itself.
    Tunnel(Tunnel),
    /// By link-layer address; the destination answers clients itself (`droute`).
    DirectRoute,
    /// To the address the client asked for, past the caches; the kernel's own choice.
    Bypass,
    /// What this crate has no name for, as bits.
    Other(u32),
}

/// How a packet travels inside another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tunnel {
    /// The outer packet.
    pub kind: TunnelKind,
    /// UDP port at the destination, of GUE.
    pub port: u16,
    /// Checksums of the outer packet, of GUE and GRE (`IP_VS_TUNNEL_ENCAP_FLAG_*`).
    pub flags: u16,
}

/// The outer packet of a tunnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TunnelKind {
    /// IP in IP.
    #[default]
    Ipip,
    /// Generic UDP encapsulation.
    Gue,
    /// Generic routing encapsulation.
    Gre,
    /// Another, by its number.
    Other(u8),
}

/// A destination. The connections and `statistics` are the kernel's to set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Destination {
    /// Which.
    pub id: DestinationId,
    /// How packets reach it.
    pub forwarding: Forwarding,
    /// Its share; 0 gets no new connections and keeps those it has.
    pub weight: u32,
    /// At this many connections it gets no more; 0 for no limit.
    pub upper_threshold: u32,
    /// Below this many it gets some again; 0 for three quarters of the upper.
    pub lower_threshold: u32,
    /// Connections that are open.
    pub active_connections: u32,
    /// Connections that are ending or not yet open.
    pub inactive_connections: u32,
    /// Clients that keep it.
    pub persistent_connections: u32,
    /// What it has carried; only the kernel says.
    pub statistics: Option<Statistics>,
    /// What else the kernel says of it.
    pub other: Vec<Other>,
}

impl DestinationId {
    pub(super) fn emit(&self, writer: &mut Writer) {
        writer.put_u16(ADDR_FAMILY, Family::of(self.address).number());
        writer.put_address(ADDR, self.address);
        writer.put_port(PORT, self.port);
    }

    /// Reads what identifies a destination and passes over the rest.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        Parts::read(bytes)?.id()
    }
}

impl fmt::Display for DestinationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.address, self.port).fmt(f)
    }
}

impl TunnelKind {
    pub(super) const fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Ipip,
            1 => Self::Gue,
            2 => Self::Gre,
            other => Self::Other(other),
        }
    }

    const fn number(self) -> u8 {
        match self {
            Self::Ipip => 0,
            Self::Gue => 1,
            Self::Gre => 2,
            Self::Other(number) => number,
        }
    }
}

impl Forwarding {
    /// From `IP_VS_CONN_F_*` (linux/ip_vs.h); the tunnel counts where there is one.
    const fn from_bits(bits: u32, tunnel: Tunnel) -> Self {
        match bits {
            0 => Self::Masquerade,
            1 => Self::Local,
            2 => Self::Tunnel(tunnel),
            3 => Self::DirectRoute,
            4 => Self::Bypass,
            other => Self::Other(other),
        }
    }

    const fn bits(self) -> u32 {
        match self {
            Self::Masquerade => 0,
            Self::Local => 1,
            Self::Tunnel(_) => 2,
            Self::DirectRoute => 3,
            Self::Bypass => 4,
            Self::Other(bits) => bits,
        }
    }
}

impl Destination {
    /// A destination without thresholds.
    #[must_use]
    pub const fn new(id: DestinationId, forwarding: Forwarding, weight: u32) -> Self {
        Self {
            id,
            forwarding,
            weight,
            upper_threshold: 0,
            lower_threshold: 0,
            active_connections: 0,
            inactive_connections: 0,
            persistent_connections: 0,
            statistics: None,
            other: Vec::new(),
        }
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let parts = Parts::read(bytes)?;
        let forwarding = parts.forwarding.ok_or(ParseError::Missing { what: "forwarding method" })?;
        Ok(Self {
            id: parts.id()?,
            forwarding: Forwarding::from_bits(forwarding, parts.tunnel),
            weight: parts.weight.ok_or(ParseError::Missing { what: "weight" })?,
            upper_threshold: parts.upper.ok_or(ParseError::Missing { what: "upper threshold" })?,
            lower_threshold: parts.lower.ok_or(ParseError::Missing { what: "lower threshold" })?,
            active_connections: parts.active,
            inactive_connections: parts.inactive,
            persistent_connections: parts.persistent,
            statistics: parts.statistics64.or(parts.statistics32),
            other: parts.other,
        })
    }

    pub(super) fn emit(&self, writer: &mut Writer) {
        self.id.emit(writer);
        writer.put_u32(FWD_METHOD, self.forwarding.bits());
        writer.put_u32(WEIGHT, self.weight);
        if let Forwarding::Tunnel(tunnel) = self.forwarding {
            writer.put(TUN_TYPE, &[tunnel.kind.number()]);
            writer.put_port(TUN_PORT, tunnel.port);
            writer.put_u16(TUN_FLAGS, tunnel.flags);
        }
        writer.put_u32(U_THRESH, self.upper_threshold);
        writer.put_u32(L_THRESH, self.lower_threshold);
        for (kind, count) in [
            (ACTIVE_CONNS, self.active_connections),
            (INACT_CONNS, self.inactive_connections),
            (PERSIST_CONNS, self.persistent_connections),
        ] {
            // A request has none.
            if count > 0 {
                writer.put_u32(kind, count);
            }
        }
        if let Some(statistics) = self.statistics {
            writer.nest(STATS64, |inner| statistics.emit(inner));
        }
        writer.put_others(&self.other);
    }
}

/// The attributes of a destination, in whatever order they come.
#[derive(Default)]
struct Parts<'a> {
    address: Option<Attribute<'a>>,
    family: Option<Family>,
    port: Option<u16>,
    forwarding: Option<u32>,
    tunnel: Tunnel,
    weight: Option<u32>,
    upper: Option<u32>,
    lower: Option<u32>,
    active: u32,
    inactive: u32,
    persistent: u32,
    statistics32: Option<Statistics>,
    statistics64: Option<Statistics>,
    other: Vec<Other>,
}

impl<'a> Parts<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let mut parts = Self::default();
        for attribute in attributes("destination", bytes) {
            let attribute = attribute?;
            match attribute.kind() {
                ADDR => parts.address = Some(attribute),
                PORT => parts.port = Some(attribute.port("destination port")?),
                FWD_METHOD => parts.forwarding = Some(attribute.u32("forwarding method")?),
                WEIGHT => parts.weight = Some(attribute.u32("weight")?),
                U_THRESH => parts.upper = Some(attribute.u32("upper threshold")?),
                L_THRESH => parts.lower = Some(attribute.u32("lower threshold")?),
                ACTIVE_CONNS => parts.active = attribute.u32("active connections")?,
                INACT_CONNS => parts.inactive = attribute.u32("inactive connections")?,
                PERSIST_CONNS => parts.persistent = attribute.u32("persistent connections")?,
                STATS => parts.statistics32 = Some(Statistics::parse(attribute.bytes())?),
                ADDR_FAMILY => parts.family = Some(Family::parse(&attribute, "destination address family")?),
                STATS64 => parts.statistics64 = Some(Statistics::parse(attribute.bytes())?),
                TUN_TYPE => parts.tunnel.kind = TunnelKind::from_number(attribute.u8("tunnel type")?),
                TUN_PORT => parts.tunnel.port = attribute.port("tunnel port")?,
                TUN_FLAGS => parts.tunnel.flags = attribute.u16("tunnel flags")?,
                _ => parts.other.push(attribute.to_other()),
            }
        }
        Ok(parts)
    }

    fn id(&self) -> Result<DestinationId, ParseError> {
        let family = self.family.ok_or(ParseError::Missing { what: "destination address family" })?;
        let address = self.address.ok_or(ParseError::Missing { what: "destination address" })?;
        Ok(DestinationId {
            address: address.address("destination address", family)?,
            port: self.port.ok_or(ParseError::Missing { what: "destination port" })?,
        })
    }
}

/// `IPVS_DEST_ATTR_*` (linux/ip_vs.h).
const ADDR: u16 = 1;
const PORT: u16 = 2;
const FWD_METHOD: u16 = 3;
const WEIGHT: u16 = 4;
const U_THRESH: u16 = 5;
const L_THRESH: u16 = 6;
const ACTIVE_CONNS: u16 = 7;
const INACT_CONNS: u16 = 8;
const PERSIST_CONNS: u16 = 9;
const STATS: u16 = 10;
const ADDR_FAMILY: u16 = 11;
const STATS64: u16 = 12;
const TUN_TYPE: u16 = 13;
const TUN_PORT: u16 = 14;
const TUN_FLAGS: u16 = 15;
