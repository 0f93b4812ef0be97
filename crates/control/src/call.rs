//! A method call as it came, and its parameters as the type that the method takes.
//! Pure and total: any bytes give a call or a typed error, any parameters give a value or the name of the
//! parameter that is wrong. Must not decide whether the call is allowed.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::codec::{self, MessageError, is_false};
use crate::error::Error;

/// A method call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Full name, interface and all.
    pub method: String,
    /// Missing or null: none.
    #[serde(default, deserialize_with = "or_default")]
    pub parameters: Map<String, Value>,
    /// No reply is wanted, not even an error.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_false")]
    pub oneway: bool,
    /// Any number of replies is wanted.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_false")]
    pub more: bool,
    /// The connection is to be handed over to another protocol.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_false")]
    pub upgrade: bool,
}

/// Parameters of a method that takes none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParameters {}

impl Call {
    /// A call from a message without its NUL.
    ///
    /// # Errors
    /// [`MessageError::NotJson`], [`MessageError::NotACall`].
    pub fn parse(message: &[u8]) -> Result<Self, MessageError> {
        codec::parse(message, MessageError::NotACall)
    }

    /// The parameters as the method's type.
    ///
    /// # Errors
    /// `InvalidParameter` with the name of the one that is missing, unknown or of the wrong type.
    pub fn parameters<T: DeserializeOwned>(&self) -> Result<T, Error> {
        T::deserialize(MapAccessDeserializer::new(Parameters { rest: self.parameters.iter(), current: None }))
            .map_err(|wrong| Error::invalid_parameter(&wrong.0))
    }
}

/// A missing field and null mean the same.
pub(crate) fn or_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Walks the parameters, so that an error knows which one it is about.
struct Parameters<'a> {
    rest: serde_json::map::Iter<'a>,
    current: Option<(&'a str, &'a Value)>,
}

impl<'de> MapAccess<'de> for Parameters<'de> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Wrong> {
        self.current = self.rest.next().map(|(name, value)| (name.as_str(), value));
        self.current.map(|(name, _)| seed.deserialize(name.into_deserializer())).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        let (name, value) = self.current.unwrap_or(("", &Value::Null));
        seed.deserialize(value).map_err(|_| Wrong(name.to_owned()))
    }
}

/// The name of the wrong parameter.
#[derive(Debug)]
struct Wrong(String);

impl serde::de::Error for Wrong {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }

    fn unknown_field(field: &str, _: &'static [&'static str]) -> Self {
        Self(field.to_owned())
    }

    fn missing_field(field: &'static str) -> Self {
        Self(field.to_owned())
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Wrong {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::vrrp::{GetParameters, ListParameters};

    fn call(parameters: &str) -> Call {
        Call::parse(format!(r#"{{"method":"a.B","parameters":{parameters}}}"#).as_bytes()).unwrap()
    }

    fn wrong<T: DeserializeOwned + fmt::Debug>(parameters: &str) -> String {
        let error = call(parameters).parameters::<T>().unwrap_err();
        assert_eq!(error.name, crate::error::INVALID_PARAMETER);
        error.parameters["parameter"].as_str().unwrap().to_owned()
    }

    #[test]
    fn missing_and_null_are_the_same() {
        let bare = Call::parse(br#"{"method":"a.B"}"#).unwrap();
        let null = br#"{"method":"a.B","parameters":null,"more":null,"oneway":null,"upgrade":null}"#;
        assert_eq!(Call::parse(null).unwrap(), bare);
        assert_eq!(bare.parameters::<NoParameters>().unwrap(), NoParameters {});
        assert!(!bare.oneway && !bare.more && !bare.upgrade);
    }

    #[test]
    fn flags_are_read() {
        let call =
            Call::parse(br#"{"method":"a.B","more":true,"oneway":true,"upgrade":true,"x":1}"#).unwrap();
        assert!(call.oneway && call.more && call.upgrade);
    }

    #[test]
    fn what_is_no_call_is_refused() {
        for text in ["", "{", "nonsense", "{\"method\":\"a.B\"} x", "{\"method\":\"\u{1}\"}"] {
            assert!(matches!(Call::parse(text.as_bytes()), Err(MessageError::NotJson(_))), "{text}");
        }
        let no_calls = [
            "[]",
            "1",
            "{}",
            r#"{"method":1}"#,
            r#"{"method":"a.B","parameters":[]}"#,
            r#"{"method":"a.B","more":1}"#,
            r#"["a.B"]"#,
        ];
        for text in no_calls {
            assert!(matches!(Call::parse(text.as_bytes()), Err(MessageError::NotACall(_))), "{text}");
        }
        assert!(Call::parse(&[0xff, 0xfe]).is_err());
    }

    #[test]
    fn deep_nesting_is_refused_not_a_stack_overflow() {
        let deep = format!(r#"{{"method":"a.B","parameters":{{"x":{}"#, "[".repeat(100_000));
        assert!(matches!(Call::parse(deep.as_bytes()), Err(MessageError::NotJson(_))));
    }

    #[test]
    fn parameters_become_the_methods_type() {
        let list = ListParameters { cursor: Some("web".to_owned()), limit: None };
        assert_eq!(call(r#"{"cursor":"web"}"#).parameters::<ListParameters>().unwrap(), list);
        assert_eq!(call(r#"{"cursor":"web","limit":null}"#).parameters::<ListParameters>().unwrap(), list);
    }

    #[test]
    fn a_wrong_parameter_is_named() {
        assert_eq!(wrong::<GetParameters>("{}"), "name");
        assert_eq!(wrong::<GetParameters>(r#"{"name":7}"#), "name");
        assert_eq!(wrong::<GetParameters>(r#"{"name":null}"#), "name");
        assert_eq!(wrong::<GetParameters>(r#"{"name":"web","nmae":"x"}"#), "nmae");
        assert_eq!(wrong::<ListParameters>(r#"{"limit":"many"}"#), "limit");
        assert_eq!(wrong::<ListParameters>(r#"{"limit":-1}"#), "limit");
        assert_eq!(wrong::<ListParameters>(r#"{"limit":1.5}"#), "limit");
        assert_eq!(wrong::<ListParameters>(r#"{"cursor":["web"]}"#), "cursor");
        assert_eq!(wrong::<NoParameters>(r#"{"anything":1}"#), "anything");
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<i32>().prop_map(|number| Value::from(f64::from(number) / 4.0)),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(".{0,4}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_call_or_an_error(bytes: Vec<u8>) {
            let _ = Call::parse(&bytes);
        }

        #[test]
        fn calls_round_trip(
            method in ".{0,20}",
            parameters in proptest::collection::btree_map(".{0,6}", json(), 0..4),
            oneway: bool, more: bool, upgrade: bool,
        ) {
            let parameters = parameters.into_iter().collect();
            let call = Call { method, parameters, oneway, more, upgrade };
            let text = serde_json::to_vec(&call).unwrap();
            let parsed = Call::parse(&text).unwrap();
            prop_assert_eq!(serde_json::to_vec(&parsed).unwrap(), text);
        }

        #[test]
        fn any_parameters_are_a_value_or_the_name_of_the_wrong_one(
            parameters in proptest::collection::btree_map("cursor|limit|.{0,4}", json(), 0..4),
        ) {
            let names: Vec<String> = parameters.keys().cloned().collect();
            let parameters = parameters.into_iter().collect();
            let call = Call { method: String::new(), parameters, oneway: false, more: false, upgrade: false };
            if let Err(error) = call.parameters::<ListParameters>() {
                let wrong = error.parameters["parameter"].as_str().unwrap().to_owned();
                prop_assert!(names.contains(&wrong));
            }
        }
    }
}
