//! What changes the kernel's table: one service or one destination at a time. Each is answered with an errno, where the
//! kernel says EEXIST for what is there already, ESRCH for a service that is not, ENOENT for a destination that is not
//! or a scheduler it does not have (net/netfilter/ipvs/ip_vs_ctl.c).

use super::{
    DEL_DEST, DEL_SERVICE, DESTINATION, Destination, DestinationId, Envelope, NEW_DEST, NEW_SERVICE,
    ParseError, SERVICE, SET_DEST, SET_SERVICE, Service, ServiceId, message,
};

/// A change of the table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// Make a service.
    NewService(Service),
    /// Give a service other settings; its destinations and connections stay.
    SetService(Service),
    /// End a service, with its destinations.
    DeleteService(ServiceId),
    /// Add a destination to a service.
    NewDestination(ServiceId, Destination),
    /// Give a destination other settings; its connections stay.
    SetDestination(ServiceId, Destination),
    /// Take a destination out of a service.
    DeleteDestination(ServiceId, DestinationId),
}

impl Command {
    /// The message.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let mut writer = message(self.number());
        match self {
            Self::NewService(service) | Self::SetService(service) => {
                writer.nest(SERVICE, |inner| service.emit(inner));
            }
            Self::DeleteService(service) => writer.nest(SERVICE, |inner| service.emit(inner)),
            Self::NewDestination(service, destination) | Self::SetDestination(service, destination) => {
                writer.nest(SERVICE, |inner| service.emit(inner));
                writer.nest(DESTINATION, |inner| destination.emit(inner));
            }
            Self::DeleteDestination(service, destination) => {
                writer.nest(SERVICE, |inner| service.emit(inner));
                writer.nest(DESTINATION, |inner| destination.emit(inner));
            }
        }
        writer.finish()
    }

    /// Reads a message that changes the table.
    ///
    /// # Errors
    /// What is wrong with it, or that it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let envelope = Envelope::parse(bytes)?;
        let service = || Service::parse(envelope.service()?);
        let service_id = || ServiceId::parse(envelope.service()?);
        let destination = || Destination::parse(envelope.destination()?);
        let destination_id = || DestinationId::parse(envelope.destination()?);
        Ok(match envelope.command {
            NEW_SERVICE => Self::NewService(service()?),
            SET_SERVICE => Self::SetService(service()?),
            DEL_SERVICE => Self::DeleteService(service_id()?),
            NEW_DEST => Self::NewDestination(service_id()?, destination()?),
            SET_DEST => Self::SetDestination(service_id()?, destination()?),
            DEL_DEST => Self::DeleteDestination(service_id()?, destination_id()?),
            _ => return Err(envelope.unknown_command()),
        })
    }

    /// The service it concerns.
    #[must_use]
    pub const fn service(&self) -> ServiceId {
        match self {
            Self::NewService(service) | Self::SetService(service) => service.id,
            Self::DeleteService(service)
            | Self::NewDestination(service, _)
            | Self::SetDestination(service, _)
            | Self::DeleteDestination(service, _) => *service,
        }
    }

    const fn number(&self) -> u8 {
        match self {
            Self::NewService(_) => NEW_SERVICE,
            Self::SetService(_) => SET_SERVICE,
            Self::DeleteService(_) => DEL_SERVICE,
            Self::NewDestination(..) => NEW_DEST,
            Self::SetDestination(..) => SET_DEST,
            Self::DeleteDestination(..) => DEL_DEST,
        }
    }
}
