//! The interfaces that virtual MACs need (macvlan): from those that should be there and those that are, the operations
//! that make them equal. One is switched on only while its router is Active, since a Backup must not take frames for
//! the virtual MAC (RFC 9568 §6.4.2). Ours are known by their kind and their alias, which nobody else sets. Must not
//! apply anything.

use std::collections::BTreeMap;
use std::fmt;

use vipkit_core::arp::Mac;

use crate::observed::{Interface, Interfaces};

/// Kind of the links that are made.
const KIND: &str = "macvlan";
/// What marks a link as ours.
pub const ALIAS: &str = "vipkit vrrpd";

/// A link that should be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Index of the interface that it lies on.
    pub parent: u32,
    /// The virtual MAC.
    pub mac: Mac,
}

/// One change of links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkOp {
    /// Make it, switched off.
    Create(String, Wanted),
    /// Remove it, and all its addresses with it.
    Delete(String, u32),
}

impl fmt::Display for LinkOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(name, _) => write!(f, "making {name}"),
            Self::Delete(name, _) => write!(f, "removing {name}"),
        }
    }
}

/// True if this program made it.
#[must_use]
pub fn is_ours(interface: &Interface) -> bool {
    interface.kind.as_deref() == Some(KIND) && interface.alias.as_deref() == Some(ALIAS)
}

/// Plans all of them. A name that somebody else's interface has is in no operation: see [`taken`].
#[must_use]
pub fn plan(wanted: &BTreeMap<String, Wanted>, interfaces: &Interfaces) -> Vec<LinkOp> {
    let fits = |name: &String, interface: &Interface| {
        wanted.get(name).is_some_and(|w| interface.parent == Some(w.parent) && interface.mac == Some(w.mac))
    };
    let ours = interfaces.iter().filter(|(_, interface)| is_ours(interface));
    let deletions = ours.filter(|(name, interface)| !fits(name, interface));
    let missing = |name: &String| interfaces.get(name).is_none_or(|i| is_ours(i) && !fits(name, i));
    let creations = wanted.iter().filter(|(name, _)| missing(name));
    deletions
        .map(|(name, interface)| LinkOp::Delete(name.clone(), interface.index))
        .chain(creations.map(|(name, wanted)| LinkOp::Create(name.clone(), *wanted)))
        .collect()
}

/// True if somebody else's interface has the name.
#[must_use]
pub fn taken(name: &str, interfaces: &Interfaces) -> bool {
    interfaces.get(name).is_some_and(|interface| !is_ours(interface))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NAMES: [&str; 3] = ["vrrp.1", "vrrp.2", "eth0"];

    fn link(parent: u32, mac: u8, ours: bool) -> Interface {
        Interface {
            index: 7,
            mac: Some([0, 0, 0x5e, 0, 1, mac]),
            kind: Some(KIND.to_owned()),
            parent: Some(parent),
            alias: ours.then(|| ALIAS.to_owned()),
            ..Interface::default()
        }
    }

    fn apply(ops: &[LinkOp], interfaces: &mut Interfaces) {
        for op in ops {
            match op {
                LinkOp::Create(name, wanted) => {
                    let made = Interface { mac: Some(wanted.mac), ..link(wanted.parent, 0, true) };
                    assert!(interfaces.insert(name.clone(), made).is_none(), "{name} was there");
                }
                LinkOp::Delete(name, _) => assert!(interfaces.remove(name).is_some_and(|i| is_ours(&i))),
            }
        }
    }

    fn any_interfaces() -> impl Strategy<Value = Interfaces> {
        let link = (1..3u32, 1..3u8, any::<bool>()).prop_map(|(parent, mac, ours)| link(parent, mac, ours));
        prop::collection::btree_map(prop::sample::select(&NAMES[..]).prop_map(str::to_owned), link, 0..4)
    }

    fn any_wanted() -> impl Strategy<Value = BTreeMap<String, Wanted>> {
        let wanted =
            (1..3u32, 1..3u8).prop_map(|(parent, mac)| Wanted { parent, mac: [0, 0, 0x5e, 0, 1, mac] });
        prop::collection::btree_map(prop::sample::select(&NAMES[..2]).prop_map(str::to_owned), wanted, 0..3)
    }

    proptest! {
        #[test]
        fn the_plan_reaches_what_is_wanted_and_leaves_what_is_foreign(
            mut interfaces in any_interfaces(),
            wanted in any_wanted(),
        ) {
            let foreign: Interfaces =
                interfaces.clone().into_iter().filter(|(_, interface)| !is_ours(interface)).collect();
            apply(&plan(&wanted, &interfaces), &mut interfaces);
            for (name, interface) in &foreign {
                prop_assert_eq!(interfaces.get(name), Some(interface));
            }
            for (name, wanted) in &wanted {
                let there = &interfaces[name];
                prop_assert!(
                    taken(name, &interfaces)
                        || (there.parent, there.mac) == (Some(wanted.parent), Some(wanted.mac))
                );
            }
            let left = interfaces.iter().filter(|(_, i)| is_ours(i)).all(|(name, _)| wanted.contains_key(name));
            prop_assert!(left, "something of ours stayed");
            prop_assert_eq!(plan(&wanted, &interfaces), vec![]);
        }
    }
}
