//! The difference between what should be and what is, as operations in the order in which nothing is wrong in between:
//! no VIP is there while ARP would speak of it. Pure.

use std::fmt;
use std::net::IpAddr;

use super::setting::{Setting, Settings, quiet};
use super::{Vips, whole};

/// What `vipctl realserver` changes of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// VIPs on lo, with the whole prefix.
    pub vips: Vips,
    /// The settings of each interface.
    pub settings: Settings,
}

/// An operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Take a VIP off lo.
    Remove(IpAddr),
    /// Give a setting another value.
    Set {
        /// Which one.
        setting: Setting,
        /// Its value.
        from: i32,
        /// The other.
        to: i32,
    },
    /// Put a VIP on lo.
    Add(IpAddr),
}

impl State {
    /// How it should be with these VIPs too. ARP is IPv4's alone: IPv6 answers on an interface for its own addresses.
    #[must_use]
    pub fn with(&self, vips: &Vips) -> Self {
        let settings =
            if vips.iter().any(IpAddr::is_ipv4) { quiet(&self.settings) } else { self.settings.clone() };
        Self { vips: &self.vips | vips, settings }
    }
}

/// What turns `actual` into `desired`. A setting that is not there, since its interface is gone, is passed over.
#[must_use]
pub fn plan(desired: &State, actual: &State) -> Vec<Op> {
    let removals = actual.vips.difference(&desired.vips).map(|vip| Op::Remove(*vip));
    let settings = actual.settings.iter().filter_map(|(setting, from)| {
        let to = desired.settings.get(setting).filter(|to| *to != from)?;
        Some(Op::Set { setting: setting.clone(), from: *from, to: *to })
    });
    let additions = desired.vips.difference(&actual.vips).map(|vip| Op::Add(*vip));
    removals.chain(settings).chain(additions).collect()
}

impl fmt::Display for Op {
    /// What it did.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remove(vip) => write!(f, "{vip}/{} removed from lo", whole(*vip)),
            Self::Set { setting, from, to } => write!(f, "{setting} {from} -> {to}"),
            Self::Add(vip) => write!(f, "{vip}/{} added to lo", whole(*vip)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, btree_set};
    use proptest::prelude::*;

    use super::super::setting::Name;
    use super::*;

    fn apply(op: &Op, state: &mut State) {
        match op {
            Op::Remove(vip) => assert!(state.vips.remove(vip)),
            Op::Set { setting, from, to } => {
                assert_eq!(state.settings.insert(setting.clone(), *to), Some(*from));
            }
            Op::Add(vip) => assert!(state.vips.insert(*vip)),
        }
    }

    fn vips() -> impl Strategy<Value = Vips> {
        let vip = prop_oneof![
            (1..9_u8).prop_map(|last| IpAddr::from([192, 168, 4, last])),
            (1..5_u16).prop_map(|last| IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, last])),
        ];
        btree_set(vip, 0..5)
    }

    /// Two states of a host: the same settings, other values.
    fn states() -> impl Strategy<Value = (State, State)> {
        let setting = (prop::sample::select(vec!["all", "default", "eth0", "lo"]), 0..2_usize)
            .prop_map(|(interface, name)| Setting::new(interface, Name::EACH[name]));
        let settings = btree_map(setting, (-1..10, -1..10), 0..8);
        (vips(), vips(), settings).prop_map(|(one, other, settings)| {
            let values = |pick: fn(&(i32, i32)) -> i32| {
                settings.iter().map(|(setting, both)| (setting.clone(), pick(both))).collect()
            };
            (State { vips: one, settings: values(|b| b.0) }, State { vips: other, settings: values(|b| b.1) })
        })
    }

    #[test]
    fn settings_come_between_what_goes_and_what_comes() {
        let (old, new) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let setting = Setting::new("all", Name::ArpIgnore);
        let actual = State { vips: [old].into(), settings: [(setting.clone(), 0)].into() };
        let desired = State { vips: [new].into(), settings: [(setting.clone(), 1)].into() };
        let expected = [Op::Remove(old), Op::Set { setting, from: 0, to: 1 }, Op::Add(new)];
        assert_eq!(plan(&desired, &actual), expected);
    }

    #[test]
    fn ipv6_leaves_the_settings_alone() {
        let actual =
            State { vips: Vips::new(), settings: [(Setting::new("all", Name::ArpIgnore), 0)].into() };
        assert_eq!(actual.with(&["fd00::1".parse().unwrap()].into()).settings, actual.settings);
        assert_ne!(actual.with(&["10.0.0.1".parse().unwrap()].into()).settings, actual.settings);
    }

    #[test]
    fn a_setting_of_an_interface_that_is_gone_is_passed_over() {
        let desired =
            State { vips: Vips::new(), settings: [(Setting::new("eth0", Name::ArpIgnore), 1)].into() };
        assert_eq!(plan(&desired, &State::default()), []);
    }

    proptest! {
        #[test]
        fn the_plan_leads_there_and_no_further((desired, mut state) in states()) {
            for op in plan(&desired, &state) {
                apply(&op, &mut state);
            }
            prop_assert_eq!(&state, &desired);
            prop_assert_eq!(plan(&desired, &state), []);
        }

        #[test]
        fn no_vip_comes_before_arp_is_quiet((before, _) in states(), vips in vips()) {
            let desired = before.with(&vips);
            let mut state = before.clone();
            for op in plan(&desired, &before) {
                if matches!(op, Op::Add(IpAddr::V4(_))) {
                    prop_assert!(state.settings.iter().all(|(setting, value)| setting.name.is_quiet(*value)));
                }
                apply(&op, &mut state);
            }
        }

        #[test]
        fn no_setting_goes_back_before_the_vips_are_gone((one, other) in states()) {
            let ops = plan(&one, &other);
            let last = ops.iter().rposition(|op| matches!(op, Op::Remove(_)));
            let first = ops.iter().position(|op| matches!(op, Op::Set { .. }));
            prop_assert!(last.zip(first).is_none_or(|(last, first)| last < first));
        }
    }
}
