//! What is held where: the ledger with its file, and which interfaces want a reconcile. An entry is in the file before
//! its address is on the interface, so that no crash leaves an address that nobody owns up to. The file is written on
//! a helper thread; what its contents speak of ends with the boot, so nothing waits for a disk.

use std::collections::BTreeMap;
use std::rc::Rc;

use tokio::sync::Notify;
use vipkit_core::units::Mono;
use vipkit_daemon::state::StateFile;

use crate::ledger::{Active, Ledger};

/// An interface is not as it should be.
#[derive(Clone, Copy, Debug)]
struct Wish {
    /// Something must go that another machine may hold by now.
    urgent: bool,
    not_before: Mono,
}

/// The ledger and what is to be done.
pub struct Holdings {
    ledger: Ledger,
    file: StateFile,
    /// Grows with every change of the ledger.
    version: u64,
    /// The version that is in the file, or that was waited for long enough.
    settled: u64,
    /// Wakes the writer.
    changed: Rc<Notify>,
    /// Interfaces that want a reconcile.
    unequal: BTreeMap<String, Wish>,
    /// Grows with every wish.
    wishes: u64,
}

impl Holdings {
    /// With a ledger that is in the file already.
    #[must_use]
    pub fn new(ledger: Ledger, file: StateFile) -> Self {
        let changed = Rc::new(Notify::new());
        Self { ledger, file, version: 0, settled: 0, changed, unequal: BTreeMap::new(), wishes: 0 }
    }

    /// The ledger.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The ledger's file.
    #[must_use]
    pub const fn file(&self) -> &StateFile {
        &self.file
    }

    /// Changes the ledger; if that made a difference, the file is written soon.
    pub fn change(&mut self, change: impl FnOnce(&mut Ledger)) {
        let before = self.ledger.clone();
        change(&mut self.ledger);
        if self.ledger != before {
            self.version += 1;
            self.changed.notify_one();
        }
    }

    /// Notes that an instance is Active, or not.
    pub fn note_active(&mut self, name: &str, active: Option<Active>) {
        self.change(|ledger| match active {
            Some(active) => drop(ledger.active.insert(name.to_owned(), active)),
            None => drop(ledger.active.remove(name)),
        });
    }

    /// Told whenever the file should be written.
    #[must_use]
    pub fn changed(&self) -> Rc<Notify> {
        self.changed.clone()
    }

    /// The version to write and the bytes.
    #[must_use]
    pub fn snapshot(&self) -> (u64, Vec<u8>) {
        (self.version, self.ledger.emit())
    }

    /// The version to wait for before an address is added, if any.
    #[must_use]
    pub fn unsettled(&self) -> Option<u64> {
        (self.settled < self.version).then_some(self.version)
    }

    /// This version was written, or waited for long enough.
    pub fn settle(&mut self, version: u64) {
        self.settled = self.settled.max(version);
    }

    /// An interface wants a reconcile, not before this moment. What must go is urgent.
    pub fn want(&mut self, interface: &str, urgent: bool, not_before: Mono) {
        let wish = self.unequal.entry(interface.to_owned()).or_insert(Wish { urgent, not_before });
        wish.urgent |= urgent;
        wish.not_before = not_before.min(wish.not_before);
        self.wishes += 1;
    }

    /// How often something was wanted so far: a plan made before the latest wish may be wrong.
    #[must_use]
    pub const fn wishes(&self) -> u64 {
        self.wishes
    }

    /// True if the interface waits for a reconcile.
    #[must_use]
    pub fn wants(&self, interface: &str) -> bool {
        self.unequal.contains_key(interface)
    }

    /// The interface to reconcile next, and when: of those that are due, urgent ones first, then who waited longest.
    #[must_use]
    pub fn next(&self, now: Mono) -> Option<(String, Mono)> {
        let order = |wish: &Wish| (wish.not_before > now, !wish.urgent, wish.not_before);
        let next = self.unequal.iter().min_by_key(|(_, wish)| order(wish));
        next.map(|(interface, wish)| (interface.clone(), wish.not_before))
    }

    /// The interface is as it should be.
    pub fn done(&mut self, interface: &str) {
        self.unequal.remove(interface);
    }

    /// There is more to do on the interface, not before this moment.
    pub fn postpone(&mut self, interface: &str, not_before: Mono) {
        if let Some(wish) = self.unequal.get_mut(interface) {
            wish.not_before = not_before;
        }
    }
}
