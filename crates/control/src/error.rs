//! Varlink errors: a name and fields that say what was wrong, and the standard ones of `org.varlink.service`.
//! The same type is what a handler answers and what a client is told. Must not carry anything but data.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The called interface is not served here: `interface`.
pub const INTERFACE_NOT_FOUND: &str = "org.varlink.service.InterfaceNotFound";
/// The interface has no such method: `method`.
pub const METHOD_NOT_FOUND: &str = "org.varlink.service.MethodNotFound";
/// The interface has the method, this service does not: `method`.
pub const METHOD_NOT_IMPLEMENTED: &str = "org.varlink.service.MethodNotImplemented";
/// A parameter is missing, unknown, of the wrong type or out of range: `parameter`.
pub const INVALID_PARAMETER: &str = "org.varlink.service.InvalidParameter";
/// The caller may not do this: `uid` it was seen as, `needed` what it takes.
pub const PERMISSION_DENIED: &str = "org.varlink.service.PermissionDenied";
/// The method streams, and was called without `more`.
pub const EXPECTED_MORE: &str = "org.varlink.service.ExpectedMore";

/// A Varlink error reply.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Error {
    /// Full name, interface and all.
    #[serde(rename = "error")]
    pub name: String,
    /// Its fields.
    pub parameters: Map<String, Value>,
}

impl Error {
    /// An error of an interface. Parameters that are not an object are left out.
    pub fn new<P: Serialize>(name: &str, parameters: &P) -> Self {
        let parameters = match serde_json::to_value(parameters) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        Self { name: name.to_owned(), parameters }
    }

    /// [`INTERFACE_NOT_FOUND`]
    #[must_use]
    pub fn interface_not_found(interface: &str) -> Self {
        Self::standard(INTERFACE_NOT_FOUND, [("interface", interface.into())])
    }

    /// [`METHOD_NOT_FOUND`]
    #[must_use]
    pub fn method_not_found(method: &str) -> Self {
        Self::standard(METHOD_NOT_FOUND, [("method", method.into())])
    }

    /// [`METHOD_NOT_IMPLEMENTED`]
    #[must_use]
    pub fn method_not_implemented(method: &str) -> Self {
        Self::standard(METHOD_NOT_IMPLEMENTED, [("method", method.into())])
    }

    /// [`INVALID_PARAMETER`]
    #[must_use]
    pub fn invalid_parameter(parameter: &str) -> Self {
        Self::standard(INVALID_PARAMETER, [("parameter", parameter.into())])
    }

    /// [`PERMISSION_DENIED`]
    #[must_use]
    pub fn permission_denied(uid: u32, needed: &str) -> Self {
        Self::standard(PERMISSION_DENIED, [("uid", uid.into()), ("needed", needed.into())])
    }

    /// [`EXPECTED_MORE`]
    #[must_use]
    pub fn expected_more() -> Self {
        Self::standard(EXPECTED_MORE, [])
    }

    /// Its fields as the type that belongs to its name.
    ///
    /// # Errors
    /// The fields are others.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_value(Value::Object(self.parameters.clone()))
    }

    fn standard<const N: usize>(name: &str, fields: [(&str, Value); N]) -> Self {
        let parameters = fields.into_iter().map(|(field, value)| (field.to_owned(), value)).collect();
        Self { name: name.to_owned(), parameters }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (number, (field, value)) in self.parameters.iter().enumerate() {
            write!(f, "{} {field}={value}", if number == 0 { ":" } else { "," })?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[test]
    fn an_error_reads_as_a_sentence_with_its_fields() {
        let error = Error::permission_denied(1000, "root");
        assert_eq!(error.to_string(), format!("{PERMISSION_DENIED}: needed=\"root\", uid=1000"));
        assert_eq!(Error::expected_more().to_string(), EXPECTED_MORE);
    }

    #[test]
    fn fields_come_back_as_their_type() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Fields {
            name: String,
        }
        let fields = Fields { name: "web".to_owned() };
        let error = Error::new("a.Gone", &fields);
        assert_eq!(error.decode::<Fields>().unwrap(), fields);
        assert!(Error::expected_more().decode::<Fields>().is_err());
    }
}
