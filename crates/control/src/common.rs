//! Message types that the interfaces of all daemons share; each `interfaces/*.varlink` defines them for itself.
//! Plain data: no behaviour, no defaults that the interfaces do not state.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What every daemon tells of itself; part of each interface's `Daemon`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// `[node] name`, or the host's name.
    pub node: String,
    /// The program's version.
    pub version: String,
    /// Process id.
    pub pid: u32,
    /// RFC 3339, UTC.
    pub started: String,
    /// The configuration's path.
    pub config: String,
    /// The configuration's digest.
    pub digest: String,
    /// Log records thrown away because the log could not keep up.
    pub log_records_dropped: u64,
}

/// Something wrong or suspicious, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What was seen.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

/// Parameters of `List`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListParameters {
    /// Objects after this name.
    pub cursor: Option<String>,
    /// At most this many, 1-256.
    pub limit: Option<u32>,
}

/// Parameters of `Get`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GetParameters {
    /// The object's name.
    pub name: String,
}

/// What a reload did, in numbers: names of ten thousand objects do not fit a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// New.
    pub added: u64,
    /// Kept running with other settings.
    pub changed: u64,
    /// Gone.
    pub removed: u64,
    /// Not touched.
    pub unchanged: u64,
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { added, changed, removed, unchanged } = self;
        write!(f, "{added} added, {changed} changed, {removed} removed, {unchanged} unchanged")
    }
}

/// A fault in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// File.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub hint: String,
}

/// Parameters of the error `ConfigRefused`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigRefused {
    /// All of them.
    pub faults: Vec<Fault>,
}
