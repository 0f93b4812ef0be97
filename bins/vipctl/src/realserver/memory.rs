//! What is remembered from `add` to `remove`: which VIPs it brought, and how the settings were before. Pure; total over
//! any bytes.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::Vips;
use super::plan::State;
use super::setting::{DEFAULT, Name, Setting, Settings};

/// All that is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// VIPs that were added.
    pub vips: Vips,
    /// Every setting there was; also those that did not change, to tell them from those that came later.
    pub settings: Vec<Remembered>,
}

/// A setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// The interface.
    pub interface: String,
    /// Which one.
    pub name: Name,
    /// Its value before.
    pub before: i32,
    /// Its value since.
    pub after: i32,
}

impl Memory {
    /// Reads it; `None` if it is no memory.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// As bytes.
    ///
    /// # Errors
    /// It cannot be JSON.
    pub fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }

    /// What is to be remembered once `actual` has become `desired`, for these VIPs. A setting that still is as it was
    /// left keeps what was before that, also over a boot that set it again; one that is not has changed since.
    #[must_use]
    pub fn adding(&self, vips: &Vips, actual: &State, desired: &State) -> Self {
        let vips = &self.vips | vips;
        if !vips.iter().any(IpAddr::is_ipv4) {
            return Self { vips, settings: Vec::new() };
        }
        let remember = |(setting, now): (&Setting, &i32)| {
            let known = self.of(&setting.interface, setting.name).filter(|known| known.after == *now);
            Remembered {
                interface: setting.interface.clone(),
                name: setting.name,
                before: known.map_or(*now, |known| known.before),
                after: desired.settings.get(setting).copied().unwrap_or(*now),
            }
        };
        Self { vips, settings: actual.settings.iter().map(remember).collect() }
    }

    /// What is left to remember without these VIPs, and without those that are no longer there.
    #[must_use]
    pub fn removing(&self, vips: &Vips, actual: &State) -> Self {
        let left: Vips =
            self.vips.difference(vips).copied().filter(|vip| actual.vips.contains(vip)).collect();
        let settings = if left.iter().any(IpAddr::is_ipv4) { self.settings.clone() } else { Vec::new() };
        Self { vips: left, settings }
    }

    /// The settings as they were before. What was changed since stays; an interface that came later gets what it would
    /// have begun with.
    #[must_use]
    pub fn restored(&self, settings: &Settings) -> Settings {
        let restore = |(setting, now): (&Setting, &i32)| {
            let known = self.of(&setting.interface, setting.name).or_else(|| self.of(DEFAULT, setting.name));
            let before = known.filter(|known| known.after == *now).map(|known| known.before);
            (setting.clone(), before.unwrap_or(*now))
        };
        settings.iter().map(restore).collect()
    }

    /// The settings that somebody changed after `add`: they will not go back.
    pub fn changed_since<'m>(&'m self, settings: &'m Settings) -> impl Iterator<Item = (Setting, i32)> + 'm {
        let known = self.settings.iter().filter(|known| known.before != known.after);
        known.filter_map(|known| {
            let setting = Setting::new(&known.interface, known.name);
            let now = *settings.get(&setting)?;
            (now != known.after && now != known.before).then_some((setting, now))
        })
    }

    fn of(&self, interface: &str, name: Name) -> Option<&Remembered> {
        self.settings.iter().find(|known| known.interface == interface && known.name == name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::setting::quiet;
    use super::*;

    const VIP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 4, 15));

    fn state(values: &[(&str, i32)]) -> State {
        let settings =
            values.iter().map(|(interface, value)| (Setting::new(interface, Name::ArpIgnore), *value));
        State { vips: Vips::new(), settings: settings.collect() }
    }

    /// What is remembered of an `add`, and the host after it.
    fn added(memory: &Memory, before: &State) -> (Memory, State) {
        let after = before.with(&[VIP].into());
        (memory.adding(&[VIP].into(), before, &after), after)
    }

    #[test]
    fn a_second_add_remembers_what_was_before_the_first() {
        let before = state(&[("all", 0), ("default", 0), ("eth0", 2)]);
        let (memory, after) = added(&Memory::default(), &before);
        let (again, after) = added(&memory, &after);
        assert_eq!(again, memory);
        assert_eq!(again.restored(&after.settings), before.settings);
    }

    #[test]
    fn what_was_changed_since_stays() {
        let (memory, mut after) = added(&Memory::default(), &state(&[("all", 0), ("default", 0)]));
        after.settings.insert(Setting::new("all", Name::ArpIgnore), 2);
        assert_eq!(memory.restored(&after.settings), state(&[("all", 2), ("default", 0)]).settings);
        let changed: Vec<_> = memory.changed_since(&after.settings).collect();
        assert_eq!(changed, [(Setting::new("all", Name::ArpIgnore), 2)]);
        let (memory, after) = added(&memory, &after);
        assert_eq!(memory.restored(&after.settings), state(&[("all", 2), ("default", 0)]).settings);
    }

    #[test]
    fn a_boot_without_add_is_a_new_beginning() {
        let (memory, _) = added(&Memory::default(), &state(&[("all", 0)]));
        let (memory, after) = added(&memory, &state(&[("all", 0)]));
        assert_eq!(memory.restored(&after.settings), state(&[("all", 0)]).settings);
    }

    #[test]
    fn an_interface_that_came_later_gets_what_it_would_have_had() {
        let (memory, mut after) = added(&Memory::default(), &state(&[("all", 0), ("default", 0)]));
        after.settings.extend(state(&[("eth1", 1), ("eth2", 2)]).settings);
        let expected = state(&[("all", 0), ("default", 0), ("eth1", 0), ("eth2", 2)]);
        assert_eq!(memory.restored(&after.settings), expected.settings);
    }

    #[test]
    fn vips_that_are_not_there_do_not_hold_the_settings() {
        let gone: IpAddr = [10, 0, 0, 1].into();
        let before = state(&[("all", 0)]);
        let memory = Memory::default().adding(&[VIP, gone].into(), &before, &before.with(&[VIP].into()));
        let there = State { vips: [VIP].into(), ..State::default() };
        assert_eq!(memory.removing(&[gone].into(), &there).settings, memory.settings);
        assert_eq!(memory.removing(&[VIP].into(), &there), Memory::default());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>) {
            let _ = Memory::parse(&bytes);
        }

        #[test]
        fn what_is_remembered_is_read_back_and_restored(values in prop::collection::btree_map("[a-z]{1,9}", -1..10, 0..9)) {
            let values: Vec<_> = values.iter().map(|(interface, value)| (interface.as_str(), *value)).collect();
            let before = state(&values);
            let (memory, after) = added(&Memory::default(), &before);
            prop_assert_eq!(&after.settings, &quiet(&before.settings));
            let read = Memory::parse(&memory.to_bytes().unwrap()).unwrap();
            prop_assert_eq!(read.restored(&after.settings), before.settings);
        }
    }
}
