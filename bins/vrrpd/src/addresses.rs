//! From the addresses that should be on the interfaces and those that are there, the operations that make them
//! equal. Addresses that are not ours are never removed or taken over. Must not apply anything.
//!
//! Identity is (interface, address): a changed prefix is an addition, then a removal, so that the address never
//! stops answering. Removing a primary address takes its secondaries along unless promote_secondaries is set
//! (kernel: `__inet_del_ifa`); the plan knows the rule and puts back what goes that way.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::observed::{Interface, Present};

/// One change to an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Add ours, and fail if it is there.
    Add(IpNet),
    /// Remove.
    Delete(IpNet),
    /// Add somebody else's again, which went along with one of ours.
    PutBack(IpNet),
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add(net) => write!(f, "adding {net}"),
            Self::Delete(net) => write!(f, "removing {net}"),
            Self::PutBack(net) => write!(f, "putting back {net}"),
        }
    }
}

/// What to do on one interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In this order: what must go, then what must come, then what something that came replaces.
    pub ops: Vec<Op>,
    /// Wanted, but somebody else put an entry with this address there: left alone.
    pub foreign: Vec<IpNet>,
}

/// Plans one interface. `ours` are the entries that this program put there.
#[must_use]
pub fn plan(
    desired: &BTreeSet<IpNet>,
    interface: &Interface,
    ours: &BTreeSet<IpNet>,
    promote_secondaries: bool,
) -> Plan {
    let present = &interface.addresses;
    let there: BTreeSet<IpNet> = present.iter().map(|p| p.net).collect();
    let wanted: BTreeSet<IpAddr> = desired.iter().map(IpNet::addr).collect();
    let foreign: BTreeMap<IpAddr, IpNet> =
        there.iter().filter(|net| !ours.contains(net)).map(|net| (net.addr(), *net)).collect();
    let mut plan = Plan::default();
    let mut additions = Vec::new();
    for net in desired.iter().filter(|net| !(there.contains(net) && ours.contains(net))) {
        match foreign.get(&net.addr()) {
            Some(other) => plan.foreign.push(*other),
            None => additions.push(*net),
        }
    }
    let (gone, staying): (Vec<&Present>, Vec<&Present>) =
        present.iter().partition(|p| ours.contains(&p.net) && !desired.contains(&p.net));
    let (replaced, unwanted): (Vec<&Present>, Vec<&Present>) =
        gone.into_iter().partition(|p| wanted.contains(&p.net.addr()));
    let removals = |gone: Vec<&Present>, added: &[IpNet]| {
        let secondaries = staying.iter().filter(|p| p.secondary).map(|p| p.net).chain(added.iter().copied());
        removals(&gone, &secondaries.collect::<Vec<_>>(), |net| desired.contains(&net), promote_secondaries)
    };
    plan.ops.extend(removals(unwanted, &[]));
    plan.ops.extend(additions.iter().map(|net| Op::Add(*net)));
    plan.ops.extend(removals(replaced, &additions));
    plan
}

/// Removes entries, secondaries first: each primary that goes before them costs the kernel a promotion of all of them.
/// Without promotion, a primary takes the secondaries of its subnet along: those that stay are added again.
fn removals(
    gone: &[&Present],
    secondaries: &[IpNet],
    is_ours: impl Fn(IpNet) -> bool,
    promote_secondaries: bool,
) -> Vec<Op> {
    let (minor, major): (Vec<&Present>, Vec<&Present>) = gone.iter().partition(|p| p.secondary);
    let subnets: BTreeSet<IpNet> = major.iter().map(|p| p.net.trunc()).collect();
    let deletions = minor.iter().chain(&major).map(|p| Op::Delete(p.net));
    let taken_along = secondaries.iter().filter(|net| !promote_secondaries && subnets.contains(&net.trunc()));
    let again = taken_along.map(|net| if is_ours(*net) { Op::Add(*net) } else { Op::PutBack(*net) });
    deletions.chain(again).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Linux, as far as IPv4 addresses of one interface go (net/ipv4/devinet.c).
    #[derive(Clone, Debug)]
    struct Kernel {
        entries: Vec<Present>,
        promote: bool,
    }

    impl Kernel {
        fn new(promote: bool, entries: &[IpNet]) -> Self {
            let mut kernel = Self { entries: Vec::new(), promote };
            for net in entries {
                kernel.apply(Op::Add(*net));
            }
            kernel
        }

        fn apply(&mut self, op: Op) {
            match op {
                Op::Add(net) | Op::PutBack(net) => {
                    if self.entries.iter().any(|e| e.net == net) {
                        return;
                    }
                    let secondary = self.entries.iter().any(|e| !e.secondary && e.net.trunc() == net.trunc());
                    self.entries.push(Present { net, secondary, marked: false });
                }
                Op::Delete(net) => {
                    let Some(at) = self.entries.iter().position(|e| e.net == net) else { return };
                    let gone = self.entries.remove(at);
                    if gone.secondary {
                        return;
                    }
                    if self.promote {
                        if let Some(next) = self.entries.iter_mut().find(|e| e.net.trunc() == net.trunc()) {
                            next.secondary = false;
                        }
                    } else {
                        self.entries.retain(|e| !(e.secondary && e.net.trunc() == net.trunc()));
                    }
                }
            }
        }

        fn interface(&self) -> Interface {
            Interface { index: 2, mac: None, up: true, carrier: true, addresses: self.entries.clone() }
        }

        fn nets(&self) -> BTreeSet<IpNet> {
            self.entries.iter().map(|e| e.net).collect()
        }
    }

    fn nets(list: &[&str]) -> BTreeSet<IpNet> {
        list.iter().map(|n| n.parse().unwrap()).collect()
    }

    fn run(kernel: &mut Kernel, desired: &BTreeSet<IpNet>, ours: &BTreeSet<IpNet>) -> Plan {
        let plan = plan(desired, &kernel.interface(), ours, kernel.promote);
        for op in &plan.ops {
            kernel.apply(*op);
        }
        plan
    }

    #[test]
    fn the_second_of_two_vips_outlives_the_first() {
        for promote in [true, false] {
            let vips = nets(&["10.9.0.80/24", "10.9.0.81/24"]);
            let all: Vec<_> =
                ["192.168.4.1/24", "10.9.0.80/24", "10.9.0.81/24"].map(|n| n.parse().unwrap()).into();
            let mut kernel = Kernel::new(promote, &all);
            run(&mut kernel, &nets(&["10.9.0.81/24"]), &vips);
            assert_eq!(kernel.nets(), nets(&["192.168.4.1/24", "10.9.0.81/24"]), "promote {promote}");
        }
    }

    #[test]
    fn a_changed_prefix_is_added_before_the_old_one_goes() {
        let mut kernel = Kernel::new(true, &["192.168.4.80/24".parse().unwrap()]);
        let plan =
            run(&mut kernel, &nets(&["192.168.4.80/32"]), &nets(&["192.168.4.80/24", "192.168.4.80/32"]));
        let [new, old] = ["192.168.4.80/32", "192.168.4.80/24"].map(|n| n.parse().unwrap());
        assert_eq!(plan.ops, [Op::Add(new), Op::Delete(old)]);
    }

    #[test]
    fn a_foreign_entry_is_named_and_left_alone() {
        let mut kernel = Kernel::new(true, &["192.168.4.80/32".parse().unwrap()]);
        let before = kernel.nets();
        let plan = run(&mut kernel, &nets(&["192.168.4.80/24"]), &BTreeSet::new());
        assert_eq!((plan.ops, plan.foreign), (vec![], vec!["192.168.4.80/32".parse().unwrap()]));
        assert_eq!(kernel.nets(), before);
    }

    fn any_net() -> impl Strategy<Value = IpNet> {
        (0..2u8, 1..6u8, prop::sample::select(vec![24u8, 30, 32]))
            .prop_map(|(subnet, host, prefix)| IpNet::new([10, 0, subnet, host].into(), prefix).unwrap())
    }

    proptest! {
        #[test]
        fn the_plan_reaches_what_is_desired_and_keeps_what_is_foreign(
            desired in prop::collection::btree_set(any_net(), 0..6).prop_filter("an address has one prefix", |nets: &BTreeSet<IpNet>| {
                nets.iter().map(IpNet::addr).collect::<BTreeSet<_>>().len() == nets.len()
            }),
            order in prop::collection::vec(any_net(), 0..8),
            mask in prop::collection::vec(any::<bool>(), 8),
            promote in any::<bool>(),
        ) {
            let mut kernel = Kernel::new(promote, &order);
            let before = kernel.nets();
            let ours: BTreeSet<_> = order.iter().zip(&mask).filter(|(_, m)| **m).map(|(n, _)| *n).collect();
            let first = run(&mut kernel, &desired, &ours);
            let after = kernel.nets();

            for foreign in before.difference(&ours) {
                prop_assert!(after.contains(foreign), "foreign {foreign} is lost");
            }
            for net in &desired {
                let in_place = before.contains(net) && ours.contains(net);
                let foreign = |b: &IpNet| b.addr() == net.addr() && !ours.contains(b);
                let blocked = !in_place && before.iter().any(foreign);
                prop_assert_eq!(after.contains(net) || blocked, true, "{} is missing", net);
                prop_assert_eq!(blocked, first.foreign.iter().any(|f| f.addr() == net.addr()));
            }
            for net in after.difference(&before) {
                prop_assert!(desired.contains(net), "{net} came from nowhere");
            }
            for gone in ours.difference(&desired) {
                prop_assert!(!after.contains(gone), "{gone} stayed");
            }
            // What the plan added is ours now.
            let ours = ours.union(&desired).filter(|n| !before.contains(*n) || ours.contains(*n)).copied().collect();
            let again = plan(&desired, &kernel.interface(), &ours, promote);
            prop_assert_eq!(again.ops, vec![]);
        }
    }
}
