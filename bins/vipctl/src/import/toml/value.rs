//! A value as TOML writes it, on one line. Decides nothing.

use std::fmt;
use std::time::Duration;

use super::{duration, quote};

/// Keys with their values, in their order.
pub type Keys = Vec<(&'static str, Value)>;

/// What a key says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A string.
    Text(String),
    /// An integer.
    Whole(i64),
    /// A duration, as a string.
    Time(Duration),
    /// True or false.
    Flag(bool),
    /// A list.
    List(Vec<Self>),
    /// An inline table.
    Table(Keys),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Whole(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |all: Vec<String>| all.join(", ");
        match self {
            Self::Text(text) => f.write_str(&quote(text)),
            Self::Whole(number) => write!(f, "{number}"),
            Self::Time(length) => f.write_str(&duration(*length)),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::List(all) => write!(f, "[{}]", joined(all.iter().map(Self::to_string).collect())),
            Self::Table(keys) => {
                let keys = keys.iter().map(|(key, value)| format!("{key} = {value}")).collect();
                write!(f, "{{ {} }}", joined(keys))
            }
        }
    }
}
