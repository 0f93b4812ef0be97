//! `use_vmac`: the virtual MAC address of an instance, and the name of the interface that has it.

use std::collections::BTreeSet;

use vipkit_core::units::Family;

use super::note::{Notes, Place};
use super::said::Said;
use super::words::{self, Read, Word, lost_value, nothing, value};

/// An interface with the virtual MAC address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualMac {
    /// Its name; none is keepalived's choice, which [`name`](Self::name) makes.
    pub interface: Option<String>,
    /// `vmac_xmit_base`.
    pub adverts_from_interface: bool,
    /// Where it stands.
    pub at: Place,
}

#[derive(Default)]
struct Draft {
    interface: Option<String>,
    mac: Option<String>,
}

const WORDS: &[Word<Draft>] = &[
    value(&["name"], |draft, name| {
        draft.interface = Some(name.to_owned());
        Ok(None)
    }),
    lost_value(&["group"], "vipkit leaves the interface in the group that it is made in"),
    nothing(&["netlink_notify_msg"], false),
];

impl VirtualMac {
    /// What a `use_vmac` says.
    pub fn read(said: &Said, notes: &mut Notes) -> Self {
        let mut draft = Draft::default();
        let values = said.values.iter().map(String::as_str);
        if let Err(what) = words::read(WORDS, other, values, "use_vmac", &mut draft, (&said.at, notes)) {
            notes.say(&said.at, format!("{what}: keepalived ignores it"));
        }
        if let Some(mac) = draft.mac {
            let now = format!(
                "{mac} of use_vmac is not carried over: vipkit takes the MAC address that VRRP gives the virtual \
                 router, and announces the change"
            );
            notes.say(&said.at, now);
        }
        Self { interface: draft.interface, adverts_from_interface: false, at: said.at.clone() }
    }

    /// Gives it the name that keepalived chooses: the first that no other instance has.
    pub fn name(
        &mut self,
        virtual_router_id: u64,
        family: Family,
        prefix: &str,
        taken: &mut BTreeSet<String>,
    ) {
        let digit = if family == Family::V6 { "6" } else { "" };
        let plain = [format!("{prefix}.{virtual_router_id}"), format!("{prefix}{digit}.{virtual_router_id}")];
        let numbered = (1..=u16::MAX).map(|number| format!("{prefix}{number}.{virtual_router_id}"));
        let free = || plain.into_iter().chain(numbered).find(|name| !taken.contains(name));
        self.interface = self.interface.take().or_else(free);
        taken.extend(self.interface.clone());
    }
}

fn other(draft: &mut Draft, word: &str) -> Read {
    if word.split(':').count() > 4 {
        draft.mac = Some(word.to_owned());
    } else if draft.interface.is_none() {
        draft.interface = Some(word.to_owned());
    } else {
        return Ok(Some(format!("{word:?} is nothing that use_vmac takes: keepalived ignores it")));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_keepalived_chooses() {
        let mut taken = BTreeSet::new();
        let mut name = |given: Option<&str>, family| {
            let at = Place { file: "x".into(), line: 1 };
            let interface = given.map(str::to_owned);
            let mut mac = VirtualMac { interface, adverts_from_interface: false, at };
            mac.name(9, family, "vm", &mut taken);
            mac.interface.unwrap()
        };
        assert_eq!(name(None, Family::V6), "vm.9");
        assert_eq!(name(None, Family::V6), "vm6.9");
        assert_eq!(name(None, Family::V4), "vm1.9");
        assert_eq!(name(Some("vm2.9"), Family::V4), "vm2.9");
        assert_eq!(name(None, Family::V6), "vm3.9");
    }
}
