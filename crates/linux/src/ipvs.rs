//! The kernel's IPVS table, by generic netlink: reads it, and changes it as told. Must not decide what should be in it.
//!
//! The kernel answers within the call, so no future here waits for it: they give the loop a turn between batches and
//! between services. What a call may wait for is the kernel's own lock, and the loading of a scheduler's module. A
//! future that is dropped leaves the rest undone and the connection usable.

use std::fmt;

use thiserror::Error;
use tokio::task::yield_now;
use vipkit_core::ipvs::{
    Command, Destination, Entry, FAMILY_NAME, Info, ParseError, Query, Reply, Service, Table,
};

use crate::generic_netlink::GenericFamily;

pub use crate::netlink::NetlinkError;

/// A connection to the IPVS of one network namespace.
pub struct Ipvs {
    family: GenericFamily,
}

/// Why the table could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IpvsError {
    /// The kernel has no IPVS and could not load it.
    #[error("the kernel has no IPVS: its module ip_vs is not loaded")]
    NotAvailable,
    /// The kernel refused, or did not answer.
    #[error("IPVS: {0}")]
    Netlink(#[from] NetlinkError),
    /// The kernel's answer makes no sense.
    #[error("IPVS: the kernel's answer cannot be read: {0}")]
    Reply(#[from] ParseError),
}

/// Why a command failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CommandError {
    /// EEXIST: what was to be made is there already.
    #[error("it is there already")]
    Exists,
    /// ESRCH: the service is not there.
    #[error("the service is not there")]
    NoSuchService,
    /// ENOENT: the destination is not in the service.
    #[error("the destination is not there")]
    NoSuchDestination,
    /// ENOENT: the kernel has no such scheduler, or persistence engine, and could not load it.
    #[error("the kernel has no such scheduler or persistence engine, nor a module for it")]
    NoSuchModule,
    /// ENOBUFS: the kernel's answer was lost. Whether the command was carried out is not known: read the table.
    #[error("the kernel's answer was lost; whether it was carried out is not known")]
    Overrun,
    /// The kernel refused for another reason; or, if [`is_unknown`](Self::is_unknown), the socket failed.
    #[error(transparent)]
    Netlink(NetlinkError),
}

impl CommandError {
    /// Whether the command was carried out is not known: read the table.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        match self {
            Self::Exists | Self::NoSuchService | Self::NoSuchDestination | Self::NoSuchModule => false,
            Self::Netlink(error) => !matches!(error, NetlinkError::Refused(_)),
            Self::Overrun => true,
        }
    }

    fn of(command: &Command, error: NetlinkError) -> Self {
        match (error, command) {
            (NetlinkError::Refused(libc::EEXIST), _) => Self::Exists,
            (NetlinkError::Refused(libc::ESRCH), _) => Self::NoSuchService,
            (NetlinkError::Refused(libc::ENOENT), Command::NewService(_) | Command::SetService(_)) => {
                Self::NoSuchModule
            }
            (NetlinkError::Refused(libc::ENOENT), _) => Self::NoSuchDestination,
            (NetlinkError::Socket(libc::ENOBUFS), _) => Self::Overrun,
            (other, _) => Self::Netlink(other),
        }
    }
}

impl Ipvs {
    /// Opens a connection to the network namespace of the calling thread. Asking makes the kernel load `ip_vs` where it
    /// can, and waits for that: for use before the loop, or where a delay does no harm.
    ///
    /// # Errors
    /// [`IpvsError::NotAvailable`], or what the kernel says.
    pub fn open() -> Result<Self, IpvsError> {
        let family = GenericFamily::open(FAMILY_NAME).map_err(unavailable)?;
        Ok(Self { family })
    }

    /// What the kernel's IPVS is.
    ///
    /// # Errors
    /// See [`IpvsError`].
    pub fn info(&mut self) -> Result<Info, IpvsError> {
        let reply = self.family.get(&Query::Info.emit(), Reply::parse).map_err(unavailable)??;
        info(reply).ok_or(IpvsError::Netlink(NetlinkError::NoReply))
    }

    /// The whole table. Each part of it is as of some moment during the call: a service that ends meanwhile may be in
    /// it without destinations.
    ///
    /// # Errors
    /// See [`IpvsError`].
    pub async fn read(&mut self) -> Result<Table, IpvsError> {
        let mut table = Table::default();
        let mut count = 0;
        for service in self.dump(Query::Services, service)? {
            yield_now().await;
            let destinations = self.dump(Query::Destinations(service.id), destination)?;
            count += destinations.len();
            if count > MAX_DESTINATIONS {
                return Err(NetlinkError::TooMany.into());
            }
            table.services.push(Entry { service, destinations });
        }
        Ok(table)
    }

    fn dump<T>(&mut self, query: Query, keep: impl Fn(Reply) -> Option<T>) -> Result<Vec<T>, IpvsError> {
        let replies = self.family.dump(&query.emit(), Reply::parse).map_err(unavailable)?;
        replies.into_iter().filter_map(|reply| reply.map(&keep).transpose()).map(|r| Ok(r?)).collect()
    }

    /// Carries out commands in order, up to [`BATCH`] in one system call, and returns what came of each. One that fails
    /// does not stop those after it.
    pub async fn apply(&mut self, commands: &[Command]) -> Vec<Result<(), CommandError>> {
        let mut results = Vec::with_capacity(commands.len());
        while let Some(rest) = commands.get(results.len()..).filter(|rest| !rest.is_empty()) {
            let batch = batch(rest);
            let (answers, outcome) = self.family.carry_out(&batch);
            results.extend(rest.iter().zip(answers).map(|(command, answer)| {
                answer.unwrap_or(outcome).map_err(|error| CommandError::of(command, error))
            }));
            yield_now().await;
        }
        results
    }
}

impl fmt::Debug for Ipvs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ipvs").finish_non_exhaustive()
    }
}

/// The next messages: at least one, at most [`BATCH`], and no more once they are of [`BATCH_BYTES`].
fn batch(commands: &[Command]) -> Vec<Vec<u8>> {
    let mut bytes = 0;
    let messages = commands.iter().take(BATCH).map(Command::emit);
    messages
        .take_while(|message| {
            let room = bytes < BATCH_BYTES;
            bytes += message.len();
            room
        })
        .collect()
}

/// The kernel refuses a family it does not have by ENOENT, and IPVS itself refuses no query so.
fn unavailable(error: NetlinkError) -> IpvsError {
    match error {
        NetlinkError::Refused(libc::ENOENT) => IpvsError::NotAvailable,
        other => other.into(),
    }
}

fn info(reply: Reply) -> Option<Info> {
    match reply {
        Reply::Info(info) => Some(info),
        _ => None,
    }
}

fn service(reply: Reply) -> Option<Service> {
    match reply {
        Reply::Service(service) => Some(service),
        _ => None,
    }
}

fn destination(reply: Reply) -> Option<Destination> {
    match reply {
        Reply::Destination(destination) => Some(destination),
        _ => None,
    }
}

/// How many commands go to the kernel in one system call: should all fail, the answers fit in any receive buffer.
pub const BATCH: usize = 100;
/// With the last message, which is less than 128 KiB, a batch fits in any send buffer.
const BATCH_BYTES: usize = 32 * 1024;
/// As many as a configuration can have, and as many of others.
const MAX_DESTINATIONS: usize = 2 * 65536;

#[cfg(test)]
mod tests;
