//! Makes the addresses on the interfaces equal to what the routers hold, a few at a time: due adverts go first.
//! What to do is planned in `addresses`; here it is done and its outcome noted.

use std::collections::BTreeSet;
use std::time::Duration;

use ipnet::IpNet;
use tracing::{info, warn};
use vipkit_config::{Config, Instance};
use vipkit_core::units::Mono;
use vipkit_daemon::clock::now;
use vipkit_linux::route::RouteError;
use vipkit_linux::sysctl;

use super::daemon::Daemon;
use crate::addresses::{Op, Plan, plan};
use crate::ledger::{Entry, Ledger};

/// Address changes of one turn.
pub const TURN: usize = 16;
/// Before a refused change is tried again, and between two repairs of one interface.
const PAUSE: Duration = Duration::from_secs(1);
const PROMOTE_SECONDARIES: &str = "promote_secondaries";

/// What a turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Everything is as it should be.
    Done,
    /// There is more to do.
    More,
    /// This version of the ledger must be in its file first.
    Save(u64),
    /// Nothing to do before then.
    Later(Mono),
}

impl Daemon {
    /// Does a little of what is to be done.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn reconcile_turn(&mut self) -> anyhow::Result<Turn> {
        self.serve();
        self.host.sync()?;
        if self.host.take_news() {
            self.look_around();
        }
        let Some((name, not_before)) = self.holdings.next(now()) else { return Ok(Turn::Done) };
        if not_before > now() {
            return Ok(Turn::Later(not_before));
        }
        let Some((index, plan)) = self.plan(&name) else {
            self.holdings.done(&name);
            return Ok(Turn::More);
        };
        // What must go does not wait for the file: it is in there already.
        let removals = plan.ops.iter().take_while(|op| !matches!(op, Op::Add(_))).count();
        if removals == 0 {
            self.claim(&name, index, &plan);
            if let Some(version) = self.holdings.unsettled() {
                return Ok(Turn::Save(version));
            }
        }
        let most = if removals == 0 { TURN } else { removals.min(TURN) };
        let ops: Vec<Op> = plan.ops.iter().copied().take(most).collect();
        let results = self.host.change(index, &ops)?;
        if let Some(refusal) = self.note_results(&name, index, &ops, results) {
            let (count, why) = self.refusals.entry(name.clone()).or_default();
            *count += 1;
            *why = refusal;
            self.holdings.postpone(&name, now() + PAUSE);
            self.observe();
            return Ok(Turn::More);
        }
        // Only an addition shows that additions are taken again: a fault that has nothing to add must last.
        if ops.iter().any(|op| matches!(op, Op::Add(_))) {
            self.refusals.remove(&name);
        }
        if ops.len() == plan.ops.len() {
            self.settled(&name, index);
        } else {
            // Behind the others that wait.
            self.holdings.postpone(&name, now());
        }
        Ok(Turn::More)
    }

    /// Removes what an earlier life of this program left on any interface, but for the addresses of the instances that
    /// go on. Before the routers start: a Backup must not hold anything.
    ///
    /// # Errors
    /// The kernel does not answer, or refuses to remove one.
    pub fn clear_leftovers(
        &mut self,
        old: &Ledger,
        config: &Config,
        adopt: &BTreeSet<String>,
    ) -> anyhow::Result<()> {
        for (name, entry) in &old.interfaces {
            let Some(interface) = self.host.interfaces().get(name).filter(|i| i.index == entry.index) else {
                continue;
            };
            let goes_on =
                |(instance, i): &(&String, &Instance)| adopt.contains(*instance) && i.interface == *name;
            let kept = config.vrrp.iter().filter(goes_on).flat_map(|(_, i)| i.addresses.iter().copied());
            let kept = kept.filter(|net| entry.addresses.contains(net)).collect();
            let plan = plan(&kept, interface, &entry.addresses, promotes(name));
            for ops in plan.ops.chunks(TURN) {
                for (op, result) in ops.iter().zip(self.host.change(entry.index, ops)?) {
                    match (op, result) {
                        (Op::Delete(net), Ok(())) => info!("{name}: removed {net}, left over from before"),
                        (Op::Add(net) | Op::PutBack(net), Ok(())) => {
                            info!("{name}: put back {net}, which went along with another")
                        }
                        (op, Err(error)) => warn!("{name}: {op}: {error}"),
                    }
                }
            }
            let kept_or_there: BTreeSet<IpNet> = self
                .host
                .interfaces()
                .get(name)
                .into_iter()
                .flat_map(|i| &i.addresses)
                .map(|p| p.net)
                .collect();
            self.holdings.change(|ledger| {
                ledger.entry(name, entry.index).addresses.retain(|net| kept_or_there.contains(net));
            });
        }
        Ok(())
    }

    /// Notices what others did to our addresses since the last look, and has it repaired.
    pub fn notice_drift(&mut self) {
        let mut names = self.interfaces_in_use();
        names.extend(self.holdings.ledger().interfaces.keys().cloned());
        for name in names {
            let Some((_, plan)) = self.plan(&name) else { continue };
            if plan.ops.is_empty() || self.holdings.wants(&name) {
                continue;
            }
            for op in &plan.ops {
                match op {
                    Op::Add(net) => warn!("{name}: {net} was removed by somebody else: putting it back"),
                    Op::Delete(net) => warn!("{name}: {net} of ours is there but must not be: removing it"),
                    Op::PutBack(_) => {}
                }
            }
            for router in self.routers_on(&name).map(|router| router.name().to_owned()).collect::<Vec<_>>() {
                self.with(&router, |router, _, _| router.announce_anew());
            }
            let at = self.last_repair.get(&name).map_or_else(now, |last| now().max(*last + PAUSE));
            self.last_repair.insert(name.clone(), at);
            self.holdings.want(&name, false, at);
            self.reconcile.notify_one();
        }
    }

    /// Sets promote_secondaries where we put addresses, and puts it back where we no longer have any.
    pub fn prepare_interfaces(&mut self) {
        let used = self.interfaces_in_use();
        for name in &used {
            let Some(index) = self.host.interfaces().get(name).map(|interface| interface.index) else {
                continue;
            };
            if promotes(name) {
                continue;
            }
            let was = sysctl::read(name, PROMOTE_SECONDARIES).unwrap_or_default();
            match sysctl::write(name, PROMOTE_SECONDARIES, 1) {
                Ok(()) => {
                    info!("{name}: promote_secondaries is 1 now, so that one address can go without others");
                    self.holdings.change(|ledger| {
                        ledger.entry(name, index).promote_secondaries.get_or_insert(was);
                    });
                }
                // Once, not at each look.
                Err(error) if self.not_promoting.insert((name.clone(), index)) => {
                    warn!(
                        "{name}: promote_secondaries stays 0: {error}: removing an address takes others away for a moment"
                    );
                }
                Err(_) => {}
            }
        }
        self.restore_interfaces(&used);
    }

    /// Puts promote_secondaries back on all interfaces but those `used` and those where we still have addresses.
    pub fn restore_interfaces(&mut self, used: &BTreeSet<String>) {
        let changed = |(name, entry): (&String, &Entry)| {
            let unused = !used.contains(name) && entry.addresses.is_empty();
            Some((name.clone(), entry.index, entry.promote_secondaries.filter(|_| unused)?))
        };
        let unused: Vec<_> = self.holdings.ledger().interfaces.iter().filter_map(changed).collect();
        for (name, index, was) in unused {
            let same = self.host.interfaces().get(&name).is_some_and(|interface| interface.index == index);
            if let Err(error) = if same { sysctl::write(&name, PROMOTE_SECONDARIES, was) } else { Ok(()) } {
                warn!("{name}: promote_secondaries stays 1: {error}");
            }
            self.holdings.change(|ledger| {
                if let Some(entry) = ledger.interfaces.get_mut(&name) {
                    entry.promote_secondaries = None;
                }
            });
        }
        self.holdings.change(|ledger| {
            ledger.interfaces.retain(|_, e| !e.addresses.is_empty() || e.promote_secondaries.is_some());
        });
    }

    /// The plan for an interface, if it exists.
    fn plan(&self, name: &str) -> Option<(u32, Plan)> {
        let interface = self.host.interfaces().get(name)?;
        let owned = self.holdings.ledger().owned(name, interface.index);
        Some((interface.index, plan(&self.desired(name), interface, &owned, promotes(name))))
    }

    /// The addresses that must be on an interface.
    fn desired(&self, name: &str) -> BTreeSet<IpNet> {
        self.routers_on(name).flat_map(|router| router.holds()).copied().collect()
    }

    /// Enters what will be added into the ledger.
    fn claim(&mut self, name: &str, index: u32, plan: &Plan) {
        let desired = self.desired(name);
        self.holdings.change(|ledger| {
            let entry = ledger.entry(name, index);
            entry.addresses.extend(plan.ops.iter().filter_map(|op| match op {
                Op::Add(net) if desired.contains(net) => Some(*net),
                Op::Add(_) | Op::Delete(_) | Op::PutBack(_) => None,
            }));
        });
    }

    /// Notes the outcome of changes. Returns what the kernel refused, which must be tried again.
    fn note_results(
        &mut self,
        name: &str,
        index: u32,
        ops: &[Op],
        results: Vec<Result<(), RouteError>>,
    ) -> Option<String> {
        let mut refusal = None;
        let mut gone = Vec::new();
        for (op, result) in ops.iter().zip(results) {
            match (op, result) {
                (Op::Delete(net), Ok(()) | Err(RouteError::NoSuchAddress | RouteError::NoSuchInterface)) => {
                    gone.push(*net);
                }
                (_, Ok(())) | (Op::PutBack(_), Err(RouteError::Exists)) => {}
                (Op::Add(net), Err(RouteError::Exists)) => {
                    warn!("{name}: {net} was put there by somebody else this very moment");
                    gone.push(*net);
                }
                (op, Err(error)) => refusal = Some(format!("{op}: {error}")),
            }
        }
        self.holdings.change(|ledger| gone.iter().for_each(|net| ledger.disown(name, index, *net)));
        if let Some(refusal) = &refusal {
            let admitted = self.limiter.admit("refusals of the kernel", now());
            admitted.into_iter().for_each(|_| warn!("{name}: {refusal}; trying again"));
        }
        refusal
    }

    /// An interface is as it should be: its routers may announce. What was claimed and did not come to be is not ours.
    fn settled(&mut self, interface: &str, index: u32) {
        self.holdings.done(interface);
        let desired = self.desired(interface);
        let there = self.host.interfaces().get(interface).into_iter().flat_map(|i| &i.addresses);
        let there: BTreeSet<IpNet> = there.map(|present| present.net).collect();
        self.holdings.change(|ledger| {
            let addresses = &mut ledger.entry(interface, index).addresses;
            addresses.retain(|net| desired.contains(net) || there.contains(net));
        });
        self.restore_interfaces(&self.interfaces_in_use());
        let names: Vec<String> = self.routers_on(interface).map(|router| router.name().to_owned()).collect();
        for name in names {
            self.with(&name, |router, now, _| {
                if !router.holds().is_empty() {
                    router.held(now);
                }
            });
            self.feed.touch(&name);
        }
        self.observe();
    }
}

/// Whether secondaries survive their primary: the kernel takes the greater of the interface's value and `all`'s.
fn promotes(interface: &str) -> bool {
    [interface, "all"]
        .iter()
        .any(|name| sysctl::read(name, PROMOTE_SECONDARIES).is_ok_and(|value| value != 0))
}
