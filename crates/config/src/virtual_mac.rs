//! `virtual_mac` of an instance, `[vrrp.NAME.virtual_mac]`: whether its addresses answer from the MAC address that VRRP
//! gives a virtual router (RFC 9568 §7.3), and on which interface.

use vipkit_core::units::{Family, Vrid};

use crate::interface;
use crate::section::{About, Absent, Field, Key};
use crate::tree::Datum;

/// An interface of its own for the addresses, with the MAC address of the virtual router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualMac {
    /// Its name: a valid one, of no other instance, and of no interface that an instance speaks on.
    pub interface: String,
    /// Which MAC address adverts come from.
    pub adverts_from: AdvertsFrom,
}

/// Which MAC address adverts come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AdvertsFrom {
    /// That of the virtual router (RFC 9568 §7.3).
    VirtualMac,
    /// That of the interface it speaks on.
    Interface,
}

impl AdvertsFrom {
    /// Both.
    pub const ALL: [Self; 2] = [Self::VirtualMac, Self::Interface];

    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::VirtualMac => "virtual_mac",
            Self::Interface => "interface",
        }
    }
}

pub(crate) const KEYS: &[About] = &[INTERFACE.about, ADVERTS_FROM.about];

const INTERFACE: Key<String> = Key {
    about: About {
        name: "interface",
        kind: "the name of a network interface",
        absent: Absent::None("`\"vrrp.VRID\"`, with IPv6 `\"vrrp6.VRID\"`"),
        doc: "Interface to make for the addresses; each instance has its own.",
    },
    read: interface::read,
};

const ADVERTS_FROM: Key<AdvertsFrom> = Key {
    about: About {
        name: "adverts_from",
        kind: "\"virtual_mac\" or \"interface\"",
        absent: Absent::None("`\"virtual_mac\"`, with unicast `\"interface\"`"),
        doc: "Which MAC address adverts come from: that of the virtual router, or of the interface it speaks on.",
    },
    read: |field| field.word(AdvertsFrom::ALL.into_iter().map(|from| (from.name(), from))),
};

/// What is written down: the rest depends on the instance.
#[derive(Default)]
pub(crate) struct Draft {
    pub interface: Option<String>,
    pub adverts_from: Option<AdvertsFrom>,
}

impl Draft {
    /// With what an instance of this kind has where nothing is said.
    pub fn complete(self, vrid: Vrid, family: Family, unicast: bool) -> VirtualMac {
        let default_interface = || match family {
            Family::V4 => format!("vrrp.{vrid}"),
            Family::V6 => format!("vrrp6.{vrid}"),
        };
        let default_from = if unicast { AdvertsFrom::Interface } else { AdvertsFrom::VirtualMac };
        VirtualMac {
            interface: self.interface.unwrap_or_else(default_interface),
            adverts_from: self.adverts_from.unwrap_or(default_from),
        }
    }
}

/// None inside if there is to be no virtual MAC address.
pub(crate) fn read(field: &mut Field<'_, '_>) -> Option<Option<Draft>> {
    match field.value.datum {
        Datum::Boolean(wanted) => Some(wanted.then(Draft::default)),
        Datum::Table(_) => {
            let mut section = field.section(KEYS)?;
            let interface = section.get(&INTERFACE);
            let adverts_from = section.get(&ADVERTS_FROM);
            section.finish();
            Some(Some(Draft { interface, adverts_from }))
        }
        _ => {
            field.mistyped("write true, or its keys in braces");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_refused, instance, web};

    #[test]
    fn has_an_interface_of_its_own_for_the_addresses() {
        assert_eq!(instance(&web("virtual_mac = false")).virtual_mac, None);
        let plain = instance(&web("virtual_mac = true"));
        assert_eq!(plain.place(), "vrrp.51");
        assert_eq!(plain.virtual_mac.unwrap().adverts_from, AdvertsFrom::VirtualMac);
        let v6 = web("addresses = [\"fe80::51/64\"]\nvirtual_mac = {}");
        assert_eq!(instance(&v6).place(), "vrrp6.51");
        let named = instance(&web("virtual_mac = { interface = \"web0\", adverts_from = \"interface\" }"));
        let expected = VirtualMac { interface: "web0".to_owned(), adverts_from: AdvertsFrom::Interface };
        assert_eq!((named.place(), &named.virtual_mac), ("web0", &Some(expected)));
    }

    #[test]
    fn refuses_what_is_none() {
        assert_refused(&[
            (
                "virtual_mac = \"yes\"",
                "vipkit.toml:5:15: \"virtual_mac\" in [vrrp.web] must be true, false or a table, not a string; \
                 write true, or its keys in braces",
            ),
            (
                "virtual_mac = { interface = \"a b\", adverts_from = \"base\", mac = 1 }",
                "vipkit.toml:5:29: \"interface\" in [vrrp.web.virtual_mac] must be the name of a network interface, \
                 not \"a b\"; 1 to 15 bytes without spaces, \"/\" and \":\"\n\
                 vipkit.toml:5:51: \"adverts_from\" in [vrrp.web.virtual_mac] must be \
                 \"virtual_mac\" or \"interface\", not \"base\"; known here: virtual_mac, interface\n\
                 vipkit.toml:5:59: unknown key \"mac\" in [vrrp.web.virtual_mac]; known here: interface, adverts_from",
            ),
        ]);
    }
}
