//! IPVS, the kernel's load balancer, as the values of its netlink messages (linux/ip_vs.h): services, their
//! destinations, and what one says to the kernel about them. Bytes here are the payload of a netlink message: a generic
//! netlink header, then attributes. Must not decide what the table should be, nor send anything.
//!
//! | to | see |
//! |---|---|
//! | name what is in the table | [`Service`], [`Destination`], [`Table`] |
//! | change it | [`Command`] |
//! | ask for it and understand the answer | [`Query`], [`Reply`] |
//!
//! What a newer kernel adds is kept as [`Other`] and written again.

mod attribute;
#[cfg(test)]
mod captures;
mod command;
mod destination;
mod info;
mod query;
mod reply;
mod scheduler;
mod service;
mod statistics;
#[cfg(test)]
mod tests;

use core::fmt;
use core::net::IpAddr;

use thiserror::Error;

use attribute::{Attribute, Writer, attributes};

pub use attribute::Other;
pub use command::Command;
pub use destination::{Destination, DestinationId, Forwarding, Tunnel, TunnelKind};
pub use info::{Info, Version};
pub use query::Query;
pub use reply::Reply;
pub use scheduler::{NAME_MAX, Name, SCHEDULERS, Scheduler, UnknownScheduler};
pub use service::{Netmask, Protocol, Service, ServiceFlags, ServiceId};
pub use statistics::Statistics;

/// Name of the generic netlink family (`IPVS_GENL_NAME`, linux/ip_vs.h).
pub const FAMILY_NAME: &str = "IPVS";

/// Everything the kernel balances, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The services.
    pub services: Vec<Entry>,
}

/// A service and where it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The service.
    pub service: Service,
    /// Its destinations.
    pub destinations: Vec<Destination>,
}

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    Inet,
    /// IPv6.
    Inet6,
}

impl Family {
    /// The family of an address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Inet,
            IpAddr::V6(_) => Self::Inet6,
        }
    }

    /// `AF_INET`, `AF_INET6` (linux/socket.h).
    const fn number(self) -> u16 {
        match self {
            Self::Inet => 2,
            Self::Inet6 => 10,
        }
    }

    fn parse(attribute: &Attribute<'_>, what: &'static str) -> Result<Self, ParseError> {
        match attribute.u16(what)? {
            2 => Ok(Self::Inet),
            10 => Ok(Self::Inet6),
            found => Err(ParseError::Value { what, found: found.into() }),
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Inet => "IPv4",
            Self::Inet6 => "IPv6",
        })
    }
}

/// Why bytes are no message of IPVS.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParseError {
    /// There is no room for what must be there.
    #[error("{what}: cut short or a false length at byte {offset}, {found} bytes left")]
    Malformed {
        /// What was read.
        what: &'static str,
        /// Where in it.
        offset: usize,
        /// Bytes from there to the end.
        found: usize,
    },
    /// A value has another length than it must have.
    #[error("{what}: {found} bytes where {expected} are due")]
    Length {
        /// What was read.
        what: &'static str,
        /// Bytes due.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
    /// A value that has no meaning.
    #[error("{what}: {found} means nothing here")]
    Value {
        /// What was read.
        what: &'static str,
        /// The value.
        found: u32,
    },
    /// Text that is no name.
    #[error("{what}: {found:?} is no name")]
    Name {
        /// What was read.
        what: &'static str,
        /// The text.
        found: String,
    },
    /// Something that must be there is not.
    #[error("{what} is missing")]
    Missing {
        /// What was looked for.
        what: &'static str,
    },
}

/// A message taken apart as far as all have the same form.
struct Envelope<'a> {
    command: u8,
    service: Option<&'a [u8]>,
    destination: Option<&'a [u8]>,
    /// All of its attributes.
    attributes: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// Reads the header (`struct genlmsghdr`, linux/genetlink.h) and finds the two nested attributes.
    fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let malformed =
            ParseError::Malformed { what: "generic netlink header", offset: 0, found: bytes.len() };
        let (&[command, _version, _, _], rest) = bytes.split_first_chunk().ok_or(malformed)?;
        let mut envelope = Self { command, service: None, destination: None, attributes: rest };
        // The reply with information numbers its attributes otherwise.
        if command != SET_INFO {
            for attribute in attributes("message", rest) {
                let attribute = attribute?;
                match attribute.kind() {
                    SERVICE => envelope.service = Some(attribute.bytes()),
                    DESTINATION => envelope.destination = Some(attribute.bytes()),
                    _ => {}
                }
            }
        }
        Ok(envelope)
    }

    fn service(&self) -> Result<&'a [u8], ParseError> {
        self.service.ok_or(ParseError::Missing { what: "service" })
    }

    fn destination(&self) -> Result<&'a [u8], ParseError> {
        self.destination.ok_or(ParseError::Missing { what: "destination" })
    }

    fn unknown_command(&self) -> ParseError {
        ParseError::Value { what: "command", found: self.command.into() }
    }
}

/// A message with this command, to be filled.
fn message(command: u8) -> Writer {
    Writer::behind(&[command, GENERIC_VERSION, 0, 0])
}

/// `IPVS_GENL_VERSION` (linux/ip_vs.h).
const GENERIC_VERSION: u8 = 1;

/// `IPVS_CMD_*` (linux/ip_vs.h).
const NEW_SERVICE: u8 = 1;
const SET_SERVICE: u8 = 2;
const DEL_SERVICE: u8 = 3;
const GET_SERVICE: u8 = 4;
const NEW_DEST: u8 = 5;
const SET_DEST: u8 = 6;
const DEL_DEST: u8 = 7;
const GET_DEST: u8 = 8;
const SET_INFO: u8 = 14;
const GET_INFO: u8 = 15;

/// `IPVS_CMD_ATTR_*` (linux/ip_vs.h).
const SERVICE: u16 = 1;
const DESTINATION: u16 = 2;
