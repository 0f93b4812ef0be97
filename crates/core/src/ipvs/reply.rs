//! What the kernel answers to a query: a service, a destination, or what its IPVS is.

use super::{
    DESTINATION, Destination, Envelope, Info, NEW_DEST, NEW_SERVICE, ParseError, SERVICE, SET_INFO, Service,
    message,
};

/// One message of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// A service.
    Service(Service),
    /// A destination of the service that was asked about.
    Destination(Destination),
    /// What the kernel's IPVS is.
    Info(Info),
}

impl Reply {
    /// The message as the kernel would write it.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let mut writer;
        match self {
            Self::Service(service) => {
                writer = message(NEW_SERVICE);
                writer.nest(SERVICE, |inner| service.emit(inner));
            }
            Self::Destination(destination) => {
                writer = message(NEW_DEST);
                writer.nest(DESTINATION, |inner| destination.emit(inner));
            }
            Self::Info(info) => {
                writer = message(SET_INFO);
                info.emit(&mut writer);
            }
        }
        writer.finish()
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// What is wrong with it, or that it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let envelope = Envelope::parse(bytes)?;
        match envelope.command {
            NEW_SERVICE => Service::parse(envelope.service()?).map(Self::Service),
            NEW_DEST => Destination::parse(envelope.destination()?).map(Self::Destination),
            SET_INFO => Info::parse(envelope.attributes).map(Self::Info),
            _ => Err(envelope.unknown_command()),
        }
    }
}
