//! What vrrpd must remember beyond its own life: which addresses it put where, which kernel settings it changed,
//! who was Active. Values and JSON only: writing the file is the keeper's work.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::observed::Interfaces;

/// Longest ledger that is read back.
pub const BYTES_MAX: usize = 4 << 20;

/// The ledger. It speaks of one boot of the machine: after another boot, nothing in it is true.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// The kernel's boot id.
    pub boot: String,
    /// By interface name.
    pub interfaces: BTreeMap<String, Entry>,
    /// Some addresses accept no packets: there is a table of nftables, or is about to be.
    #[serde(default)]
    pub closed: bool,
    /// Active virtual routers by instance name.
    pub active: BTreeMap<String, Active>,
}

/// A virtual router that is Active.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Active {
    /// Its slot in the heartbeat file.
    pub slot: usize,
    /// Its interface.
    pub interface: String,
    /// The interface's index.
    pub index: u32,
    /// Its VRID.
    pub virtual_router_id: u8,
}

/// What was done to one interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Index of the interface: another one under the same name has none of it.
    pub index: u32,
    /// Addresses put there, or about to be.
    pub addresses: BTreeSet<IpNet>,
    /// Kernel settings (see `settings`) as they were before they were changed, by name.
    pub settings: BTreeMap<String, i32>,
}

impl Ledger {
    /// For this boot, with nothing in it.
    #[must_use]
    pub fn new(boot: &str) -> Self {
        Self { boot: boot.to_owned(), ..Self::default() }
    }

    /// From a file's bytes; what was written during another boot, or is damaged, is no ledger.
    #[must_use]
    pub fn parse(bytes: &[u8], boot: &str) -> Option<Self> {
        serde_json::from_slice(bytes).ok().filter(|ledger: &Self| ledger.boot == boot)
    }

    /// When the file is lost: what the mark on the addresses tells. A hint only, since replacing an address erases it.
    #[must_use]
    pub fn from_marks(boot: &str, interfaces: &Interfaces) -> Self {
        let mut ledger = Self::new(boot);
        for (name, interface) in interfaces {
            let marked: BTreeSet<_> =
                interface.addresses.iter().filter(|p| p.marked).map(|p| p.net()).collect();
            if !marked.is_empty() {
                ledger.entry(name, interface.index).addresses = marked;
            }
        }
        ledger
    }

    /// The file's bytes.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }

    /// True if this program put the address on the interface.
    #[must_use]
    pub fn owns(&self, interface: &str, index: u32, net: IpNet) -> bool {
        self.interfaces.get(interface).is_some_and(|e| e.index == index && e.addresses.contains(&net))
    }

    /// The addresses that this program put on an interface.
    #[must_use]
    pub fn owned(&self, interface: &str, index: u32) -> BTreeSet<IpNet> {
        let entry = self.interfaces.get(interface).filter(|entry| entry.index == index);
        entry.map(|entry| entry.addresses.clone()).unwrap_or_default()
    }

    /// Interfaces are known by their index: an entry whose interface was renamed goes by the new name.
    pub fn follow_names(&mut self, interfaces: &Interfaces) {
        let renamed = |name: &String, entry: &Entry| {
            if interfaces.get(name).is_some_and(|interface| interface.index == entry.index) {
                return None;
            }
            let (new, _) = interfaces.iter().find(|(_, interface)| interface.index == entry.index)?;
            Some((name.clone(), new.clone()))
        };
        let moves: Vec<_> = self.interfaces.iter().filter_map(|(name, entry)| renamed(name, entry)).collect();
        let entries: Vec<_> =
            moves.iter().filter_map(|(old, new)| Some((new.clone(), self.interfaces.remove(old)?))).collect();
        self.interfaces.extend(entries);
    }

    /// Forgets an address.
    pub fn disown(&mut self, interface: &str, index: u32, net: IpNet) {
        self.entry(interface, index).addresses.remove(&net);
    }

    /// The entry of an interface; an entry of an earlier interface of that name is forgotten.
    pub fn entry(&mut self, interface: &str, index: u32) -> &mut Entry {
        let entry = self.interfaces.entry(interface.to_owned()).or_default();
        if entry.index != index {
            *entry = Entry { index, ..Entry::default() };
        }
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::{self, Interface, Present};
    use proptest::prelude::*;

    #[test]
    fn what_is_written_is_read_back_in_the_same_boot_only() {
        let mut ledger = Ledger::new("boot-1");
        ledger.entry("eth0", 2).addresses.insert("192.168.4.80/24".parse().unwrap());
        let active = Active { slot: 0, interface: "eth0".to_owned(), index: 2, virtual_router_id: 51 };
        ledger.active.insert("web".to_owned(), active);
        assert_eq!(Ledger::parse(&ledger.emit(), "boot-1"), Some(ledger.clone()));
        assert_eq!(Ledger::parse(&ledger.emit(), "boot-2"), None);
    }

    #[test]
    fn a_renamed_interface_keeps_its_entry() {
        let interface = |index| Interface { index, ..Interface::default() };
        let vip = "192.168.4.80/24".parse().unwrap();
        let mut ledger = Ledger::new("boot-1");
        ledger.entry("eth0", 2).addresses.insert(vip);
        ledger.follow_names(&[("eth0".to_owned(), interface(2))].into());
        assert!(ledger.owns("eth0", 2, vip));
        // The old name may be another's by now.
        let after = [("lan0".to_owned(), interface(2)), ("eth0".to_owned(), interface(3))].into();
        ledger.follow_names(&after);
        assert!(ledger.owns("lan0", 2, vip) && !ledger.owns("eth0", 3, vip));
    }

    #[test]
    fn another_interface_of_the_same_name_has_nothing_of_ours() {
        let vip = "192.168.4.80/24".parse().unwrap();
        let mut ledger = Ledger::new("boot-1");
        ledger.entry("eth0", 2).addresses.insert(vip);
        assert!(ledger.owns("eth0", 2, vip));
        assert!(!ledger.owns("eth0", 3, vip));
        assert!(ledger.entry("eth0", 3).addresses.is_empty());
    }

    #[test]
    fn marks_stand_in_for_a_lost_file() {
        let present = |net: &str, marked| {
            let entry = observed::Entry::plain(net.parse().unwrap());
            Present { entry, secondary: false, marked, unusable: false }
        };
        let addresses = vec![present("192.0.2.1/24", false), present("192.0.2.80/24", true)];
        let eth0 = Interface { index: 2, addresses, ..Interface::default() };
        let ledger = Ledger::from_marks("boot", &[("eth0".to_owned(), eth0)].into());
        assert_eq!(ledger.owned("eth0", 2), ["192.0.2.80/24".parse().unwrap()].into());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Ledger::parse(&bytes, "boot");
        }
    }
}
