//! Kernel settings that addresses and virtual MACs need: set, read back, and put back as they were where they are needed
//! no more. What they are and why is in `settings`.

use std::collections::BTreeSet;

use tracing::{info, warn};
use vipkit_control::common::Notice;
use vipkit_core::units::Family;
use vipkit_linux::sysctl;

use super::daemon::Daemon;
use crate::ledger::Entry;
use crate::links::is_ours;
use crate::settings::{BELOW, PLACE, Setting, VIRTUAL};

impl Daemon {
    /// Sets what is needed where it was not looked at yet, and puts back what is not needed.
    pub fn prepare_interfaces(&mut self) {
        let mut needed: Vec<(String, &'static [Setting])> = Vec::new();
        for router in self.routers() {
            let config = router.config();
            needed.push((config.place().to_owned(), PLACE));
            if config.virtual_mac.is_some() {
                needed.extend([(config.interface.clone(), BELOW), (config.place().to_owned(), VIRTUAL)]);
            }
        }
        needed.sort_by(|a, b| a.0.cmp(&b.0));
        needed.dedup();
        let found: BTreeSet<(String, &'static str)> = needed
            .iter()
            .flat_map(|(interface, settings)| settings.iter().map(|s| (interface.clone(), s.name)))
            .collect();
        self.unmet.retain(|at, _| found.contains(at));
        let mut looked_at = BTreeSet::new();
        for (interface, settings) in &needed {
            let Some(index) = self.host.interfaces().get(interface).map(|interface| interface.index) else {
                continue;
            };
            for setting in *settings {
                if !self.looked_at.contains(&(index, setting.name)) {
                    self.meet(interface, index, setting);
                }
                looked_at.insert((index, setting.name));
            }
        }
        self.looked_at = looked_at;
        let used: BTreeSet<String> = needed.into_iter().map(|(interface, _)| interface).collect();
        self.restore_interfaces(&used);
    }

    fn meet(&mut self, interface: &str, index: u32, setting: &Setting) {
        let at = (interface.to_owned(), setting.name);
        let Some(found) = effective(interface, setting) else {
            // Without IPv6 there is nothing to set.
            self.unmet.remove(&at);
            return;
        };
        if setting.holds(found) {
            self.unmet.remove(&at);
            return;
        }
        let was = sysctl::read(setting.family, interface, setting.name).unwrap_or_default();
        let refused = sysctl::write(setting.family, interface, setting.name, setting.value).err();
        let now = effective(interface, setting).unwrap_or_default();
        if setting.holds(now) {
            self.unmet.remove(&at);
            // What we made goes with its settings.
            if !self.host.interfaces().get(interface).is_some_and(is_ours) {
                info!("{interface}: {} is {} now; else {}", setting.name, setting.value, setting.otherwise);
                self.holdings.change(|ledger| {
                    ledger.entry(interface, index).settings.entry(key(setting)).or_insert(was);
                });
            }
            return;
        }
        let why = refused.map_or_else(String::new, |error| format!(" ({error})"));
        let notice = Notice {
            what: format!("{} of {interface} is {now}{why}: {}", setting.name, setting.otherwise),
            remedy: format!("`sysctl {}={}`", path(interface, setting), setting.value),
        };
        // Once, not at each look.
        if self.unmet.get(&at) != Some(&notice) {
            warn!("{}; {}", notice.what, notice.remedy);
        }
        self.unmet.insert(at, notice);
    }

    /// Puts settings back on all interfaces but those `used` and those where we still have addresses.
    pub fn restore_interfaces(&mut self, used: &BTreeSet<String>) {
        let unused = |(name, entry): (&String, &Entry)| {
            let unused = !used.contains(name) && entry.addresses.is_empty();
            (unused && !entry.settings.is_empty()).then(|| (name.clone(), entry.clone()))
        };
        let unused: Vec<_> = self.holdings.ledger().interfaces.iter().filter_map(unused).collect();
        for (name, entry) in unused {
            if self.host.interfaces().get(&name).is_some_and(|it| it.index == entry.index) {
                put_back(&name, &entry);
            }
            self.holdings.change(|ledger| {
                if let Some(entry) = ledger.interfaces.get_mut(&name) {
                    entry.settings.clear();
                }
            });
        }
        self.holdings.change(|ledger| {
            ledger.interfaces.retain(|_, entry| !entry.addresses.is_empty() || !entry.settings.is_empty());
        });
    }
}

/// Puts the settings of an interface back as they were.
pub fn put_back(interface: &str, entry: &Entry) {
    for (setting, was) in &entry.settings {
        let known = PLACE.iter().chain(BELOW).chain(VIRTUAL).find(|s| key(s) == *setting);
        if let Some(Err(error)) = known.map(|s| sysctl::write(s.family, interface, s.name, *was)) {
            warn!("{interface}: {setting} stays as it is: {error}");
        }
    }
}

/// Whether secondaries survive their primary.
pub fn promotes(interface: &str) -> bool {
    PLACE.iter().all(|setting| effective(interface, setting).is_some_and(|value| setting.holds(value)))
}

/// The value that counts; none if the kernel has no such setting.
fn effective(interface: &str, setting: &Setting) -> Option<i32> {
    let own = sysctl::read(setting.family, interface, setting.name).ok()?;
    let all = setting.all.then(|| sysctl::read(setting.family, "all", setting.name).ok()).flatten();
    Some(all.map_or(own, |all| own.max(all)))
}

fn key(setting: &Setting) -> String {
    format!("{}.{}", folder(setting.family), setting.name)
}

fn path(interface: &str, setting: &Setting) -> String {
    format!("net.{}.conf.{interface}.{}", folder(setting.family), setting.name)
}

const fn folder(family: Family) -> &'static str {
    match family {
        Family::V4 => "ipv4",
        Family::V6 => "ipv6",
    }
}
