//! What a daemon serves: its interfaces with their methods in one table each, and the answers of
//! `org.varlink.service`, which every Varlink service has. Must not know what a method does.

use serde::{Deserialize, Serialize};

use crate::call::{Call, NoParameters};
use crate::error::Error;
use crate::handler::Outcome;

/// Says what the service is and which interfaces it has.
pub const GET_INFO: &str = "org.varlink.service.GetInfo";
/// The text of an interface file.
pub const GET_INTERFACE_DESCRIPTION: &str = "org.varlink.service.GetInterfaceDescription";

/// The interface every Varlink service has.
pub static INTERFACE: Interface = Interface {
    name: "org.varlink.service",
    description: include_str!("../interfaces/org.varlink.service.varlink"),
    methods: &[Method::reads(GET_INFO), Method::reads(GET_INTERFACE_DESCRIPTION)],
};

/// An interface that a daemon serves.
#[derive(Debug)]
pub struct Interface {
    /// Reverse domain name.
    pub name: &'static str,
    /// Its `.varlink` file.
    pub description: &'static str,
    /// All of its methods.
    pub methods: &'static [Method],
}

/// A method and what has to hold before it is called.
#[derive(Debug, PartialEq, Eq)]
pub struct Method {
    /// Full name.
    pub name: &'static str,
    /// It changes something, so the caller needs the right to.
    pub changes: bool,
    /// It answers with a stream, so it has to be called with `more`.
    pub streams: bool,
}

impl Method {
    /// A method that reads.
    #[must_use]
    pub const fn reads(name: &'static str) -> Self {
        Self { name, changes: false, streams: false }
    }

    /// A method that changes something.
    #[must_use]
    pub const fn changes(name: &'static str) -> Self {
        Self { name, changes: true, streams: false }
    }

    /// A method that streams what it reads.
    #[must_use]
    pub const fn streams(name: &'static str) -> Self {
        Self { name, changes: false, streams: true }
    }
}

/// A Varlink service.
#[derive(Debug)]
pub struct Service {
    /// Who makes it.
    pub vendor: &'static str,
    /// The daemon's name.
    pub product: &'static str,
    /// The daemon's version.
    pub version: &'static str,
    /// Where to read about it.
    pub url: &'static str,
    /// Its own interfaces, without `org.varlink.service`.
    pub interfaces: &'static [&'static Interface],
}

impl Service {
    /// The method a call names.
    ///
    /// # Errors
    /// `InterfaceNotFound`, `MethodNotFound`.
    pub fn method(&self, name: &str) -> Result<&'static Method, Error> {
        let interface = name.rsplit_once('.').map_or(name, |(interface, _)| interface);
        let found = self.interface(interface).ok_or_else(|| Error::interface_not_found(interface))?;
        found.methods.iter().find(|method| method.name == name).ok_or_else(|| Error::method_not_found(name))
    }

    /// The answer to a method of `org.varlink.service`; none to others.
    pub(crate) fn answer(&self, call: &Call) -> Option<Outcome> {
        match call.method.as_str() {
            GET_INFO => Some(Outcome::reply(call.parameters().map(|NoParameters {}| self.info()))),
            GET_INTERFACE_DESCRIPTION => Some(Outcome::reply(self.description(call))),
            _ => None,
        }
    }

    fn info(&self) -> Info {
        Info {
            vendor: self.vendor.to_owned(),
            product: self.product.to_owned(),
            version: self.version.to_owned(),
            url: self.url.to_owned(),
            interfaces: self.all().map(|interface| interface.name.to_owned()).collect(),
        }
    }

    fn description(&self, call: &Call) -> Result<Description, Error> {
        let Wanted { interface } = call.parameters()?;
        let found = self.interface(&interface).ok_or_else(|| Error::interface_not_found(&interface))?;
        Ok(Description { description: found.description.to_owned() })
    }

    fn interface(&self, name: &str) -> Option<&'static Interface> {
        self.all().find(|interface| interface.name == name)
    }

    fn all(&self) -> impl Iterator<Item = &'static Interface> {
        std::iter::once(&INTERFACE).chain(self.interfaces.iter().copied())
    }
}

/// Reply of `GetInfo`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// Who makes it.
    pub vendor: String,
    /// The program's name.
    pub product: String,
    /// The program's version.
    pub version: String,
    /// Where to read about it.
    pub url: String,
    /// Names of all interfaces.
    pub interfaces: Vec<String>,
}

/// Parameters of `GetInterfaceDescription`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Name of the interface.
    pub interface: String,
}

/// Reply of `GetInterfaceDescription`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The interface file.
    pub description: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo;
    use crate::error::{INTERFACE_NOT_FOUND, METHOD_NOT_FOUND};

    #[test]
    fn methods_are_found_by_their_full_name() {
        let found = |name| demo::SERVICE.method(name).map(|method| method.name);
        assert_eq!(found(GET_INFO), Ok(GET_INFO));
        assert_eq!(found(demo::ECHO), Ok(demo::ECHO));
    }

    #[test]
    fn unknown_names_say_which_part_is_unknown() {
        let rows = [
            ("io.vipkit.Nothing.Get", INTERFACE_NOT_FOUND, "interface", "io.vipkit.Nothing"),
            ("Echo", INTERFACE_NOT_FOUND, "interface", "Echo"),
            ("", INTERFACE_NOT_FOUND, "interface", ""),
            ("org.example.Demo.", METHOD_NOT_FOUND, "method", "org.example.Demo."),
            ("org.example.Demo.echo", METHOD_NOT_FOUND, "method", "org.example.Demo.echo"),
        ];
        for (called, name, field, value) in rows {
            let error = demo::SERVICE.method(called).unwrap_err();
            assert_eq!((error.name.as_str(), &error.parameters[field]), (name, &value.into()), "{called}");
        }
    }
}
