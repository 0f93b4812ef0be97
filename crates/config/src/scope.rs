//! How far an address or a route reaches, by the words of `ip`.

use std::net::IpAddr;

use crate::section::Field;

/// Scope of an address or a route (`rt_scope_t` of linux/rtnetlink.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Everywhere.
    Global,
    /// Within a site.
    Site,
    /// On this link.
    Link,
    /// On this host.
    Host,
}

impl Scope {
    /// Every scope, the widest first.
    pub const ALL: [Self; 4] = [Self::Global, Self::Site, Self::Link, Self::Host];

    /// Its number for the kernel (linux/rtnetlink.h).
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Global => 0,
            Self::Site => 200,
            Self::Link => 253,
            Self::Host => 254,
        }
    }

    /// Its name in the configuration, and for `ip`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Site => "site",
            Self::Link => "link",
            Self::Host => "host",
        }
    }

    /// What the kernel gives an address unless told: IPv6 addresses are never told (`rt_scope` of net/ipv6/addrconf.c).
    pub(crate) const fn of(address: IpAddr) -> Self {
        let IpAddr::V6(address) = address else { return Self::Global };
        let [first, ..] = address.segments();
        match first & 0xffc0 {
            0xfe80 => Self::Link,
            // Deprecated by RFC 3879.
            0xfec0 => Self::Site,
            _ => Self::Global,
        }
    }
}

pub(crate) fn read(field: &mut Field<'_, '_>) -> Option<Scope> {
    field.word(Scope::ALL.into_iter().map(|scope| (scope.name(), scope)))
}
