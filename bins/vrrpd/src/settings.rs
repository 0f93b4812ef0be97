//! The kernel settings (ip-sysctl) that addresses and virtual MACs need, and why, as a table. The kernel takes the
//! greater of an interface's value and that of `all` for those marked so. Must not read or write one.

use vipkit_core::units::Family::{self, V4, V6};

/// A setting of an interface.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    /// Below net/ipv4/conf or net/ipv6/conf.
    pub family: Family,
    /// Its name there.
    pub name: &'static str,
    /// What it should be.
    pub value: i32,
    /// Whether a greater value is as good.
    pub at_least: bool,
    /// Whether `all` counts too, if it is greater.
    pub all: bool,
    /// What goes wrong otherwise.
    pub otherwise: &'static str,
}

impl Setting {
    /// Whether a value serves the purpose.
    #[must_use]
    pub const fn holds(&self, value: i32) -> bool {
        value == self.value || (self.at_least && value > self.value)
    }
}

/// Where addresses are put.
pub const PLACE: &[Setting] = &[Setting {
    family: V4,
    name: "promote_secondaries",
    value: 1,
    at_least: true,
    all: true,
    otherwise: "removing an address takes others of its subnet away for a moment",
}];

/// The interface below one with a virtual MAC.
pub const BELOW: &[Setting] = &[
    Setting {
        family: V4,
        name: "arp_ignore",
        value: 1,
        at_least: true,
        all: true,
        otherwise: "ARP for the addresses is answered with the physical MAC too",
    },
    Setting {
        family: V4,
        name: "arp_announce",
        value: 2,
        at_least: true,
        all: true,
        otherwise: "ARP requests of this host teach others the physical MAC for the addresses",
    },
];

/// The interface with a virtual MAC. It goes with its settings: nothing of them is put back.
pub const VIRTUAL: &[Setting] = &[
    Setting {
        family: V4,
        name: "arp_ignore",
        value: 1,
        at_least: true,
        all: true,
        otherwise: "ARP for this host's own addresses is answered with the virtual MAC",
    },
    Setting {
        family: V4,
        name: "arp_announce",
        value: 2,
        at_least: true,
        all: true,
        otherwise: "ARP requests of this host teach others the virtual MAC for its own addresses",
    },
    Setting {
        family: V4,
        name: "accept_local",
        value: 1,
        at_least: true,
        all: false,
        otherwise: "packets from this host's own addresses are dropped",
    },
    Setting {
        // Not 0: if `all` is 1, only 2 keeps it from being strict.
        family: V4,
        name: "rp_filter",
        value: 2,
        at_least: true,
        all: true,
        otherwise: "packets to the addresses are dropped, since answers leave through the interface below",
    },
    Setting {
        family: V6,
        name: "accept_ra",
        value: 0,
        at_least: false,
        all: false,
        otherwise: "router advertisements give the interface routes of its own",
    },
    Setting {
        family: V6,
        name: "autoconf",
        value: 0,
        at_least: false,
        all: false,
        otherwise: "router advertisements give the interface addresses of its own",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_serves_is_left_alone() {
        let [below, ..] = BELOW else { panic!("no settings") };
        assert_eq!([0, 1, 2].map(|value| below.holds(value)), [false, true, true]);
        let exact = VIRTUAL.iter().find(|setting| setting.name == "accept_ra").unwrap();
        assert_eq!([0, 1, 2].map(|value| exact.holds(value)), [true, false, false]);
    }
}
