//! What asks the kernel for its table. Services and destinations come as a dump: one message each, then an end.

use super::{Envelope, GET_DEST, GET_INFO, GET_SERVICE, ParseError, SERVICE, ServiceId, message};

/// A question to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Query {
    /// All services; a dump.
    Services,
    /// The destinations of a service; a dump, empty if there is no such service.
    Destinations(ServiceId),
    /// What its IPVS is.
    Info,
}

impl Query {
    /// The message.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        match self {
            Self::Services => message(GET_SERVICE).finish(),
            Self::Destinations(service) => {
                let mut writer = message(GET_DEST);
                writer.nest(SERVICE, |inner| service.emit(inner));
                writer.finish()
            }
            Self::Info => message(GET_INFO).finish(),
        }
    }

    /// Reads a question.
    ///
    /// # Errors
    /// What is wrong with it, or that it is none of these.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let envelope = Envelope::parse(bytes)?;
        match envelope.command {
            // With a service it asks for that one alone.
            GET_SERVICE if envelope.service.is_none() => Ok(Self::Services),
            GET_DEST => Ok(Self::Destinations(ServiceId::parse(envelope.service()?)?)),
            GET_INFO => Ok(Self::Info),
            _ => Err(envelope.unknown_command()),
        }
    }
}
