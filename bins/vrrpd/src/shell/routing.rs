//! Makes the routes and rules of the Active routers what they should be. Ours are those with our mark as their protocol,
//! which the kernel keeps: nobody else's are touched. What is there is read on a helper thread, since the kernel looks
//! at every route it has; a change of ours is noted at once.

use std::collections::BTreeSet;
use std::rc::Rc;

use tokio::sync::Notify;
use tracing::{info, warn};
use vipkit_config::{Instance, Route as WantedRoute, Rule as WantedRule};
use vipkit_control::vrrp::Held;
use vipkit_core::units::Mono;
use vipkit_daemon::clock::now;
use vipkit_linux::route::{Fwmark, Route, RouteChange, RouteEntry, RouteError, RuleChange, RuleEntry};

use super::daemon::Daemon;
use super::host::MARK;
use super::reconcile::{PAUSE, TURN, Turn};
use crate::observed::Interfaces;
use crate::router::Router;
use crate::words;

/// Our routes and rules as the kernel has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Present {
    routes: BTreeSet<RouteEntry>,
    rules: BTreeSet<RuleEntry>,
}

/// What is there, and the hand that changes it.
pub struct Routing {
    route: Route,
    present: Present,
    /// Grows with every change of ours.
    version: u64,
    /// Something may have to be done, not before this moment.
    unequal: Option<Mono>,
    /// What is there may have changed without a report, as when a route goes with its address.
    stale: Rc<Notify>,
}

/// What to do: what must go before any address does, and what must come after all of them.
struct Plan {
    gone_rules: Vec<RuleEntry>,
    gone_routes: Vec<RouteEntry>,
    new_routes: Vec<RouteEntry>,
    new_rules: Vec<RuleEntry>,
}

impl Routing {
    /// Reads what an earlier life left. If that fails, it is read soon: nothing of it keeps the addresses waiting.
    ///
    /// # Errors
    /// No connection to the kernel.
    pub fn open() -> anyhow::Result<Self> {
        let present = read().unwrap_or_else(|error| {
            warn!("routes and rules cannot be read now: {error:#}");
            Present::default()
        });
        Ok(Self { route: Route::open()?, present, version: 0, unequal: Some(Mono(0)), stale: Rc::default() })
    }

    /// Something is to be done, not before this moment.
    pub fn want(&mut self, not_before: Mono) {
        self.unequal = Some(self.unequal.map_or(not_before, |before| before.min(not_before)));
    }

    /// Told when what is there is to be read anew.
    #[must_use]
    pub fn stale(&self) -> Rc<Notify> {
        self.stale.clone()
    }

    /// To be given with what is read from now on.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// What was read since that version. True if it is not what was known; what we changed meanwhile makes it void.
    fn seen(&mut self, version: u64, present: Present) -> bool {
        if version != self.version {
            self.stale.notify_one();
            return false;
        }
        let news = self.present != present;
        self.present = present;
        news
    }
}

/// Reads what is there. Takes a while on a host with many routes: not for the loop.
///
/// # Errors
/// The kernel does not answer.
pub fn read() -> anyhow::Result<Present> {
    let mut route = Route::open()?;
    let (routes, rules) = (route.routes(MARK)?, route.rules(MARK)?);
    Ok(Present { routes: routes.into_iter().collect(), rules: rules.into_iter().collect() })
}

/// Removes all that is ours.
///
/// # Errors
/// The kernel does not answer.
pub fn clear() -> anyhow::Result<()> {
    let mut route = Route::open()?;
    let Present { routes, rules } = read()?;
    let rules: Vec<_> = rules.into_iter().map(RuleChange::Delete).collect();
    let routes: Vec<_> = routes.into_iter().map(RouteChange::Delete).collect();
    let results = route.change_rules(&rules).into_iter().chain(route.change_routes(&routes));
    results.filter_map(Result::err).for_each(|error| warn!("a route or rule may be left over: {error}"));
    Ok(())
}

impl Daemon {
    /// Removes a few routes and rules that must go: before the addresses that they speak of.
    pub(super) fn remove_routing(&mut self) -> Option<Turn> {
        self.routing.unequal.filter(|at| *at <= now())?;
        let plan = self.plan_routing();
        if !plan.gone_rules.is_empty() {
            let changes: Vec<_> = plan.gone_rules.into_iter().take(TURN).map(RuleChange::Delete).collect();
            return Some(self.change_rules(&changes));
        }
        if !plan.gone_routes.is_empty() {
            let changes: Vec<_> = plan.gone_routes.into_iter().take(TURN).map(RouteChange::Delete).collect();
            return Some(self.change_routes(&changes));
        }
        None
    }

    /// Adds a few routes and rules that must come: after the addresses that they speak of.
    pub(super) fn add_routing(&mut self) -> Turn {
        let Some(at) = self.routing.unequal else { return Turn::Done };
        if at > now() {
            return Turn::Later(at);
        }
        let plan = self.plan_routing();
        if !plan.new_routes.is_empty() {
            let changes: Vec<_> = plan.new_routes.into_iter().take(TURN).map(RouteChange::Add).collect();
            return self.change_routes(&changes);
        }
        if !plan.new_rules.is_empty() {
            let changes: Vec<_> = plan.new_rules.into_iter().take(TURN).map(RuleChange::Add).collect();
            return self.change_rules(&changes);
        }
        self.routing.unequal = None;
        Turn::More
    }

    /// Has what is there read anew, if there is anything of ours.
    pub(super) fn look_at_routing(&mut self) {
        let wanted = self.routers().map(Router::config).any(|c| !c.routes.is_empty() || !c.rules.is_empty());
        if wanted || self.routing.present != Present::default() {
            // What could not be added before may have its interface now.
            self.routing.want(now());
            self.reconcile.notify_one();
            self.routing.stale.notify_one();
        }
    }

    /// Takes in what was read, and repairs what others did.
    pub fn routing_seen(&mut self, version: u64, present: Present) {
        if self.routing.seen(version, present) {
            self.routing.want(now());
            self.reconcile.notify_one();
            let names: Vec<String> = self.routers().map(|router| router.name().to_owned()).collect();
            names.iter().for_each(|name| self.feed.touch(name));
        }
    }

    fn plan_routing(&self) -> Plan {
        let interfaces = self.host.interfaces();
        let active = || self.routers().filter(|router| router.is_active()).map(|router| router.config());
        let routes: BTreeSet<RouteEntry> = active()
            .flat_map(|config| config.routes.iter().filter_map(|route| entry(config, route, interfaces)))
            .collect();
        let rules: BTreeSet<RuleEntry> =
            active().flat_map(|config| config.rules.iter().map(rule_entry)).collect();
        let Present { routes: there, rules: rules_there } = &self.routing.present;
        Plan {
            gone_rules: rules_there.difference(&rules).copied().collect(),
            gone_routes: there.difference(&routes).copied().collect(),
            new_routes: routes.difference(there).copied().collect(),
            new_rules: rules.difference(rules_there).copied().collect(),
        }
    }

    fn change_routes(&mut self, changes: &[RouteChange]) -> Turn {
        self.routing.version += 1;
        let results = self.routing.route.change_routes(changes);
        let routes = &mut self.routing.present.routes;
        let note = |(change, result): (&RouteChange, _)| {
            let (adds, route) = match change {
                RouteChange::Add(route) => (true, *route),
                RouteChange::Delete(route) => (false, *route),
            };
            note(routes, adds, route, &format!("the route to {}", route.to), result)
        };
        let refused = changes.iter().zip(results).filter_map(note).last();
        self.routing_turn(refused)
    }

    fn change_rules(&mut self, changes: &[RuleChange]) -> Turn {
        self.routing.version += 1;
        let results = self.routing.route.change_rules(changes);
        let rules = &mut self.routing.present.rules;
        let note = |(change, result): (&RuleChange, _)| {
            let (adds, rule) = match change {
                RuleChange::Add(rule) => (true, *rule),
                RuleChange::Delete(rule) => (false, *rule),
            };
            note(rules, adds, rule, &format!("the rule of priority {}", rule.priority), result)
        };
        let refused = changes.iter().zip(results).filter_map(note).last();
        self.routing_turn(refused)
    }

    /// What is refused is tried again: a next router may become reachable.
    fn routing_turn(&mut self, refused: Option<String>) -> Turn {
        if let Some(refused) = refused {
            self.routing.unequal = Some(now() + PAUSE);
            let admitted = self.limiter.admit("refused routes and rules", now());
            admitted.into_iter().for_each(|_| warn!("{refused}; trying again"));
        }
        Turn::More
    }

    /// At the start: removes what an earlier life left, but for what goes on.
    pub(super) fn clear_routing(&mut self, goes_on: &BTreeSet<String>, config: &vipkit_config::Config) {
        let interfaces = self.host.interfaces().clone();
        let kept: Vec<&Instance> =
            config.vrrp.iter().filter(|(name, _)| goes_on.contains(*name)).map(|(_, i)| i).collect();
        let routes: BTreeSet<RouteEntry> = kept
            .iter()
            .flat_map(|config| config.routes.iter().filter_map(|route| entry(config, route, &interfaces)))
            .collect();
        let rules: BTreeSet<RuleEntry> =
            kept.iter().flat_map(|config| config.rules.iter().map(rule_entry)).collect();
        let old_rules: Vec<_> =
            self.routing.present.rules.difference(&rules).copied().map(RuleChange::Delete).collect();
        let old_routes: Vec<_> =
            self.routing.present.routes.difference(&routes).copied().map(RouteChange::Delete).collect();
        if !old_rules.is_empty() || !old_routes.is_empty() {
            info!(
                "removing {} rules and {} routes, left over from before",
                old_rules.len(),
                old_routes.len()
            );
        }
        self.change_rules(&old_rules);
        self.change_routes(&old_routes);
    }

    /// The routes and rules of an instance as they are shown.
    pub(super) fn held(&self, config: &Instance) -> (Vec<Held>, Vec<Held>) {
        let interfaces = self.host.interfaces();
        let Present { routes, rules } = &self.routing.present;
        let route = |route: &WantedRoute| Held {
            what: words::route(route),
            present: entry(config, route, interfaces).is_some_and(|entry| routes.contains(&entry)),
        };
        let rule =
            |rule: &WantedRule| Held { what: words::rule(rule), present: rules.contains(&rule_entry(rule)) };
        (config.routes.iter().map(route).collect(), config.rules.iter().map(rule).collect())
    }
}

/// Notes what came of a change. What the kernel refused, in words.
fn note<T: Ord>(
    present: &mut BTreeSet<T>,
    adds: bool,
    entry: T,
    what: &str,
    result: Result<(), RouteError>,
) -> Option<String> {
    match (adds, result) {
        (true, Ok(())) => drop(present.insert(entry)),
        (false, Ok(()) | Err(RouteError::NoSuchEntry)) => drop(present.remove(&entry)),
        (true, Err(error)) => return Some(format!("adding {what}: {error}")),
        (false, Err(error)) => return Some(format!("removing {what}: {error}")),
    }
    None
}

/// A route as the kernel would show it; none while its interface does not exist.
fn entry(config: &Instance, route: &WantedRoute, interfaces: &Interfaces) -> Option<RouteEntry> {
    let interface = route.interface.as_deref().unwrap_or_else(|| config.place());
    let index = interfaces.get(interface)?.index;
    let scope = route
        .scope
        .map_or_else(|| RouteEntry::default_scope(route.family, route.via), vipkit_config::Scope::number);
    let entry = RouteEntry {
        to: route.to,
        via: route.via,
        interface: index,
        table: route.table,
        metric: route.metric,
        source: route.source,
        scope,
        protocol: MARK,
    };
    Some(entry.normalised())
}

fn rule_entry(rule: &WantedRule) -> RuleEntry {
    let entry = RuleEntry {
        family: rule.family,
        from: rule.from,
        to: rule.to,
        table: rule.table,
        priority: rule.priority,
        fwmark: rule.fwmark.map(|mark| Fwmark { value: mark.value, mask: mark.mask }),
        protocol: MARK,
    };
    entry.normalised()
}
