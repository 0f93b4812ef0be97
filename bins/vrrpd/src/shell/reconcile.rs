//! Makes the addresses on the interfaces equal to what the routers hold, a few at a time: due adverts go first.
//! What to do is planned in `addresses`; here it is done and its outcome noted. Routes and rules go before the first
//! address and come after the last.

use std::collections::BTreeSet;
use std::time::Duration;

use ipnet::IpNet;
use tracing::{info, warn};
use vipkit_config::{Config, Instance};
use vipkit_core::units::Mono;
use vipkit_daemon::clock::now;
use vipkit_linux::route::RouteError;

use super::daemon::Daemon;
use super::kernel_settings::promotes;
use crate::addresses::{Op, Plan, plan};
use crate::ledger::Ledger;
use crate::observed::{Entry, Present};

/// Changes of one turn: what is due goes before the next.
pub const TURN: usize = 16;
/// Turns for which a plan serves.
const TURNS: usize = 16;
/// Before a refused change is tried again, and between two repairs of one interface.
pub const PAUSE: Duration = Duration::from_secs(1);

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

impl Turn {
    /// If it has nothing to do, or not yet: what else is to be done, and when.
    fn or_at(self, other: Option<Mono>) -> Self {
        match (self, other) {
            (Self::Done, Some(at)) => Self::Later(at),
            (Self::Later(own), Some(at)) => Self::Later(own.min(at)),
            (turn, _) => turn,
        }
    }
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
        if let Some(turn) = self.remove_routing() {
            return Ok(turn);
        }
        let next = self.holdings.next(now());
        let Some((name, _)) = next.clone().filter(|(_, not_before)| *not_before <= now()) else {
            return Ok(self.add_routing().or_at(next.map(|(_, not_before)| not_before)));
        };
        if let Some((index, true)) = self.to_switch(&name) {
            return self.switch(&name, index, true);
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
        let most = if removals == 0 { plan.ops.len() } else { removals };
        let ops = plan.ops.get(..most.min(TURN * TURNS)).unwrap_or_default();
        let wishes = self.holdings.wishes();
        for (number, ops) in ops.chunks(TURN).enumerate() {
            // A plan is much work where there are thousands of addresses: it serves for some turns, if it still holds.
            if number > 0 {
                self.serve();
                self.host.sync()?;
                if self.host.has_news() || self.holdings.wishes() != wishes {
                    return Ok(Turn::More);
                }
            }
            if !self.apply(&name, index, ops)? {
                return Ok(Turn::More);
            }
        }
        if ops.len() < plan.ops.len() {
            // Behind the others that wait.
            self.holdings.postpone(&name, now());
        } else if let Some((index, false)) = self.to_switch(&name) {
            return self.switch(&name, index, false);
        } else {
            self.settled(&name, index);
        }
        Ok(Turn::More)
    }

    /// Makes a few changes. False if the kernel refused one: then they are tried again later.
    fn apply(&mut self, name: &str, index: u32, ops: &[Op]) -> anyhow::Result<bool> {
        let results = self.host.change(index, ops)?;
        if let Some(refusal) = self.note_results(name, index, ops, results) {
            let (count, why) = self.refusals.entry(name.to_owned()).or_default();
            *count += 1;
            *why = refusal;
            self.holdings.postpone(name, now() + PAUSE);
            self.observe();
            return Ok(false);
        }
        // Only an addition shows that additions are taken again: a fault that has nothing to add must last.
        if ops.iter().any(|op| matches!(op, Op::Add(_))) {
            self.refusals.remove(name);
        }
        Ok(true)
    }

    /// Switches the interface of a virtual MAC.
    fn switch(&mut self, name: &str, index: u32, up: bool) -> anyhow::Result<Turn> {
        if let Err(error) = self.host.switch(index, up)? {
            let admitted = self.limiter.admit("refusals of the kernel", now());
            admitted.into_iter().for_each(|_| warn!("{name}: switching it: {error}; trying again"));
            self.holdings.postpone(name, now() + PAUSE);
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
                |(instance, i): &(&String, &Instance)| adopt.contains(*instance) && i.place() == name;
            let kept = config.vrrp.iter().filter(goes_on).flat_map(|(_, i)| i.addresses.iter());
            let kept = kept.map(Entry::wanted).filter(|kept| entry.addresses.contains(&kept.net)).collect();
            let plan = plan(&kept, interface, &entry.addresses, promotes(name));
            for ops in plan.ops.chunks(TURN) {
                for (op, result) in ops.iter().zip(self.host.change(entry.index, ops)?) {
                    match (op, result) {
                        (Op::Delete(gone), Ok(())) => {
                            info!("{name}: removed {}, left over from before", gone.net);
                        }
                        (Op::Add(back) | Op::PutBack(back), Ok(())) => {
                            info!("{name}: put back {}, which went along with another", back.net);
                        }
                        (op, Err(error)) => warn!("{name}: {op}: {error}"),
                    }
                }
            }
            let kept_or_there = self.nets_on(name);
            self.holdings.change(|ledger| {
                ledger.entry(name, entry.index).addresses.retain(|net| kept_or_there.contains(net));
            });
        }
        Ok(())
    }

    /// Notices what others did to our addresses since the last look, and has it repaired.
    pub fn notice_drift(&mut self) {
        let mut names = self.places();
        names.extend(self.holdings.ledger().interfaces.keys().cloned());
        for name in names {
            let Some((_, plan)) = self.plan(&name) else { continue };
            if plan.ops.is_empty() || self.holdings.wants(&name) {
                continue;
            }
            for op in &plan.ops {
                match op {
                    Op::Add(Entry { net, .. }) => {
                        warn!("{name}: {net} was removed by somebody else: putting it back");
                    }
                    Op::Delete(Entry { net, .. }) => {
                        warn!("{name}: {net} of ours is there but must not be: removing it");
                    }
                    Op::PutBack(_) => {}
                }
            }
            for router in self.routers_at(&name).map(|router| router.name().to_owned()).collect::<Vec<_>>() {
                self.with(&router, |router, _, _| router.announce_anew());
            }
            let at = self.last_repair.get(&name).map_or_else(now, |last| now().max(*last + PAUSE));
            self.last_repair.insert(name.clone(), at);
            self.holdings.want(&name, false, at);
            self.reconcile.notify_one();
        }
    }

    /// The plan for an interface, if it exists.
    fn plan(&self, name: &str) -> Option<(u32, Plan)> {
        let interface = self.host.interfaces().get(name)?;
        let owned = self.holdings.ledger().owned(name, interface.index);
        Some((interface.index, plan(&self.desired(name), interface, &owned, promotes(name))))
    }

    /// The addresses that must be on an interface.
    fn desired(&self, name: &str) -> BTreeSet<Entry> {
        self.routers_at(name).flat_map(|router| router.holds()).map(Entry::wanted).collect()
    }

    /// The addresses that are on an interface.
    fn nets_on(&self, name: &str) -> BTreeSet<IpNet> {
        let there = self.host.interfaces().get(name).into_iter().flat_map(|interface| &interface.addresses);
        there.map(Present::net).collect()
    }

    /// Enters what will be added into the ledger.
    fn claim(&mut self, name: &str, index: u32, plan: &Plan) {
        let desired = self.desired(name);
        self.holdings.change(|ledger| {
            let entry = ledger.entry(name, index);
            entry.addresses.extend(plan.ops.iter().filter_map(|op| match op {
                Op::Add(entry) if desired.contains(entry) => Some(entry.net),
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
                (
                    Op::Delete(entry),
                    Ok(()) | Err(RouteError::NoSuchAddress | RouteError::NoSuchInterface),
                ) => gone.push(entry.net),
                (_, Ok(())) | (Op::PutBack(_), Err(RouteError::Exists)) => {}
                (Op::Add(Entry { net, .. }), Err(RouteError::Exists)) => {
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
        let desired: BTreeSet<IpNet> = self.desired(interface).into_iter().map(|entry| entry.net).collect();
        let there = self.nets_on(interface);
        self.holdings.change(|ledger| {
            let addresses = &mut ledger.entry(interface, index).addresses;
            addresses.retain(|net| desired.contains(net) || there.contains(net));
        });
        self.prepare_interfaces();
        self.look_at_routing();
        let names: Vec<String> = self.routers_at(interface).map(|router| router.name().to_owned()).collect();
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
