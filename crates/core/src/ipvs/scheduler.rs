//! How a service chooses among its destinations: a scheduler is a name, and a kernel module of that name behind
//! `ip_vs_`. One table of those the kernel has; a name that is not in it is kept when it is read.

use core::fmt;
use core::str::FromStr;

use thiserror::Error;

use super::ParseError;

/// The schedulers of Linux (net/netfilter/ipvs/Kconfig), each with what it is for.
pub const SCHEDULERS: &[(&str, &str)] = &[
    ("rr", "round robin"),
    ("wrr", "weighted round robin"),
    ("lc", "least connections"),
    ("wlc", "weighted least connections"),
    ("lblc", "locality-based least connections"),
    ("lblcr", "locality-based least connections with replication"),
    ("dh", "destination hashing"),
    ("sh", "source hashing"),
    ("mh", "Maglev source hashing"),
    ("sed", "shortest expected delay"),
    ("nq", "never queue"),
    ("fo", "weighted failover"),
    ("ovf", "weighted overflow"),
    ("twos", "power of two choices"),
];

/// Most characters of a name: one less than `IP_VS_SCHEDNAME_MAXLEN` and `IP_VS_PENAME_MAXLEN` (linux/ip_vs.h).
pub const NAME_MAX: usize = 15;

/// The name of a kernel object: 1-15 printable ASCII characters, no space.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name([u8; NAME_MAX + 1]);

impl Name {
    /// From its text; `None` if it is no name.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let mut padded = [0; NAME_MAX + 1];
        if text.is_empty() || text.len() > NAME_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        padded.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self(padded))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.split(|byte| *byte == 0).next().and_then(|text| str::from_utf8(text).ok()).unwrap_or_default()
    }

    /// From a string attribute, with or without its NUL.
    pub(super) fn parse(what: &'static str, bytes: &[u8]) -> Result<Self, ParseError> {
        let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        let name = str::from_utf8(text).ok().and_then(Self::new);
        name.ok_or_else(|| ParseError::Name { what, found: String::from_utf8_lossy(text).into_owned() })
    }

    /// With its NUL.
    pub(super) fn wire(&self) -> &[u8] {
        self.0.get(..=self.as_str().len()).unwrap_or_default()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// A scheduler. Parsed from text it is one of [`SCHEDULERS`]; read from the kernel it may be any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scheduler(Name);

/// No scheduler of Linux has this name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no scheduler is named {0:?}")]
pub struct UnknownScheduler(pub String);

impl Scheduler {
    /// The scheduler of this name, whether or not it is in [`SCHEDULERS`].
    #[must_use]
    pub const fn named(name: Name) -> Self {
        Self(name)
    }

    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub(super) fn wire(&self) -> &[u8] {
        self.0.wire()
    }
}

impl FromStr for Scheduler {
    type Err = UnknownScheduler;

    fn from_str(text: &str) -> Result<Self, UnknownScheduler> {
        let known = SCHEDULERS.iter().any(|(name, _)| *name == text);
        Name::new(text).filter(|_| known).map(Self).ok_or_else(|| UnknownScheduler(text.into()))
    }
}

impl fmt::Display for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scheduler_of_the_table_has_a_name_of_its_own() {
        for (place, (name, _)) in SCHEDULERS.iter().enumerate() {
            assert_eq!(name.parse::<Scheduler>().unwrap().to_string(), *name);
            assert!(SCHEDULERS[..place].iter().all(|(other, _)| other != name), "{name}");
        }
    }

    #[test]
    fn refuse_a_name_that_is_not_in_the_table() {
        for text in ["", "RR", "rr ", "round-robin", "aaaaaaaaaaaaaaaa"] {
            assert_eq!(text.parse::<Scheduler>(), Err(UnknownScheduler(text.into())));
        }
    }

    #[test]
    fn a_name_is_bounded_printable_and_ends_with_nul() {
        assert_eq!(Name::parse("x", b"rr\0").unwrap().wire(), b"rr\0");
        assert_eq!(Name::parse("x", b"rr\0junk"), Name::parse("x", b"rr"));
        assert_eq!(Name::new("123456789012345").unwrap().wire(), b"123456789012345\0");
        for text in ["", "1234567890123456", "a b", "\n", "é"] {
            assert_eq!(Name::new(text), None, "{text:?}");
        }
        let refusal = Name::parse("scheduler", b"\xff\0");
        assert!(matches!(refusal, Err(ParseError::Name { what: "scheduler", .. })));
    }
}
