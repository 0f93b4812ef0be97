//! The two IPv4 settings that decide about ARP, per interface (Documentation/networking/ip-sysctl.rst), and which of
//! their values keep a VIP quiet. Pure.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What holds on every interface beside its own value: in force is the greater one (IN_DEV_MAXCONF, linux/inetdevice.h).
pub const ALL: &str = "all";
/// What an interface begins with.
pub const DEFAULT: &str = "default";

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Name {
    /// Which requests are answered (arp_ignore() in net/ipv4/arp.c).
    ArpIgnore,
    /// Which sender our requests name (arp_solicit() in net/ipv4/arp.c).
    ArpAnnounce,
}

/// A setting of an interface.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Setting {
    /// The interface, [`ALL`] or [`DEFAULT`].
    pub interface: String,
    /// Which one.
    pub name: Name,
}

/// Settings and their values.
pub type Settings = BTreeMap<Setting, i32>;

impl Name {
    /// Both.
    pub const EACH: [Self; 2] = [Self::ArpIgnore, Self::ArpAnnounce];

    /// As the kernel writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ArpIgnore => "arp_ignore",
            Self::ArpAnnounce => "arp_announce",
        }
    }

    /// What is written where the value does not do.
    #[must_use]
    pub const fn wanted(self) -> i32 {
        match self {
            Self::ArpIgnore => 1,
            Self::ArpAnnounce => 2,
        }
    }

    /// Whether ARP says nothing of an address on lo while this value is in force. More is not stricter: to the kernel 4
    /// to 7 of arp_ignore, and what is above 2 of arp_announce, are 0, and 3 of arp_ignore goes by the address's scope.
    #[must_use]
    pub const fn is_quiet(self, value: i32) -> bool {
        match self {
            Self::ArpIgnore => matches!(value, 1 | 2 | 8),
            Self::ArpAnnounce => value == 2,
        }
    }

    /// What happens while a value that is not quiet is in force.
    #[must_use]
    pub const fn consequence(self) -> &'static str {
        match self {
            Self::ArpIgnore => {
                "asked for a VIP by ARP, this host answers, and clients come to it past the director"
            }
            Self::ArpAnnounce => {
                "before it answers from a VIP, this host asks for the way by ARP in the VIP's name, and neighbours send \
                 to it past the director"
            }
        }
    }
}

impl Setting {
    /// A setting of an interface.
    #[must_use]
    pub fn new(interface: &str, name: Name) -> Self {
        Self { interface: interface.to_owned(), name }
    }
}

impl fmt::Display for Setting {
    /// As sysctl(8) takes it: a dot in an interface's name is a slash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "net.ipv4.conf.{}.{}", self.interface.replace('.', "/"), self.name.as_str())
    }
}

/// The value in force on an interface.
#[must_use]
pub fn effective(settings: &Settings, interface: &str, name: Name) -> Option<i32> {
    let value = |interface| settings.get(&Setting::new(interface, name)).copied();
    value(interface).map(|own| value(ALL).map_or(own, |all| own.max(all)))
}

/// The settings with each made quiet for itself, those that are untouched: then the greater of two is quiet as well,
/// and stays so whatever comes of the other.
#[must_use]
pub fn quiet(settings: &Settings) -> Settings {
    let quiet = |(setting, value): (&Setting, &i32)| {
        let name = setting.name;
        (setting.clone(), if name.is_quiet(*value) { *value } else { name.wanted() })
    };
    settings.iter().map(quiet).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_setting_is_written_as_sysctl_takes_it() {
        assert_eq!(Setting::new("eth0.5", Name::ArpIgnore).to_string(), "net.ipv4.conf.eth0/5.arp_ignore");
    }

    #[test]
    fn the_greater_value_is_in_force_and_more_is_not_stricter() {
        for (all, own, quiet) in [
            (0, 0, false),
            (1, 0, true),
            (0, 1, true),
            (1, 2, true),
            (8, 1, true),
            (1, 3, false),
            (5, 1, false),
        ] {
            let settings = Settings::from([
                (Setting::new(ALL, Name::ArpIgnore), all),
                (Setting::new("eth0", Name::ArpIgnore), own),
            ]);
            let value = effective(&settings, "eth0", Name::ArpIgnore).unwrap();
            assert_eq!(Name::ArpIgnore.is_quiet(value), quiet, "{all} {own}");
        }
        assert!(!Name::ArpAnnounce.is_quiet(3));
    }

    proptest! {
        #[test]
        fn what_is_made_quiet_is_quiet_in_force_and_stays_as_it_is(all: i32, own in -1..12, name in 0..2_usize) {
            let name = Name::EACH[name];
            let settings = Settings::from([
                (Setting::new(ALL, name), all),
                (Setting::new("eth0", name), own),
            ]);
            let quieted = quiet(&settings);
            prop_assert!(name.is_quiet(effective(&quieted, "eth0", name).unwrap()));
            prop_assert_eq!(quiet(&quieted), quieted);
        }
    }
}
